"""Looking for a text in a log."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from mastra_admin_sdk.errors import InvalidInput

from .positions import find_after, read_chunk
from .rows import Row, parse_row

MOST_SECONDS = 2.0
"""How long one search goes on before it says where to continue."""

_BLOCK = 1024 * 1024
_LONGEST = 1000
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")

Finder = Callable[[str], Iterable[int]]
"""Returns which lines of some whole lines match, counted from 0."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for in a log: a text as it is seen, without colours.

    Parameters:
        text: the text, or a regular expression as Python's `re` reads it.
        regex: it is an expression.
        case: upper and lower case differ.

    Raises:
        InvalidInput: it is empty, too long, or has line ends.
    """

    text: str
    regex: bool = False
    case: bool = False

    def __post_init__(self) -> None:
        if not self.text or len(self.text) > _LONGEST or "\n" in self.text:
            raise InvalidInput(
                f"Logs can be searched for a text of one to {_LONGEST} characters in one line.",
                evidence={"field": "q"},
            )


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that match, oldest first, and the number after (or before) which to look further; ``None``: that is all."""

    rows: Sequence[Row]
    next: int | None


def search_parts(
    parts: Sequence[BinaryIO], query: Query, *, after: int | None, before: int | None, limit: int
) -> Found:
    """Return the first matches of a log's files above ``after``, or the last below ``before`` if that alone is given.

    Raises:
        InvalidInput: the expression isn't valid.
    """
    find = _compile(query)
    backwards = after is None and before is not None
    blocks = _read_backwards(parts, int(before or 0)) if backwards else _read_forwards(parts, after or 0)
    rows: list[Row] = []
    until = time.monotonic() + MOST_SECONDS
    low, high = after or 0, before if before is not None else None
    for block in blocks:
        rows += _pick(block, find, low, high, backwards)
        if len(rows) >= limit:
            rows = rows[:limit]
            return Found(rows[::-1] if backwards else rows, rows[-1][0])
        if high is not None and not backwards and _last_number(block) >= high - 1:
            break
        if time.monotonic() > until:
            return Found(rows[::-1] if backwards else rows, _first_number(block) if backwards else _last_number(block))
    return Found(rows[::-1] if backwards else rows, None)


def _compile(query: Query) -> Finder:
    if not query.regex:
        return _find_text(query.text if query.case else query.text.lower(), query.case)
    try:
        pattern = re.compile(query.text, 0 if query.case else re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as exc:
        raise InvalidInput(
            f"The regular expression {query.text[:100]!r} isn't valid: {exc}.",
            hint="Search for the text as it is, without regex, or escape its special characters.",
            evidence={"field": "q"},
        ) from exc
    return _find_pattern(pattern)


def _find_text(needle: str, case: bool) -> Finder:
    def find(block: str) -> Iterator[int]:
        hay = block if case else block.lower()
        index = counted = place = 0
        while (place := hay.find(needle, place)) >= 0:
            begin = hay.rfind("\n", 0, place) + 1
            text = _skip_head(hay, begin)
            if place < text:
                # In the number, the time or the stream, which aren't searched.
                place = text
                continue
            index += hay.count("\n", counted, begin)
            counted = begin
            yield index
            place = hay.find("\n", place)

    return find


def _skip_head(hay: str, begin: int) -> int:
    """Return where the text of a line begins, which begins at ``begin``: behind its third tab."""
    for _ in range(3):
        tab = hay.find("\t", begin)
        if tab < 0:
            return len(hay)
        begin = tab + 1
    return begin


def _find_pattern(pattern: re.Pattern[str]) -> Finder:
    def find(block: str) -> Iterator[int]:
        for index, line in enumerate(block.split("\n")[:-1]):
            if pattern.search(line.split("\t", 3)[-1]):
                yield index

    return find


def _pick(block: bytes, find: Finder, low: int, high: int | None, backwards: bool) -> list[Row]:
    text = block.decode("utf-8", errors="replace")
    indexes = list(find(_COLOUR.sub("", text) if "\x1b" in text else text))
    if not indexes:
        return []
    lines = block.split(b"\n")
    rows = [row for index in indexes if (row := parse_row(lines[index])) and row[0] > low]
    rows = [row for row in rows if high is None or row[0] < high]
    return rows[::-1] if backwards else rows


def _read_forwards(parts: Sequence[BinaryIO], after: int) -> Iterator[bytes]:
    for part in parts:
        place = find_after(part.fileno(), after)
        while block := read_chunk(part.fileno(), place, _BLOCK):
            place += len(block)
            yield block


def _read_backwards(parts: Sequence[BinaryIO], before: int) -> Iterator[bytes]:
    for part in reversed(parts):
        descriptor = part.fileno()
        place = find_after(descriptor, max(0, before - 1))
        # The border is somewhere in the lines that follow; what is beyond it is left out later.
        if block := read_chunk(descriptor, place):
            yield block
        while place:
            block = _read_up_to(descriptor, place)
            place -= len(block)
            yield block


def _read_up_to(descriptor: int, end: int) -> bytes:
    """Return whole lines that end at a place, about a block of them."""
    size = _BLOCK
    while True:
        start = max(0, end - size)
        data = os.pread(descriptor, end - start, start)
        begin = data.find(b"\n") + 1 if start else 0
        if start == 0 or 0 < begin < len(data):
            return data[begin:]
        size *= 4


def _first_number(block: bytes) -> int:
    return next((row[0] for raw in block.split(b"\n")[:-1] if (row := parse_row(raw))), 0)


def _last_number(block: bytes) -> int:
    return next((row[0] for raw in reversed(block.split(b"\n")[:-1]) if (row := parse_row(raw))), 0)
