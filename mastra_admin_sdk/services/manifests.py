"""What went into each build and what came out of it: one small file a build, kept also when its artifact is gone.

A gzipped JSON object, mode 0600, with the parts:

- ``sources``: path → SHA-256 of its content, for each file that was copied
- ``packages``: name → version, of what package.json names
- ``resolved``: path in node_modules → version, of all that is installed beside the built server
- ``env``: name → whether it is secret; there are no values
- ``inventory``: ``agents``, ``tools`` and ``workflows`` as the server's own API listed them (see `inventory`)
- ``notes``: part → why it isn't there
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Any

from mastra_admin_sdk.home import Home


def save_manifest(home: Home, build_id: str, **parts: Any) -> Path:
    """Add parts to a build's manifest, or replace them, and return its file.

    It is written under another name and then renamed: a reader finds the old one or the new one. Only the worker that
    holds the build writes it.
    """
    path = _find_path(home, build_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = load_manifest(home, build_id)
    merged = {**known, **parts, "notes": {**known.get("notes", {}), **parts.get("notes", {})}}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(gzip.compress(json.dumps(merged).encode(), compresslevel=6, mtime=0))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_manifest(home: Home, build_id: str) -> dict[str, Any]:
    """Return a build's manifest; one that isn't there, or can't be read, is empty."""
    try:
        found = json.loads(gzip.decompress(_find_path(home, build_id).read_bytes()))
    except (FileNotFoundError, EOFError, zlib.error, gzip.BadGzipFile, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remove_manifest(home: Home, build_id: str) -> None:
    """Remove a build's manifest; one that isn't there is no error."""
    _find_path(home, build_id).unlink(missing_ok=True)


def _find_path(home: Home, build_id: str) -> Path:
    return home.manifests / f"{build_id}.json.gz"
