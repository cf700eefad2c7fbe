"""The telemetry files of a home: finding them, and reading complete lines from where the last read ended.

A file is known by its path without ``.open`` (writers rename when they close it) and its inode, which tells a file
that was replaced: that one is read from its start, and lines that were stored before change nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mastra_admin_sdk.models import Offset
from mastra_admin_sdk.ports.observability import Chunk, Stream

CHUNK_BYTES = 8 * 1024 * 1024
_OPEN = ".open"


@dataclass(frozen=True, slots=True)
class TelemetryFile:
    """One file of one writer. ``key`` is its name in the records; ``closed`` when its writer renamed it."""

    path: Path
    key: str
    stream: Stream
    size: int
    inode: int
    modified: float
    closed: bool


def list_files(root: Path) -> list[TelemetryFile]:
    """Return all telemetry files below a folder, oldest first: ``**/{spans,logs}/*.jsonl`` and ``*.jsonl.open``."""
    found = (file for folder, _, names in os.walk(root) for file in _list_folder(root, Path(folder), names))
    # A listing that was read while a file was renamed can hold both of its names.
    by_key = {file.key: file for file in found}
    return sorted(by_key.values(), key=lambda file: (file.path.name, file.key))


def start_position(file: TelemetryFile, offsets: Mapping[str, Offset]) -> int:
    """Return where reading goes on: after what was stored, or at 0 for a file that is new, shorter or replaced."""
    known = offsets.get(file.key)
    if known is None or known.inode != file.inode or known.position > file.size:
        return 0
    return known.position


def read_chunks(file: TelemetryFile, position: int, *, size: int = CHUNK_BYTES) -> Iterator[tuple[Chunk, int]]:
    """Yield chunks of complete lines and the position after each; a line longer than ``size`` is a chunk of its own.

    A file that has gone meanwhile has no chunks; one that was closed meanwhile is read under its new name.
    """
    handle = _open(file.path)
    if handle is None:
        return
    with handle:
        handle.seek(position)
        while body := _read_lines(handle, size):
            yield Chunk(file.stream, body, file.key, position), position + len(body)
            position += len(body)


def read_tail(file: TelemetryFile, position: int) -> Iterator[tuple[Chunk, int]]:
    """Yield what a writer that writes no more left without a line end, as a line; nothing when there is no such rest.

    It is whole JSON or torn: the store tells, and keeps a record of what it can't read.
    """
    handle = _open(file.path)
    if handle is None:
        return
    with handle:
        handle.seek(position)
        if body := handle.read():
            yield Chunk(file.stream, body + b"\n", file.key, position), position + len(body)


def _list_folder(root: Path, folder: Path, names: list[str]) -> Iterator[TelemetryFile]:
    if folder.name not in {Stream.SPANS, Stream.LOGS}:
        return
    for name in names:
        if not name.endswith((".jsonl", f".jsonl{_OPEN}")):
            continue
        path, found = _find(folder / name)
        if found is None or not stat.S_ISREG(found.st_mode):
            continue
        key = str(path.relative_to(root)).removesuffix(_OPEN)
        closed = path.suffix != _OPEN
        yield TelemetryFile(path, key, Stream(folder.name), found.st_size, found.st_ino, found.st_mtime, closed)


def _find(path: Path) -> tuple[Path, os.stat_result | None]:
    """Look at a file, under its new name if its writer closed it in this moment; ``None`` if it is gone."""
    for candidate in _list_names(path):
        try:
            return candidate, candidate.stat()
        except FileNotFoundError:
            continue
    return path, None


def _open(path: Path) -> BinaryIO | None:
    for candidate in _list_names(path):
        try:
            return candidate.open("rb")
        except FileNotFoundError:
            continue
    return None


def _list_names(path: Path) -> tuple[Path, ...]:
    return (path, path.with_suffix("")) if path.suffix == _OPEN else (path,)


def _read_lines(handle: BinaryIO, size: int) -> bytes:
    body = handle.read(size)
    end = body.rfind(b"\n") + 1
    if end:
        handle.seek(end - len(body), os.SEEK_CUR)
        return body[:end]
    if len(body) < size:
        return b""
    rest = handle.readline()
    return body + rest if rest.endswith(b"\n") else b""
