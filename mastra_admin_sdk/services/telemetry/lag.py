"""How far the store is behind the files."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mastra_admin_sdk.models import Offset

from .chunks import find_line
from .files import TelemetryFile, start_position

REST_SECONDS = 5.0
"""A closed file that ends in the middle of a line, and hasn't changed for so long, stays as it is."""

_SAMPLE = 50
_TIMESTAMP = re.compile(rb'"timestamp":\s*(\d{12,14})\b')
_BEGUN = re.compile(r"(\d{12,14})_")
_SKEW_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the store is behind: files with lines that wait, their bytes, and the age of the oldest such line."""

    files: int
    bytes: int
    seconds: float


def is_behind(file: TelemetryFile, offsets: Mapping[str, Offset]) -> bool:
    """True when a file may hold something that was not looked at yet."""
    if not file.compressed:
        return start_position(file, offsets) < file.size
    known = offsets.get(file.key)
    if known is None or known.inode != file.inode:
        return True
    return not known.done or _was_changed_since(file, known)


def has_passed(file: TelemetryFile, offsets: Mapping[str, Offset]) -> bool:
    """True when all that a file held when it was looked at is stored; it may have grown and more be stored since."""
    known = offsets.get(file.key)
    if known is None or known.inode != file.inode:
        return False
    if file.compressed:
        return not _was_changed_since(file, known)
    return known.position >= file.size


def has_waiting_line(file: TelemetryFile, offsets: Mapping[str, Offset], *, if_unreadable: bool = False) -> bool:
    """False when all that waits is a last line without its end, of a file that may still be written or never was."""
    if file.closed and (file.compressed or time.time() - file.modified >= REST_SECONDS):
        return True
    try:
        return find_line(file, start_position(file, offsets)) is not None
    except OSError:
        return if_unreadable


def make_lag(behind: Sequence[TelemetryFile], offsets: Mapping[str, Offset]) -> Lag:
    """Return the lag of files that are behind.

    The age is that of the first line that waits, as it says itself. Clocks may be wrong: a line is no older than its
    file and what was stored of it before, no younger than the last change of its file, and never from the future.
    """
    now = time.time()
    waiting = sum(_count_bytes(file, offsets) for file in behind)
    oldest = sorted(behind, key=lambda file: _find_begin(file, offsets))[:_SAMPLE]
    since = min((_find_moment(file, offsets) for file in oldest), default=now)
    return Lag(len(behind), waiting, max(0.0, now - since))


def _count_bytes(file: TelemetryFile, offsets: Mapping[str, Offset]) -> int:
    return file.size if file.compressed else file.size - start_position(file, offsets)


def _find_moment(file: TelemetryFile, offsets: Mapping[str, Offset]) -> float:
    begin = _find_begin(file, offsets)
    try:
        line = find_line(file, start_position(file, offsets)) or b""
    except OSError:
        line = b""
    found = _TIMESTAMP.search(line)
    said = int(found[1]) / 1000 if found else begin
    return max(begin, min(said, file.modified))


def _find_begin(file: TelemetryFile, offsets: Mapping[str, Offset]) -> float:
    """The earliest moment at which what waits can have been written."""
    begun = _BEGUN.match(file.path.name)
    moments = [int(begun[1]) / 1000 if begun else file.modified]
    known = offsets.get(file.key)
    if known is not None and known.inode == file.inode:
        moments.append(known.updated_at.timestamp() - 60)
    return min(max(moments), file.modified)


def _was_changed_since(file: TelemetryFile, known: Offset) -> bool:
    # The time of a file from the future says nothing; the ingester sees its size change.
    return known.updated_at.timestamp() < file.modified < time.time() + _SKEW_SECONDS
