"""Reads one folder: its names, its package.json, the version that is installed."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .detector import CORE, Detection, detect_project, find_locked_version
from .names import clean_text, is_portable

MANIFEST = "package.json"
_MANIFEST_BYTES = 4 * 1024 * 1024
_LOCKFILE_BYTES = 32 * 1024 * 1024


class Unusable(Exception):
    """Raised when a folder looks like a project and can't be used; says why in words for people."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A folder with a Mastra project in it. ``path`` is its real path."""

    path: str
    manifest: Mapping[str, Any]
    names: frozenset[str]
    detection: Detection


def read_candidate(path: str, names: frozenset[str]) -> Candidate | None:
    """Return the Mastra project in a folder, whose names are known; ``None`` when there is none.

    Raises:
        Unusable: its package.json can't be read or is broken, or the folder's path is no valid Unicode.
    """
    if MANIFEST not in names:
        return None
    manifest = _read_manifest(os.path.join(path, MANIFEST))
    detection = detect_project(manifest, names)
    if detection is None:
        return None
    if not is_portable(path):
        raise Unusable("its path isn't valid UTF-8, which Node can't open: rename the folder")
    return Candidate(path, manifest, names, detection)


def read_mastra_version(candidate: Candidate) -> str | None:
    """Return the version of Mastra: what the lock file pins, else what is installed, else the range as written."""
    return _read_locked(candidate) or _read_installed(candidate.path) or candidate.detection.mastra_range


def explain(error: OSError) -> str:
    """Return what an error of the operating system says, in lower case and without the path."""
    return (error.strerror or str(error)).lower()


def _read_manifest(path: str) -> dict[str, Any]:
    try:
        manifest = json.loads(_read_regular(path, _MANIFEST_BYTES).decode("utf-8-sig"))
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


def _read_regular(path: str, limit: int) -> bytes:
    # O_NONBLOCK: a named pipe called package.json must not hang the search.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise Unusable(f"its {os.path.basename(path)} isn't a regular file")
        if info.st_size > limit:
            raise Unusable(f"its {os.path.basename(path)} is larger than {limit // 1024**2} MB")
        return file.read(limit)


def _read_locked(candidate: Candidate) -> str | None:
    lockfile = candidate.detection.lockfile
    if lockfile is None:
        return None
    try:
        text = _read_regular(os.path.join(candidate.path, lockfile), _LOCKFILE_BYTES).decode("utf-8", "replace")
    except (OSError, Unusable):
        return None  # the version is a nicety: what needs the lock file itself will say what is wrong with it
    return find_locked_version(lockfile, text)


def _read_installed(path: str) -> str | None:
    try:
        manifest = _read_manifest(os.path.join(path, "node_modules", *CORE.split("/"), MANIFEST))
    except Unusable:
        return None  # not installed
    return clean_text(manifest.get("version"))
