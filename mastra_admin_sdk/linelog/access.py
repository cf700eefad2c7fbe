"""Any lines of a log by their numbers, in a time that doesn't depend on its length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import BinaryIO

from mastra_admin_sdk.models import LogLine

from .parts import open_parts
from .positions import find_after, find_first, find_last, read_chunk
from .rows import Row, make_line, parse_rows
from .searching import Found, Query, search_parts
from .searching_apart import Job, search_apart

_PAGE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of a log, oldest first.

    ``first`` and ``last`` are the numbers of the oldest and the newest line that the log holds, 0 when it is empty:
    oldest lines go when the log is rotated, and numbers may leave out a line that could not be written.
    """

    lines: Sequence[LogLine]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Matches:
    """Lines that were found, oldest first.

    ``next`` is the number after which (or, looking backwards, before which) to search on; ``None``: that is all.
    """

    lines: Sequence[LogLine]
    next: int | None


class LogFile:
    """A log, to look at any place of it.

    Parameters:
        path: the file; ``None``, and one that isn't there, has no lines.
        home: the home that it belongs to, for the processes that searches with regular expressions start.

    Example:
        >>> log = admin.builds.get("weather-agent#3").log
        >>> log.read_page(before=500_000, limit=100).lines[0].number
        499900
        >>> [line.number for line in log.search(Query("error"), limit=10).lines]
        [17, 4711]
    """

    def __init__(self, path: Path | None, *, home: Path | None = None) -> None:
        self.path = path
        self._home = home

    def read_page(self, *, after: int | None = None, before: int | None = None, limit: int = 1000) -> LogPage:
        """Return lines by their numbers.

        Parameters:
            after: the first lines above this number; of the whole log unless given.
            before: only lines below this number; the last of them when ``after`` isn't given.
            limit: how many lines at most.
        """
        with ExitStack() as stack:
            parts = self._open(stack)
            first, last = _find_ends(parts)
            if after is None and before is not None:
                rows = _read_before(parts, min(before, last + 1), first, limit)
            else:
                found = takewhile(lambda row: before is None or row[0] < before, _read_after(parts, after or 0))
                rows = list(islice(found, limit))
        return LogPage([make_line(row) for row in rows], first, last)

    def find_ends(self) -> tuple[int, int]:
        """Return the numbers of the oldest and the newest line; both are 0 when there is none."""
        with ExitStack() as stack:
            return _find_ends(self._open(stack))

    def search(self, query: Query, *, after: int | None = None, before: int | None = None, limit: int = 100) -> Matches:
        """Return lines that hold a text.

        Parameters:
            query: what is looked for.
            after: the first matches above this number; of the whole log unless given.
            before: only matches below this number; the last of them when ``after`` isn't given.
            limit: how many matches at most.

        Raises:
            InvalidInput: the expression isn't valid, or takes too long.
        """
        found = self._find(query, after, before, limit)
        return Matches([make_line(row) for row in found.rows], found.next)

    def _find(self, query: Query, after: int | None, before: int | None, limit: int) -> Found:
        if query.regex and self.path:
            return search_apart(Job(str(self.path), query, after, before, limit), self._home)
        with ExitStack() as stack:
            return search_parts(self._open(stack), query, after=after, before=before, limit=limit)

    def _open(self, stack: ExitStack) -> list[BinaryIO]:
        return open_parts(self.path, stack) if self.path else []


def _find_ends(parts: Sequence[BinaryIO]) -> tuple[int, int]:
    firsts = (find_first(part.fileno()) for part in parts)
    lasts = (find_last(part.fileno()) for part in reversed(parts))
    return next(filter(None, firsts), 0), next(filter(None, lasts), 0)


def _read_after(parts: Sequence[BinaryIO], after: int) -> Iterator[Row]:
    for part in parts:
        place = find_after(part.fileno(), after)
        while chunk := read_chunk(part.fileno(), place, _PAGE_BYTES):
            place += len(chunk)
            for row in parse_rows(chunk, after):
                after = row[0]
                yield row


def _read_before(parts: Sequence[BinaryIO], before: int, first: int, limit: int) -> list[Row]:
    """Return the last lines below a number: those that it lets expect, and more where some are left out."""
    reach = limit
    while True:
        start = before - reach - 1
        rows = list(takewhile(lambda row: row[0] < before, _read_after(parts, max(0, start))))
        if len(rows) >= limit or start < first:
            return rows[-limit:]
        reach *= 4
