"""Artifacts: taken out of a workspace in one rename, sealed against writing, described for the record."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import BuildError
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.models import Artifact

_WRITE_BITS = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def take_output(output: Path, target: Path) -> Mapping[str, int]:
    """Move a finished output folder to ``target``: complete and sealed, or not there at all.

    Returns:
        ``bytes`` and ``files`` of the artifact.
    """
    partial = name_partial(target)
    remove_tree(partial)
    target.parent.mkdir(parents=True, exist_ok=True)
    _bring_links_home(output)
    try:
        output.rename(partial)
    except OSError:
        # Another file system: copied, then renamed like the rest.
        shutil.copytree(output, partial, symlinks=True)
    sizes = _seal(partial)
    # A folder is renamed beside itself, which needs no write permission on it.
    partial.rename(target)
    return sizes


def name_partial(target: Path) -> Path:
    """Return where an artifact is while it isn't finished."""
    return target.with_name(f"{target.name}.partial")


def dump_artifact(artifact: Artifact) -> Mapping[str, Any]:
    """Describe an artifact as JSON."""
    return {
        **asdict(artifact),
        "path": str(artifact.path),
        "notes": list(artifact.notes),
        "phases": dict(artifact.phases),
        "packages": dict(artifact.packages),
        "stats": dict(artifact.stats),
    }


def load_artifact(record: Mapping[str, Any]) -> Artifact:
    """Return the artifact of a description; `BuildError` when its folder is gone."""
    try:
        artifact = Artifact(**{**record, "path": Path(record["path"]), "notes": tuple(record.get("notes", ()))})
    except (KeyError, TypeError) as exc:
        raise BuildError(
            "The record of this build doesn't describe an artifact.", hint="Deploy the project again."
        ) from exc
    if not (artifact.path / artifact.entry).is_file():
        raise BuildError(
            f"The artifact {artifact.path} is gone or has no {artifact.entry}.", hint="Deploy the project again."
        )
    return artifact


def _bring_links_home(output: Path) -> None:
    """Replace links that lead out of the output (workspace packages) by copies: the workspace is about to go."""
    root = output.resolve()
    for link in list(_list_package_links(output)):
        target = link.resolve()
        if target.is_relative_to(root) or not target.is_dir():
            continue
        link.unlink()
        shutil.copytree(target, link, symlinks=True, ignore=shutil.ignore_patterns(".git"))


def _list_package_links(output: Path) -> Iterator[Path]:
    modules = output / "node_modules"
    if not modules.is_dir():
        return
    for entry in modules.iterdir():
        if entry.is_symlink():
            yield entry
        elif entry.name.startswith("@") and entry.is_dir():
            yield from (package for package in entry.iterdir() if package.is_symlink())


def _seal(folder: Path) -> Mapping[str, int]:
    """Take all write permissions away, and return how many bytes and files there are."""
    total = count = 0
    for place, _, names in os.walk(folder):
        _protect(place)
        for name in names:
            total += _protect(os.path.join(place, name))
        count += len(names)
    return {"bytes": total, "files": count}


def _protect(path: str) -> int:
    """Write-protect a file or folder, and return its size."""
    found = os.lstat(path)
    # Files that came from the cache are shared, and protected already: they must not be touched.
    if found.st_mode & _WRITE_BITS and not stat.S_ISLNK(found.st_mode):
        os.chmod(path, stat.S_IMODE(found.st_mode) & ~_WRITE_BITS)
    return found.st_size
