"""Where a line stands in a file: numbers ascend through it, so that halving finds any of them in a few reads."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .rows import parse_row

_PEEK = 4 * 1024
_BLOCK = 32 * 1024
CHUNK = 256 * 1024
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A line in a file: where it begins, its number, and where the next one begins."""

    begin: int
    number: int
    next: int


def find_after(descriptor: int, number: int) -> int:
    """Return where to begin to read: no line before that place has a number above ``number``.

    The first line that has one begins there or within the next few thousand bytes.
    """
    low, high = 0, os.fstat(descriptor).st_size
    while number > 0 and high - low > _BLOCK:
        middle = (low + high) // 2
        spot = find_line(descriptor, middle, high)
        if spot is None or spot.number > number:
            high = middle
        else:
            low = spot.next
    return low


def find_line(descriptor: int, place: int, end: int) -> Spot | None:
    """Return the first readable line that begins at or behind a place and ends before ``end``."""
    start, size = max(0, place - 1), _PEEK
    while True:
        data = os.pread(descriptor, min(size, end - start), start)
        begin = data.find(b"\n") + 1 if place else 0
        if begin or not place:
            while (stop := data.find(b"\n", begin)) >= 0:
                if row := parse_row(data[begin:stop]):
                    return Spot(start + begin, row[0], start + stop + 1)
                begin = stop + 1
        if len(data) < size:
            return None
        size *= 16


def find_first(descriptor: int) -> int:
    """Return the number of the first line of a file, 0 when there is none."""
    spot = find_line(descriptor, 0, os.fstat(descriptor).st_size)
    return spot.number if spot else 0


def find_last(descriptor: int) -> int:
    """Return the number of the last whole line of a file, 0 when there is none."""
    end = os.fstat(descriptor).st_size
    size = _PEEK
    while True:
        start = max(0, end - size)
        lines = os.pread(descriptor, end - start, start).split(b"\n")[:-1]
        # The first one may be the rest of a line that begins before.
        for raw in reversed(lines if start == 0 else lines[1:]):
            if row := parse_row(raw):
                return row[0]
        if start == 0:
            return 0
        size *= 16


def read_chunk(descriptor: int, place: int, most: int = CHUNK) -> bytes:
    """Return whole lines from a place on, about ``most`` bytes of them; what is half written is left out.

    Empty when no whole line stands there.
    """
    while True:
        data = os.pread(descriptor, most, place)
        stop = data.rfind(b"\n") + 1
        if stop or len(data) < most:
            return data[:stop]
        most *= 4
