"""Cuts a stream of bytes into lines, whatever it holds: no line ends, binary, one line of 200 MB."""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE_BYTES = 32 * 1024
"""What is kept of one line; the rest of it is counted and passed over."""


class LineSplitter:
    """Takes chunks and hands out complete lines; keeps at most `MAX_LINE_BYTES` of an unfinished one."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._cut = 0

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the lines that this chunk completes."""
        *complete, last = chunk.split(b"\n")
        for part in complete:
            self._add(part)
            yield self._take()
        self._add(last)

    def finish(self) -> Iterator[str]:
        """Yield what is left when the stream has ended."""
        if self._rest:
            yield self._take()

    def _add(self, part: bytes) -> None:
        room = MAX_LINE_BYTES - len(self._rest)
        self._rest += part[:room]
        self._cut += max(0, len(part) - room)

    def _take(self) -> str:
        text = self._rest.decode("utf-8", errors="replace").removesuffix("\r")
        if self._cut:
            text += f" … [{self._cut} bytes cut]"
        self._rest.clear()
        self._cut = 0
        return text
