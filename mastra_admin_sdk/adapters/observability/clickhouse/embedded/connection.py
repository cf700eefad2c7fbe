"""One client: who it is, and what it asks, one query after the other."""

from __future__ import annotations

import hmac
import json
import logging
import os
import re
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, cast

from .planning import Plan, Planner
from .protocol import (
    REVISION,
    ClientPacket,
    ProtocolError,
    Query,
    Reader,
    ServerPacket,
    copy_block,
    encode_block_head,
    encode_empty_block,
    encode_exception,
    encode_hello,
    encode_packet,
    read_hello,
    read_query,
)
from .sessions import Column, EngineError, Pool, Session, quote
from .statements import DATABASE, Insert, Kind, Refused, parse_insert
from .watch import Ended, Running, Watch

logger = logging.getLogger(__name__)

OWNER = "admin"
READER = "reader"

IO_SECONDS = 300.0
MAX_INSERT_BYTES = 1 << 30

_READONLY = 164
_TIMEOUT = 159
_NOT_IMPLEMENTED = 48
_UNKNOWN_DATABASE = 81
_WRONG_PASSWORD = 516
_CANCELLED = 394
_REFUSED = 497

COLUMNS_BY_TEXT = "columns_by_text"
"""Setting by which a client promises that values of parameters don't change the types of its query's columns."""

_KNOWN_SETTINGS = frozenset({"readonly", "max_execution_time", COLUMNS_BY_TEXT})


Busy = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Engine:
    """What all connections share."""

    pool: Pool
    planner: Planner
    watch: Watch
    version: tuple[int, int, int]
    passwords: Mapping[str, str]


