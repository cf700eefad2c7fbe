"""Gzip that is read while it may still be copied, and may be torn or broken: all that can be had of it."""

from __future__ import annotations

import zlib
from typing import BinaryIO

_BLOCK = 16 * 1024


class GzipStream:
    """What is in a gzip file: one member after the other, decompressed no further than is asked for.

    ``torn`` is set when it ended within a member, as half a copy does; ``broken`` says why the rest can't be read.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._inflater: zlib._Decompress | None = None
        self._input = b""
        self.torn = False
        self.broken = ""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; fewer only at the end, or where it is torn or broken."""
        found: list[bytes] = []
        while size > 0 and not self.broken and self._begin_member():
            if not (data := self._input or self._raw.read(_BLOCK)):
                self.torn = True
                break
            found.append(self._inflate(data, size))
            size -= len(found[-1])
        return b"".join(found)

    def skip(self, size: int) -> int:
        """Read over so many bytes; return how many there were."""
        skipped = 0
        while skipped < size and (data := self.read(min(1 << 20, size - skipped))):
            skipped += len(data)
        return skipped

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _begin_member(self) -> bool:
        """Be inside of a member; False when there is no further one."""
        if self._inflater is not None:
            return True
        self._input = self._input or self._raw.read(_BLOCK)
        while self._input and not (stripped := self._input.lstrip(b"\0")):  # padding, as tapes and disks have it
            self._input = stripped or self._raw.read(_BLOCK)
        self._input = self._input.lstrip(b"\0")
        if not self._input:
            return False
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return True

    def _inflate(self, data: bytes, size: int) -> bytes:
        assert self._inflater is not None
        before = self._inflater.copy()
        try:
            found = self._inflater.decompress(data, size)
        except zlib.error as exc:
            self.broken = str(exc).rpartition(": ")[2]
            return _inflate_up_to_error(before, data, size)
        if self._inflater.eof:
            self._input, self._inflater = self._inflater.unused_data, None
        else:
            self._input = self._inflater.unconsumed_tail
        return found


def _inflate_up_to_error(inflater: zlib._Decompress, data: bytes, size: int) -> bytes:
    """Byte by byte, as zlib returns nothing of the piece that has the error in it."""
    found: list[bytes] = []
    for index in range(len(data)):
        try:
            found.append(inflater.decompress(data[index : index + 1], size))
        except zlib.error:
            break
        size -= len(found[-1])
        if size <= 0:
            break
    return b"".join(found)
