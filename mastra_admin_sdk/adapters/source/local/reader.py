"""Reads one folder: its names, its package.json, the monorepo around it, the version that is installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .detector import CORE, Detection, detect_project, find_locked_version, join_workspace
from .files import MANIFEST, Unusable, read_manifest, read_regular
from .names import clean_text, is_portable
from .workspaces import find_workspace

_LOCKFILE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Candidate:
    """A folder with a Mastra project in it. ``path`` is its real path, ``root`` that of its monorepo, else the same."""

    path: str
    manifest: Mapping[str, Any]
    names: frozenset[str]
    detection: Detection
    root: str

    @property
    def subdir(self) -> str:
        """Where in ``root`` the project lies; empty when it is the root."""
        return "" if self.root == self.path else os.path.relpath(self.path, self.root)


def read_candidate(path: str, names: frozenset[str], top: str | None = None) -> Candidate | None:
    """Return the Mastra project in a folder, whose names are known; ``None`` when there is none.

    Parameters:
        path: the folder's real path.
        names: what is in it.
        top: a folder above which no monorepo is looked for.

    Raises:
        Unusable: its package.json can't be read or is broken, or the folder's path is no valid Unicode.
    """
    if MANIFEST not in names:
        return None
    manifest = read_manifest(os.path.join(path, MANIFEST))
    detection = detect_project(manifest, names)
    if detection is None:
        return None
    if not is_portable(path):
        raise Unusable("its path isn't valid UTF-8, which Node can't open: rename the folder")
    workspace = find_workspace(path, top)
    if workspace is None:
        return Candidate(path, manifest, names, detection, path)
    return Candidate(path, manifest, names, join_workspace(detection, manifest, workspace), workspace.path)


def read_mastra_version(candidate: Candidate) -> str | None:
    """Return the version of Mastra: what the lock file pins, else what is installed, else the range as written."""
    folders = dict.fromkeys((candidate.path, candidate.root))
    installed = (_read_installed(folder) for folder in folders)
    return _read_locked(candidate) or next(filter(None, installed), None) or candidate.detection.mastra_range


def _read_locked(candidate: Candidate) -> str | None:
    lockfile = candidate.detection.lockfile
    if lockfile is None:
        return None
    try:
        text = read_regular(os.path.join(candidate.root, lockfile), _LOCKFILE_BYTES).decode("utf-8", "replace")
    except (OSError, Unusable):
        return None  # the version is a nicety: what needs the lock file itself will say what is wrong with it
    return find_locked_version(lockfile, text)


def _read_installed(path: str) -> str | None:
    try:
        manifest = read_manifest(os.path.join(path, "node_modules", *CORE.split("/"), MANIFEST))
    except Unusable:
        return None  # not installed
    return clean_text(manifest.get("version"))
