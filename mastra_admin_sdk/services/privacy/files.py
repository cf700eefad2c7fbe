"""Erases lines of telemetry files, while servers go on writing to them and ingestion goes on reading them.

A line is written over in its place by one of the same length that says nothing: no position moves, so writers, readers
and the offsets of what was stored know nothing of it, and whoever reads the file again finds nothing where it was.
Compressed files are written anew: they are nobody's any more.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mastra_admin_sdk.errors import ObservabilityError
from mastra_admin_sdk.services.telemetry.files import GZIP, OPEN, TelemetryFile, list_files

from .matching import LineMatcher

_BEGIN, _END = b'{"type":"erased"', b"}"
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileErasure:
    """What was found in files, and erased unless it was only looked for."""

    files: int = 0
    lines: int = 0
    bytes: int = 0


def erase_files(root: Path, matches: LineMatcher, *, dry_run: bool = False) -> FileErasure:
    """Erase the lines that match in all files below a folder.

    Raises:
        ObservabilityError: a file can't be changed; those before it are done, and it can be repeated.
    """
    files = lines = size = 0
    for file in list_files(root):
        try:
            found = _erase_file(file, matches, dry_run=dry_run)
        except OSError as exc:
            raise ObservabilityError(
                f"Lines of the telemetry file {file.path} could not be erased: {exc.strerror or exc}.",
                hint="Make it writable, then delete again.",
            ) from exc
        if found:
            files, lines, size = files + 1, lines + len(found), size + sum(found)
    return FileErasure(files, lines, size)


def _erase_file(file: TelemetryFile, matches: LineMatcher, *, dry_run: bool) -> list[int]:
    """Return the lengths of the lines that matched."""
    for path in (file.path, file.path.with_name(file.path.name.removesuffix(OPEN))):
        try:
            if file.path.name.endswith(GZIP):
                return _erase_compressed(path, matches, dry_run=dry_run)
            return _erase_plain(path, matches, dry_run=dry_run)
        except FileNotFoundError:
            continue  # its writer closed it, or it was stored and is a day old
    return []


def _erase_plain(path: Path, matches: LineMatcher, *, dry_run: bool) -> list[int]:
    with path.open("rb" if dry_run else "r+b", buffering=0) as file:
        found = [(place, len(line)) for place, line in _read_lines(file.fileno()) if matches(line)]
        for place, length in [] if dry_run else found:
            os.pwrite(file.fileno(), _make_blank(length), place)
        if found and not dry_run:
            os.fsync(file.fileno())
    return [length for _, length in found]


def _read_lines(descriptor: int) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines without their ends, and where they begin; what is still being written isn't one."""
    rest, place = b"", 0
    while piece := os.pread(descriptor, _PIECE, place + len(rest)):
        if b"\n" not in piece:
            rest += piece
            continue
        *lines, rest_after = (rest + piece).split(b"\n")
        for line in lines:
            if line:
                yield place, line
            place += len(line) + 1
        rest = rest_after


def _make_blank(length: int) -> bytes:
    """Return a line of some length that tells readers that there was one, and nothing else."""
    if length < len(_BEGIN) + len(_END):
        return b" " * length
    return _BEGIN + b" " * (length - len(_BEGIN) - len(_END)) + _END


def _erase_compressed(path: Path, matches: LineMatcher, *, dry_run: bool) -> list[int]:
    found: list[int] = []
    try:
        with gzip.open(path, "rb") as source:
            found.extend(len(line) for line in source if matches(line.rstrip(b"\n")))
    except (EOFError, zlib.error, gzip.BadGzipFile):
        # Half a copy, or broken: what can be had of it was stored, and nobody can write the rest of it anew.
        if found and not dry_run:
            path.unlink()
        return found
    if found and not dry_run:
        _rewrite(path, matches)
    return found


def _rewrite(path: Path, matches: LineMatcher) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with gzip.open(path, "rb") as source, draft.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb") as target:
            _copy_others(source, target, matches)
        draft.chmod(0o600)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _copy_others(source: IO[bytes] | gzip.GzipFile, target: gzip.GzipFile, matches: LineMatcher) -> None:
    for line in source:
        if not matches(line.rstrip(b"\n")):
            target.write(line)
