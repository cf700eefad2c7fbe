"""What stands in data packets: blocks in Native format behind a short head."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from .protocol import ProtocolError, Reader, ServerPacket, encode_text, encode_varint

_WITH_BLOCK_INFO = 51903


def encode_block_head(revision: int) -> bytes:
    """Return what stands before a block in Native format to make it a data packet."""
    info = encode_varint(1) + b"\0" + encode_varint(2) + struct.pack("<i", -1) + encode_varint(0)
    return encode_varint(ServerPacket.DATA) + encode_text("") + (info if revision >= _WITH_BLOCK_INFO else b"")


def encode_empty_block(columns: Sequence[tuple[str, str]]) -> bytes:
    """Return a block without rows, in Native format: it tells a client the names and types of what follows."""
    parts = [encode_varint(len(columns)), encode_varint(0)]
    parts += [encode_text(name) + encode_text(kind) for name, kind in columns]
    return b"".join(parts)


def encode_text_block(columns: Mapping[str, Sequence[str]]) -> bytes:
    """Return a block of columns of text, by their names."""
    rows = max(map(len, columns.values()))
    parts = [encode_varint(len(columns)), encode_varint(rows)]
    for name, values in columns.items():
        parts += [encode_text(name), encode_text("String"), *map(encode_text, values)]
    return b"".join(parts)


def copy_block(reader: Reader, revision: int, write: Callable[[bytes], object]) -> int:
    """Pass one data packet, whose kind has been read already, on in Native format; return its number of rows.

    An empty block, which ends the data, is not passed on and counts 0 rows.

    Raises:
        ProtocolError: a column has a type whose size can't be told.
    """
    if reader.text():
        raise ProtocolError("External tables are not supported.")
    if revision >= _WITH_BLOCK_INFO:
        while number := reader.varint():
            reader.raw(1 if number == 1 else 4)
    columns, rows = reader.varint(), reader.varint()
    if not columns:
        return 0
    write(encode_varint(columns) + encode_varint(rows))
    for _ in range(columns):
        name, kind = reader.text(), reader.text()
        write(encode_text(name) + encode_text(kind))
        _copy_column(reader, kind, rows, write)
    return rows


_WIDTHS = {
    **{f"{sign}Int{bits}": bits // 8 for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256)},
    "Float32": 4,
    "Float64": 8,
    "Bool": 1,
    "Date": 2,
    "Date32": 4,
    "DateTime": 4,
    "DateTime64": 8,
    "UUID": 16,
}


def _copy_column(reader: Reader, kind: str, rows: int, write: Callable[[bytes], object]) -> None:
    if kind == "String":
        for _ in range(rows):
            length = reader.varint()
            write(encode_varint(length))
            reader.copy(length, write)
    elif kind.startswith("Nullable("):
        reader.copy(rows, write)
        _copy_column(reader, kind[len("Nullable(") : -1], rows, write)
    elif (width := _WIDTHS.get(kind.split("(", 1)[0])) is not None:
        reader.copy(rows * width, write)
    else:
        raise ProtocolError(f"A column of type {kind} can't be inserted here; use String, numbers, dates or Nullable.")
