"""An insert: the blocks of a client become one block of the engine, and that goes into the table whole or not at all.

chDB's own streaming insert says "written" also when a view, a limit or the disk failed; a query that reads a file of
blocks doesn't. So the blocks are gathered first: in memory while they are small, in a file from there on.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import IO, cast

from .blocks import copy_block, encode_block_head, encode_empty_block
from .protocol import ClientPacket, ProtocolError, Reader
from .sessions import Column, EngineError, Pool, quote
from .settings import changed_settings
from .statements import Insert

MEMORY_BYTES = 64 * 1024 * 1024
"""An insert up to this size is gathered in memory, a larger one in a file of the engine's own folder."""

MAX_BYTES = 256 * 1024 * 1024
"""No insert is larger: as one block it would not fit into the engine's memory, many times over."""

_TOO_LARGE = 241
_NO_SUCH_COLUMN = 16


class Insertion:
    """One insert whose data follows in blocks.

    Parameters:
        pool: the engine's sessions.
        insert: where to, as the statement says.
        settings: of ClickHouse, for this insert alone.
    """

    def __init__(self, pool: Pool, insert: Insert, settings: Mapping[str, str]) -> None:
        self._pool, self._insert, self._settings = pool, insert, settings
        self._columns = _describe(pool, insert)

    def encode_sample(self, revision: int) -> bytes:
        """Return the empty block that tells the client which columns are wanted."""
        return encode_block_head(revision) + encode_empty_block([(each.name, each.type) for each in self._columns])

    def receive(self, reader: Reader, revision: int) -> None:
        """Read blocks up to the empty one, and store them.

        Raises:
            EngineError: they can't be stored; all of them have been read, and none is stored.
            ProtocolError: what came is no block; nothing is stored.
        """
        with _Spool() as spool:
            while _read_block(reader, revision, spool):
                pass
            if spool.size > MAX_BYTES:
                raise EngineError(
                    _TOO_LARGE, f"The insert has {spool.size} bytes; at most {MAX_BYTES} fit: send several."
                )
            if spool.size:
                self._store(spool)

    def _store(self, spool: _Spool) -> None:
        names = ", ".join(f"`{column.name}`" for column in self._columns)
        structure = quote(", ".join(f"`{column.name}` {column.type}" for column in self._columns))
        source = f"file({quote(spool.find_path())}, 'Native', {structure})"
        with self._pool.write() as session, changed_settings(session, self._settings):
            session.run(f"INSERT INTO {self._insert.table} ({names}) SELECT {names} FROM {source}", format="Null")


class _Spool:
    """Bytes that wait to be stored. What is over the limit is counted and forgotten."""

    def __init__(self) -> None:
        self.size = 0
        self._file = _open_memory()

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > MAX_BYTES:
            return
        if self.size > MEMORY_BYTES >= self.size - len(data):
            self._move()
        self._file.write(data)

    def find_path(self) -> str:
        self._file.flush()
        descriptor = f"/proc/self/fd/{self._file.fileno()}"
        return descriptor if os.path.exists(descriptor) else str(self._file.name)

    def _move(self) -> None:
        with self._file as memory:
            self._file = cast("IO[bytes]", tempfile.NamedTemporaryFile("w+b"))  # noqa: SIM115 - __exit__ closes it
            memory.seek(0)
            while piece := memory.read(1 << 20):
                self._file.write(piece)

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


def _open_memory() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("insert", os.MFD_CLOEXEC), "w+b")
    return cast("IO[bytes]", tempfile.NamedTemporaryFile("w+b"))


def _read_block(reader: Reader, revision: int, spool: _Spool) -> int:
    if reader.varint() != ClientPacket.DATA:
        raise ProtocolError("The data of an insert must end with an empty block.")
    return copy_block(reader, revision, spool.write)


def _describe(pool: Pool, insert: Insert) -> list[Column]:
    with pool.read() as session:
        output = session.run(f"DESCRIBE TABLE {insert.table}", format="JSONCompactEachRow").decode()
    found = {row[0]: _find_sent_type(row[1]) for row in map(json.loads, output.splitlines())}
    missing = [name for name in insert.columns if name not in found]
    if missing:
        raise EngineError(_NO_SUCH_COLUMN, f"No such column {missing[0]} in table {insert.table}.")
    return [Column(name, found[name]) for name in insert.columns or found]


def _find_sent_type(kind: str) -> str:
    # Sent as what is inside: blocks of a dictionary can't be passed on without reading them. ClickHouse casts.
    inside = kind.removeprefix("LowCardinality(")
    return inside.removesuffix(")") if inside != kind else kind
