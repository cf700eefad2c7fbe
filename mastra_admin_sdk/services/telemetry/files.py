"""The telemetry files of a home: finding them again and again, cheaply.

A file is known by its path without ``.open`` (writers rename when they close it). Its inode and its first bytes tell a
file that was replaced: that one is read from its start, and lines that were stored before change nothing.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mastra_admin_sdk.models import Offset
from mastra_admin_sdk.ports.observability import Stream

OPEN = ".open"
GZIP = ".gz"

SWEEP_SECONDS = 30.0
"""So often files that were stored to their end are looked at again, though nothing says that they changed."""

_SUFFIXES = (".jsonl", f".jsonl{OPEN}", f".jsonl{GZIP}")
# A folder's time has the resolution of the kernel's clock tick: one that changed just now may change again unseen.
_SURE_SECONDS = 2.0

State = tuple[int, int, float, bool]


@dataclass(frozen=True)
class TelemetryFile:
    """One file of one writer. ``key`` is its name in the records; ``closed`` when its writer renamed it."""

    path: Path
    key: str
    stream: Stream
    size: int
    inode: int
    modified: float
    closed: bool

    @property
    def deployment(self) -> str:
        """Whose it is, as its folder says: what ingestion is fair about."""
        return self.key.split("/", 1)[0]

    @property
    def compressed(self) -> bool:
        """True for gzip, whose positions count bytes of what is in it."""
        return self.key.endswith(GZIP)

    @property
    def state(self) -> State:
        """What changes when the file does."""
        return (self.size, self.inode, self.modified, self.closed)

    @cached_property
    def order(self) -> tuple[str, str]:
        """By what files are sorted: names begin with the moment when they were begun."""
        return (self.path.name, self.key)


def list_files(root: Path) -> list[TelemetryFile]:
    """Return all telemetry files below a folder, oldest first.

    ``**/{spans,logs}/*.jsonl``, ``*.jsonl.open`` and ``*.jsonl.gz``.
    """
    return FileIndex(root).refresh()


def start_position(file: TelemetryFile, offsets: Mapping[str, Offset]) -> int:
    """Return where reading goes on: after what was stored, or at 0 for a file that is new, shorter or replaced."""
    known = offsets.get(file.key)
    if known is None or known.inode != file.inode or (known.position > file.size and not file.compressed):
        return 0
    return known.position


@dataclass(slots=True)
class _Folder:
    """What a folder held when it was listed last."""

    modified: int
    is_sure: bool
    folders: list[str] = field(default_factory=list)
    files: dict[str, TelemetryFile] = field(default_factory=dict)


class FileIndex:
    """Remembers what is in the folders, so that a look costs little when little has changed.

    A folder is listed again when its time has changed; a file that was settled (`settle`) is looked at again when its
    folder was listed again, and every `SWEEP_SECONDS`. For any number of threads.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._folders: dict[str, _Folder] = {}
        self._settled: dict[str, State] = {}
        self._swept_at = 0.0
        self._lock = threading.Lock()

    def refresh(self) -> list[TelemetryFile]:
        """Look at the disk; return the files that are not settled, oldest first."""
        with self._lock:
            everything = time.monotonic() - self._swept_at >= SWEEP_SECONDS
            if everything:
                self._swept_at = time.monotonic()
            seen: dict[str, _Folder] = {}
            pending = [self._root]
            while pending:
                path = pending.pop()
                folder = self._look(path, everything)
                if folder is not None:
                    seen[path] = folder
                    pending += folder.folders
            self._folders = seen
            found = [file for file in self._list() if self._settled.get(file.key) != file.state]
        return sorted(found, key=lambda file: file.order)

    def list_all(self) -> list[TelemetryFile]:
        """Return every file as it was seen last, settled ones too."""
        with self._lock:
            return [*self._list()]

    def settle(self, file: TelemetryFile) -> None:
        """Say that a file was stored to its end, and that its writer writes no more."""
        with self._lock:
            self._settled[file.key] = file.state

    def forget(self, keys: list[str]) -> None:
        """Forget files that are gone."""
        with self._lock:
            for key in keys:
                self._settled.pop(key, None)

    def unsettle(self) -> None:
        """Forget what was settled: the records may say otherwise now."""
        with self._lock:
            self._settled.clear()

    def _list(self) -> Iterator[TelemetryFile]:
        for folder in self._folders.values():
            yield from folder.files.values()

    def _look(self, path: str, everything: bool) -> _Folder | None:
        try:
            found = os.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            return None
        known = self._folders.get(path)
        if known is None or not known.is_sure or known.modified != found.st_mtime_ns:
            return self._read_folder(path, found.st_mtime_ns, known)
        for key, file in known.files.items():
            if everything or self._settled.get(key) != file.state:
                again = self._look_at(path, key, file.path.name, file)
                if again is None:  # renamed or removed in this moment
                    return self._read_folder(path, found.st_mtime_ns, known)
                known.files[key] = again
        return known

    def _read_folder(self, path: str, modified: int, known: _Folder | None) -> _Folder:
        is_sure = time.time() - modified / 1e9 >= _SURE_SECONDS
        folder = _Folder(modified, is_sure)
        before = known.files if known else {}
        prefix = path[len(self._root) + 1 :]
        has_lines = prefix.rpartition("/")[2] in {Stream.SPANS, Stream.LOGS}
        for name, is_folder in _scan(path):
            if is_folder:
                folder.folders.append(f"{path}/{name}")
            elif has_lines and name.endswith(_SUFFIXES):
                key = f"{prefix}/{name}".removesuffix(OPEN)
                file = self._look_at(path, key, name, before.get(key))
                # A listing that was read while a file was renamed can hold both of its names.
                if file is not None and (file.closed or key not in folder.files):
                    folder.files[key] = file
        return folder

    def _look_at(self, folder: str, key: str, name: str, before: TelemetryFile | None) -> TelemetryFile | None:
        path, found = _find(Path(folder, name))
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        closed = path.suffix != OPEN
        if before is not None and before.state == (found.st_size, found.st_ino, found.st_mtime, closed):
            return before
        stream = Stream(path.parent.name)
        return TelemetryFile(path, key, stream, found.st_size, found.st_ino, found.st_mtime, closed)


def list_names(path: Path) -> tuple[Path, ...]:
    """Return the names that a file may have by now: its writer may have closed it in this moment."""
    return (path, path.with_suffix("")) if path.suffix == OPEN else (path,)


def _scan(path: str) -> list[tuple[str, bool]]:
    try:
        with os.scandir(path) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except FileNotFoundError:
        return []


def _find(path: Path) -> tuple[Path, os.stat_result | None]:
    """Look at a file, under its new name if its writer closed it in this moment; ``None`` if it is gone."""
    for candidate in list_names(path):
        try:
            return candidate, os.stat(candidate, follow_symlinks=False)
        except FileNotFoundError:
            continue
    return path, None