class Connection:
    """Serves one client until it hangs up.

    Parameters:
        sock: a connected socket; closing it is the caller's.
        engine: what all connections share.
        busy: entered while a query is being answered.
    """

    def __init__(self, sock: socket.socket, engine: Engine, *, busy: Busy) -> None:
        self._socket, self._engine, self._busy = sock, engine, busy
        self._file = cast("IO[bytes]", sock.makefile("rb", buffering=1 << 18))
        self._reader = Reader(self._read_exactly)
        self._revision = REVISION
        self._user = ""

    def serve(self) -> None:
        """Answer packets until the client hangs up or stops making sense."""
        try:
            self._socket.settimeout(IO_SECONDS)
            if self._greet():
                while (packet := self._next_packet()) is not None:
                    self._answer(packet)
        except ProtocolError as exc:
            self._try_to_say(exc)
        except (EOFError, OSError) as exc:
            logger.debug("A connection ended: %s", exc)
        finally:
            self._file.close()

    def _greet(self) -> bool:
        if self._reader.varint() != ClientPacket.HELLO:
            raise ProtocolError("This is not a client of the native protocol.")
        hello = read_hello(self._reader)
        expected = self._engine.passwords.get(hello.user)
        # Compared as bytes, and also for an unknown user, so that the time says nothing.
        is_known = hmac.compare_digest(hello.password.encode(), (expected or secrets.token_hex()).encode())
        if expected is None or not is_known:
            self._socket.sendall(encode_exception(_WRONG_PASSWORD, "Authentication failed: wrong user or password."))
            return False
        if hello.database not in {"", DATABASE}:
            self._socket.sendall(
                encode_exception(_UNKNOWN_DATABASE, f"There is no database {hello.database!r}; use {DATABASE!r}.")
            )
            return False
        self._user, self._revision = hello.user, min(hello.revision, REVISION)
        self._socket.sendall(encode_hello(self._revision, self._engine.version))
        return True

    def _next_packet(self) -> int | None:
        # Between two queries a client may be silent as long as it likes.
        self._socket.settimeout(None)
        first = self._file.read(1)
        self._socket.settimeout(IO_SECONDS)
        return first[0] if first else None

    def _answer(self, packet: int) -> None:
        if packet == ClientPacket.PING:
            self._socket.sendall(encode_packet(ServerPacket.PONG))
        elif packet == ClientPacket.QUERY:
            with self._busy():
                self._run(read_query(self._reader, self._revision))
        elif packet != ClientPacket.CANCEL:  # one that came when its query had ended already
            raise ProtocolError(f"The packet {packet} is not supported.")

    def _run(self, query: Query) -> None:
        if query.is_compressed:
            raise ProtocolError("Compression is not supported: connect with compression=False.")
        if self._reader.varint() != ClientPacket.DATA:
            raise ProtocolError("A query must be followed by the end of its external tables.")
        if copy_block(self._reader, self._revision, lambda _: None):
            raise ProtocolError("External tables are not supported.")
        try:
            self._execute(query)
        except Refused as exc:
            self._socket.sendall(encode_exception(_REFUSED, f"Code: {_REFUSED}. {exc}"))
        except EngineError as exc:
            self._socket.sendall(encode_exception(exc.code, exc.message))
        else:
            self._socket.sendall(encode_packet(ServerPacket.END_OF_STREAM))

    def _execute(self, query: Query) -> None:
        plan = self._engine.planner.plan(query.sql)
        if plan.kind in {Kind.INSERT, Kind.CHANGE} and self._user != OWNER:
            raise EngineError(_READONLY, f"Code: {_READONLY}. {self._user}: Cannot execute query in readonly mode.")
        if insert := parse_insert(query.sql):
            self._insert(insert)
        elif plan.kind is Kind.CHANGE:
            self._change(query)
        else:
            self._select(query, plan)

    def _select(self, query: Query, plan: Plan) -> None:
        parameters = _take_parameters(query.settings)
        _refuse_settings(query.settings)
        seconds = float(query.settings.get("max_execution_time") or 0)
        with self._watched(seconds or None) as running, self._engine.pool.read() as session:
            if plan.kind is Kind.SELECT:
                by_text = query.settings.get(COLUMNS_BY_TEXT) == "1"
                columns = self._engine.planner.describe(session, plan, parameters, by_text=by_text)
                blocks = session.stream(f"/* {running.mark} */ {query.sql}", parameters)
            else:
                columns = _describe_by_running(session, query.sql)
                blocks = iter([data] if (data := session.run(query.sql, format="Native")) else [])
            head = encode_block_head(self._revision)
            self._socket.sendall(head + encode_empty_block([(column.name, column.type) for column in columns]))
            for block in blocks:
                self._socket.sendall(head)
                self._socket.sendall(block)
                del block  # not kept while the next one is made

    @contextmanager
    def _watched(self, seconds: float | None) -> Iterator[Running]:
        mark = secrets.token_hex(12)
        with self._engine.watch.watch(mark, self._socket, seconds) as running:
            try:
                yield running
            except EngineError as exc:
                if exc.code != _CANCELLED or running.ended is None:
                    raise
                if running.ended is Ended.TIMEOUT:
                    raise EngineError(
                        _TIMEOUT, f"Code: {_TIMEOUT}. Timeout exceeded: the query ran for {seconds:g} seconds."
                    ) from exc

    def _insert(self, insert: Insert) -> None:
        columns = self._describe_target(insert)
        head = encode_block_head(self._revision)
        self._socket.sendall(head + encode_empty_block([(column.name, column.type) for column in columns]))
        names = ", ".join(f"`{column.name}`" for column in columns)
        structure = quote(", ".join(f"`{column.name}` {column.type}" for column in columns))
        # chDB's own streaming insert says "written" also when a view, a limit or the disk failed; a query doesn't.
        with _open_spool() as spool:
            self._receive(spool)
            if not spool.tell():
                return
            spool.flush()
            path = f"/proc/self/fd/{spool.fileno()}" if os.path.isdir("/proc/self/fd") else spool.name
            source = f"file({quote(str(path))}, 'Native', {structure})"
            with self._engine.pool.write() as session:
                session.run(f"INSERT INTO {insert.table} ({names}) SELECT {names} FROM {source}", format="Null")

    def _receive(self, spool: IO[bytes]) -> None:
        while True:
            if self._reader.varint() != ClientPacket.DATA:
                raise ProtocolError("The data of an insert must end with an empty block.")
            if not copy_block(self._reader, self._revision, spool.write):
                return
            if spool.tell() > MAX_INSERT_BYTES:
                raise ProtocolError(f"An insert may have at most {MAX_INSERT_BYTES} bytes; send several.")

    def _describe_target(self, insert: Insert) -> list[Column]:
        with self._engine.pool.read() as session:
            output = session.run(f"DESCRIBE TABLE {insert.table}", format="JSONCompactEachRow").decode()
        found = {row[0]: row[1] for row in map(json.loads, output.splitlines())}
        missing = [name for name in insert.columns if name not in found]
        if missing:
            raise EngineError(16, f"Code: 16. No such column {missing[0]} in table {insert.table}.")
        return [Column(name, found[name]) for name in insert.columns or found]

    def _change(self, query: Query) -> None:
        parameters = _take_parameters(query.settings)
        known = {*_KNOWN_SETTINGS, *(f"param_{name}" for name in parameters)}
        settings = {name: value for name, value in query.settings.items() if name not in known}
        with self._engine.pool.write() as session:
            before = _read_settings(session, settings)
            try:
                session.set(settings)
                session.run(query.sql, format="Null", parameters=parameters)
                self._engine.planner.forget()
            finally:
                session.set(before)

    def _try_to_say(self, exc: ProtocolError) -> None:
        logger.info("A client was turned away: %s", exc)
        try:
            self._socket.sendall(encode_exception(_NOT_IMPLEMENTED, f"Code: {_NOT_IMPLEMENTED}. {exc}"))
        except OSError as error:
            logger.debug("It could not be told: %s", error)

    def _read_exactly(self, n: int) -> bytes:
        data = self._file.read(n)
        if len(data) < n:
            raise EOFError("The client hung up.")
        return data


def _take_parameters(settings: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix("param_"): value for name, value in settings.items() if name.startswith("param_")}


def _refuse_settings(settings: Mapping[str, str]) -> None:
    refused = [name for name in settings if name not in _KNOWN_SETTINGS and not name.startswith("param_")]
    if refused:
        names = ", ".join(sorted(refused))
        raise EngineError(_READONLY, f"Code: {_READONLY}. Cannot modify {names} in readonly mode.")


def _describe_by_running(session: Session, sql: str) -> list[Column]:
    output = session.run(sql, format="JSONCompactEachRowWithNamesAndTypes").decode("utf-8", errors="replace")
    lines = output.splitlines()
    if len(lines) < 2:
        return []
    return [Column(name, kind) for name, kind in zip(json.loads(lines[0]), json.loads(lines[1]), strict=True)]


def _read_settings(session: Session, names: Mapping[str, str]) -> dict[str, str]:
    wanted = [name for name in names if re.fullmatch(r"\w+", name)]
    if not wanted:
        return {}
    values = session.run(f"SELECT {', '.join(f'toString(getSetting({quote(name)}))' for name in wanted)}")
    return dict(zip(wanted, values.decode().rstrip("\n").split("\t"), strict=True))


@contextmanager
def _open_spool() -> Iterator[IO[bytes]]:
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("insert", os.MFD_CLOEXEC), "w+b") as memory:
            yield memory
    else:
        with tempfile.NamedTemporaryFile("w+b") as file:
            yield file
