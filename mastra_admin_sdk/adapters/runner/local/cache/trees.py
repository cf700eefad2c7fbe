"""What a tree of installed packages consists of: looked at on disk, compared, written down."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FORMAT = 1
MODULES = "node_modules"


class Unstorable(Exception):
    """Raised when a tree can't be kept for other builds; the message says why."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What tells a file that was changed from one that wasn't."""

    size: int
    mtime_ns: int
    inode: int
    mode: int
    links: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A tree as it is on disk; paths are relative to the folder above it."""

    folders: Mapping[str, int] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileFacts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a stored tree: where it belongs, what is in it, and the mode it was installed with."""

    path: str
    digest: str
    size: int
    mode: int

    @property
    def is_program(self) -> bool:
        """True when it may be executed."""
        return bool(self.mode & stat.S_IXUSR)


@dataclass(frozen=True, slots=True)
class StoredTree:
    """A tree as it is written down: folders in an order in which they can be made, then links and files."""

    folders: tuple[tuple[str, int], ...]
    links: tuple[tuple[str, str], ...]
    files: tuple[StoredFile, ...]

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def find_modules(root: Path) -> tuple[str, ...]:
    """Return where packages are installed: each ``node_modules`` that isn't inside another, relative to ``root``."""
    found: list[str] = []
    for place, folders, _ in os.walk(root):
        if MODULES in folders:
            found.append(os.path.relpath(os.path.join(place, MODULES), root))
        folders[:] = [name for name in folders if name not in {MODULES, ".git", ".mastra"}]
    return tuple(sorted(found))


def scan_tree(root: Path, tops: Iterable[str]) -> Snapshot:
    """Look at the files and folders below each of ``tops``.

    Raises:
        Unstorable: something is neither file, folder nor link.
    """
    snapshot = Snapshot({}, {}, {})
    for top in tops:
        path = root / top
        if path.is_symlink():
            _add(snapshot.links, top, os.readlink(path))
        elif path.is_dir():
            _scan(str(root), top, snapshot)
        elif path.exists():
            _add(snapshot.files, top, _read_facts(os.lstat(path)))
    return snapshot


def find_change(before: Snapshot, now: Snapshot, *, modes: bool = True) -> str | None:
    """Return a path of ``before`` that isn't ``now`` what it was, or ``None``. What was added doesn't count."""
    for path, facts in before.files.items():
        found = now.files.get(path)
        if found is None or _identify(found, modes) != _identify(facts, modes):
            return path
    for path, target in before.links.items():
        if now.links.get(path) != target:
            return path
    return next((path for path in before.folders if path not in now.folders), None)


def find_escape(snapshot: Snapshot) -> str | None:
    """Return a link that leads out of the folder above the tree, or by an absolute path; ``None`` without one."""
    for path, target in snapshot.links.items():
        place = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if os.path.isabs(target) or place == ".." or place.startswith(f"..{os.sep}"):
            return path
    return None


def dump_tree(tree: StoredTree) -> bytes:
    """Write a tree down."""
    files = [(file.path, file.digest, file.size, file.mode) for file in tree.files]
    text = {"format": _FORMAT, "folders": tree.folders, "links": tree.links, "files": files}
    return json.dumps(text, separators=(",", ":")).encode()


def load_tree(body: bytes) -> StoredTree:
    """Read what `dump_tree` wrote.

    Raises:
        ValueError: it is something else.
    """
    found: dict[str, Any] = json.loads(body)
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise ValueError("not a tree of this format")
    try:
        return StoredTree(
            tuple((path, mode) for path, mode in found["folders"]),
            tuple((path, target) for path, target in found["links"]),
            tuple(StoredFile(*row) for row in found["files"]),
        )
    except (KeyError, TypeError) as exc:
        raise ValueError(f"a broken tree: {exc}") from exc


def _scan(root: str, top: str, snapshot: Snapshot) -> None:
    _add(snapshot.folders, top, stat.S_IMODE(os.lstat(os.path.join(root, top)).st_mode))
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        for entry in _list(os.path.join(root, folder)):
            path = f"{folder}/{entry.name}"
            if entry.is_symlink():
                _add(snapshot.links, path, os.readlink(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                _add(snapshot.folders, path, stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode))
                waiting.append(path)
            elif entry.is_file(follow_symlinks=False):
                _add(snapshot.files, path, _read_facts(entry.stat(follow_symlinks=False)))
            else:
                raise Unstorable(f"{path} is neither a file nor a folder")


def _list(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries


def _add(found: Mapping[str, Any], path: str, value: object) -> None:
    # A snapshot is only filled here, before anybody else has it.
    found[path] = value  # type: ignore[index]


def _read_facts(found: os.stat_result) -> FileFacts:
    mode = stat.S_IMODE(found.st_mode)
    return FileFacts(found.st_size, found.st_mtime_ns, found.st_ino, mode, found.st_nlink)


def _identify(facts: FileFacts, modes: bool) -> tuple[int, ...]:
    return facts.size, facts.mtime_ns, facts.inode, facts.mode if modes else 0
