"""Reading a log from a number on, and following it."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mastra_admin_sdk.models import LogLine

from .parts import ROTATION_SECONDS, name_part, open_parts, was_replaced
from .positions import CHUNK, find_after, read_chunk
from .rows import Row, make_line, parse_rows

_MOST_WAITS = 50


def read_lines(path: Path, after: int = 0) -> Iterator[LogLine]:
    """Yield the complete lines with a number above ``after``, oldest first, from rotated files too.

    A file that isn't there (any more) has no lines.
    """
    with LogReader(path, after) as reader:
        while rows := reader.read():
            yield from map(make_line, rows)


def follow_lines(
    path: Path, after: int = 0, *, is_over: Callable[[], bool], poll_seconds: float = 0.1
) -> Iterator[LogLine | None]:
    """Yield lines as they come, and ``None`` whenever there is none at the moment, until ``is_over`` and all is read.

    Readers look at the file again every ``poll_seconds``; a rotation is noticed and no line is missed.
    """
    with LogReader(path, after) as reader:
        while True:
            over = is_over()
            rows = reader.read()
            yield from map(make_line, rows)
            if not rows:
                if over:
                    return
                yield None
                time.sleep(poll_seconds)


@dataclass(slots=True)
class _Part:
    file: BinaryIO
    place: int


class LogReader:
    """Reads a log from a number on and keeps its place; a rotation is noticed and no line is missed.

    Parameters:
        path: the log; it need not be there yet.
        after: the number after which to begin.

    ``number`` is that of the last line that was read.
    """

    def __init__(self, path: Path, after: int = 0) -> None:
        self.number = after
        self._path = path
        self._parts: deque[_Part] = deque()
        self._waits = 0

    def read(self, most: int = CHUNK) -> list[Row]:
        """Return the next lines, oldest first; none when all that is there has been read.

        ``most`` is about how many bytes of them there are at most.
        """
        while self._parts or self._open_newer():
            part = self._parts[0]
            if chunk := self._read_on(part, most):
                if rows := list(parse_rows(chunk, self.number)):
                    self.number = rows[-1][0]
                    return rows
            elif len(self._parts) > 1:
                # It was complete before it was read the last time: its successor was there already.
                self._parts.popleft().file.close()
            elif not (was_replaced(self._path, part.file) and self._open_newer()) and not self._wait_for_rotation():
                break
        return []

    def close(self) -> None:
        """Close the files. Can be repeated."""
        while self._parts:
            self._parts.popleft().file.close()

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait_for_rotation(self) -> bool:
        """Wait a moment if the file is just being rotated; False when it isn't, or its writer died over it."""
        is_rotating = self._waits < _MOST_WAITS and name_part(self._path, 1).exists() and not self._path.exists()
        self._waits = self._waits + 1 if is_rotating else 0
        if is_rotating:
            time.sleep(ROTATION_SECONDS)
        return is_rotating

    def _open_newer(self) -> bool:
        """Open what came after the newest file that is open; False when there is nothing."""
        with ExitStack() as stack:
            newest = self._parts[-1].file if self._parts else None
            opened = open_parts(self._path, stack, newer_than=newest)
            self._parts.extend(_Part(file, find_after(file.fileno(), self.number)) for file in opened)
            stack.pop_all()
        return bool(opened)

    def _read_on(self, part: _Part, most: int) -> bytes:
        descriptor = part.file.fileno()
        if os.fstat(descriptor).st_size < part.place:  # somebody emptied it
            part.place = 0
        chunk = read_chunk(descriptor, part.place, most)
        part.place += len(chunk)
        return chunk
