"""Reads small files that may be anything: too large, a pipe, broken."""

from __future__ import annotations

import json
import os
import stat
from typing import Any

MANIFEST = "package.json"
_MANIFEST_BYTES = 4 * 1024 * 1024


class Unusable(Exception):
    """Raised when a folder looks like a project and can't be used; says why in words for people."""


def read_manifest(path: str) -> dict[str, Any]:
    """Return what a package.json says.

    Raises:
        Unusable: it can't be read or is broken.
    """
    try:
        manifest = json.loads(read_regular(path, _MANIFEST_BYTES).decode("utf-8-sig"))
    except OSError as exc:
        raise Unusable(f"its package.json can't be read: {explain(exc)}") from exc
    except UnicodeDecodeError as exc:
        raise Unusable("its package.json isn't UTF-8 text") from exc
    except json.JSONDecodeError as exc:
        raise Unusable(f"its package.json is broken: {exc.msg.lower()} (line {exc.lineno})") from exc
    except (ValueError, RecursionError) as exc:
        raise Unusable("its package.json is broken: numbers too long or brackets too deep") from exc
    if not isinstance(manifest, dict):
        raise Unusable("its package.json holds no JSON object")
    return manifest


def read_regular(path: str, limit: int) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        OSError: it can't be read.
        Unusable: it is no regular file, or larger than ``limit`` bytes.
    """
    # O_NONBLOCK: a named pipe called package.json must not hang the search.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise Unusable(f"its {os.path.basename(path)} isn't a regular file")
        if info.st_size > limit:
            raise Unusable(f"its {os.path.basename(path)} is larger than {limit // 1024**2} MB")
        return file.read(limit)


def explain(error: OSError) -> str:
    """Return what an error of the operating system says, in lower case and without the path."""
    return (error.strerror or str(error)).lower()
