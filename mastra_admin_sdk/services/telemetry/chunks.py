"""Complete lines out of a telemetry file, in chunks, whatever the file is like; memory stays bounded."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mastra_admin_sdk.ports.observability import Chunk

from .files import TelemetryFile, list_names
from .gzips import GzipStream

CHUNK_BYTES = 8 * 1024 * 1024
"""A chunk has about so many bytes."""

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is refused; writers cut theirs at about a million characters."""

_KEPT_BYTES = 64 * 1024
_BLOCK = 1024 * 1024
_HEAD_BYTES = 256
_TOO_LONG = f"a line longer than {MAX_LINE_BYTES // 1024**2} MB"


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk, and the position after it."""

    chunk: Chunk
    end: int


class ChunkReader:
    """Reads one file from a position on. Close it afterwards.

    A file that doesn't begin as ``head`` says, or has no line end before the position, was replaced: it is read from
    its start. ``position`` is behind what was returned last, ``head`` of this file as it is now. ``unread`` is how many
    bytes without a line end are known to follow it, once there are no more pieces; ``broken`` says why a gzip file
    can't be read any further.
    """

    def __init__(self, file: TelemetryFile, position: int, head: int, handle: BinaryIO) -> None:
        self.file, self.unread, self.head = file, 0, _check_head(handle, lines=not file.compressed)
        self._gzip = GzipStream(handle) if file.compressed else None
        self._handle = handle
        self._source = self._gzip or handle
        self._rest = b""
        wanted = 0 if head and head != self.head else position
        self.position = self._gzip.skip(wanted) if self._gzip else self._seek(wanted)

    @property
    def torn(self) -> bool:
        """True for gzip that ends within a member: the rest may still be on its way."""
        return self._gzip is not None and self._gzip.torn

    @property
    def broken(self) -> str:
        """Why gzip can't be read any further."""
        return self._gzip.broken if self._gzip else ""

    def read(self, size: int = CHUNK_BYTES, *, limit: int = MAX_LINE_BYTES) -> Piece | None:
        """Return the next lines, about ``size`` bytes of them; ``None`` when there is no complete one.

        A line longer than ``limit`` comes by itself, with the reason for which it is refused and what it begins with.
        """
        body = self._rest + self._source.read(max(size - len(self._rest), 0))
        while not (end := body.rfind(b"\n") + 1) and len(body) < limit:
            more = self._source.read(min(max(size, _BLOCK), limit - len(body)))
            if not more:
                self._rest, self.unread = body, len(body)
                return None
            body += more
        if not end:
            return self._pass_long_line(body)
        self._rest = body[end:]
        return self._make_piece(body[:end], end)

    def read_rest(self) -> Piece | None:
        """Return what is left without a line end, as a line; nothing when nothing is left.

        It is whole JSON or torn: the store tells, and keeps a record of what it can't read.
        """
        if self.unread > len(self._rest):
            return self._refuse(self._rest[:_KEPT_BYTES], _TOO_LONG, self.unread)
        if not self._rest:
            return None
        body, self._rest, self.unread = self._rest, b"", 0
        return self._make_piece(body + b"\n", len(body))

    def refuse_rest(self) -> Piece | None:
        """Return the record of gzip that can't be read any further; nothing when all of it could be."""
        if not self.broken and not self.torn:
            return None
        reason = "a broken gzip file" if self.broken else "a gzip file without its end"
        return self._refuse(self.broken.encode(), reason, 0)

    def close(self) -> None:
        """Close the file."""
        self._handle.close()

    def _seek(self, position: int) -> int:
        if position:
            self._handle.seek(position - 1)
            if self._handle.read(1) == b"\n":
                return position
            self._handle.seek(0)
        return 0

    def _pass_long_line(self, body: bytes) -> Piece | None:
        length = len(body)
        while block := self._source.read(_BLOCK):
            end = block.find(b"\n") + 1
            length += end or len(block)
            if end:
                self._rest = block[end:]
                return self._refuse(body[:_KEPT_BYTES], _TOO_LONG, length)
        self._rest, self.unread = body[:_KEPT_BYTES], length
        return None

    def _refuse(self, head: bytes, reason: str, length: int) -> Piece:
        chunk = Chunk(self.file.stream, head + b"\n", self.file.key, self.position, reason)
        self.position += length
        return Piece(chunk, self.position)

    def _make_piece(self, body: bytes, length: int) -> Piece:
        chunk = Chunk(self.file.stream, body, self.file.key, self.position)
        self.position += length
        return Piece(chunk, self.position)


def open_reader(file: TelemetryFile, position: int, head: int = 0) -> ChunkReader | None:
    """Return a reader of a file, under its new name if it was closed meanwhile; ``None`` if it is gone.

    Raises:
        OSError: it is there and can't be read.
    """
    handle = _open(file)
    if handle is None:
        return None
    try:
        return ChunkReader(file, position, head, handle)
    except BaseException:
        handle.close()
        raise


def read_chunks(file: TelemetryFile, position: int, *, size: int = CHUNK_BYTES) -> Iterator[Piece]:
    """Yield the complete lines of a file in chunks; a file that has gone has none."""
    reader = open_reader(file, position)
    if reader is None:
        return
    try:
        while piece := reader.read(size):
            yield piece
    finally:
        reader.close()


def find_line(file: TelemetryFile, position: int) -> bytes | None:
    """Return what the first complete line after a position begins with; ``None`` when there is none.

    Raises:
        OSError: the file is there and can't be read.
    """
    reader = open_reader(file, position)
    if reader is None:
        return None
    try:
        piece = reader.read(_KEPT_BYTES)
    finally:
        reader.close()
    return piece.chunk.body[:_KEPT_BYTES] if piece else None


def _open(file: TelemetryFile) -> BinaryIO | None:
    for candidate in list_names(file.path):
        try:
            return candidate.open("rb", buffering=0)
        except FileNotFoundError:
            continue
    return None


def _check_head(handle: BinaryIO, *, lines: bool) -> int:
    """Return a checksum of what a file begins with, as far as growing can't change it; 0 while that is too little."""
    head = handle.read(_HEAD_BYTES)
    handle.seek(0)
    end = head.find(b"\n") + 1 if lines else 0
    return zlib.crc32(head[: end or None]) if end or len(head) == _HEAD_BYTES else 0
