"""One client: who it is, and what it asks, one query after the other."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, cast

from .blocks import copy_block, encode_block_head, encode_empty_block, encode_text_block
from .insertion import Insertion
from .planning import Plan, Planner
from .protocol import (
    REVISION,
    ClientPacket,
    ProtocolError,
    Query,
    Reader,
    ServerPacket,
    encode_exception,
    encode_hello,
    encode_packet,
    read_hello,
    read_query,
)
from .sessions import Column, EngineError, Pool, Session
from .settings import COLUMNS_BY_TEXT, changed_settings, refuse_settings, take_parameters
from .statements import DATABASE, Insert, Kind, Refused, find_killed, keeps_columns, parse_insert
from .watch import Ended, Running, Watch

logger = logging.getLogger(__name__)

OWNER = "admin"
READER = "reader"

IO_SECONDS = 300.0

_READONLY = 164
_TIMEOUT = 159
_NOT_IMPLEMENTED = 48
_UNKNOWN_DATABASE = 81
_WRONG_PASSWORD = 516
_CANCELLED = 394
_REFUSED = 497


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
            raise ProtocolError(
                "Compression is not supported: connect with compression=False, or --compression 0 of clickhouse-client."
            )
        if self._reader.varint() != ClientPacket.DATA:
            raise ProtocolError("A query must be followed by the end of its external tables.")
        if copy_block(self._reader, self._revision, lambda _: None):
            raise ProtocolError("External tables are not supported.")
        try:
            self._execute(query)
        except Refused as exc:
            self._socket.sendall(encode_exception(_REFUSED, str(exc)))
        except EngineError as exc:
            self._socket.sendall(encode_exception(exc.code, exc.message))
        else:
            self._socket.sendall(encode_packet(ServerPacket.END_OF_STREAM))

    def _execute(self, query: Query) -> None:
        plan = self._engine.planner.plan(query.sql)
        if plan.kind in {Kind.INSERT, Kind.CHANGE} and self._user != OWNER:
            raise EngineError(_READONLY, f"{self._user}: Cannot execute query in readonly mode.")
        if insert := parse_insert(query.sql):
            self._insert(query, insert)
        elif plan.kind is Kind.CHANGE:
            self._change(query, plan)
        elif plan.kind is Kind.KILL:
            self._kill(plan)
        else:
            self._select(query, plan)

    def _select(self, query: Query, plan: Plan) -> None:
        parameters = take_parameters(query.settings)
        refuse_settings(query.settings)
        with self._watched(query) as running, self._engine.pool.read(lambda: running.ended is not None) as session:
            if plan.kind is Kind.SELECT:
                by_text = query.settings.get(COLUMNS_BY_TEXT) == "1"
                columns = self._engine.planner.describe(session, plan, parameters, by_text=by_text)
                blocks = session.stream(f"/* {running.mark} */ {plan.sql}", parameters)
            else:
                columns = _describe_by_running(session, plan.sql)
                blocks = iter([data] if (data := session.run(plan.sql, format="Native")) else [])
            head = encode_block_head(self._revision)
            self._socket.sendall(head + encode_empty_block([(column.name, column.type) for column in columns]))
            for block in blocks:
                self._socket.sendall(head)
                self._socket.sendall(block)
                del block  # not kept while the next one is made

    @contextmanager
    def _watched(self, query: Query) -> Iterator[Running]:
        seconds = float(query.settings.get("max_execution_time") or 0)
        mark = secrets.token_hex(12)
        with self._engine.watch.watch(mark, self._socket, seconds or None, query.id) as running:
            try:
                yield running
            except EngineError as exc:
                if exc.code != _CANCELLED or running.ended is None:
                    raise EngineError(exc.code, exc.message.replace(f"/* {mark} */ ", "")) from exc
                if running.ended is Ended.TIMEOUT:
                    raise EngineError(_TIMEOUT, f"Timeout exceeded: the query ran for {seconds:g} seconds.") from exc
                if running.ended is Ended.KILLED:
                    raise EngineError(_CANCELLED, "The query was ended by KILL QUERY.") from exc
                # Who gave up, or has gone, gets the end of the result, as from a server.

    def _kill(self, plan: Plan) -> None:
        query_id = find_killed(plan.canonical)
        marks = self._engine.watch.end(query_id)
        columns = {"kill_status": ["waiting"] * len(marks), "query_id": [query_id] * len(marks)}
        head = encode_block_head(self._revision)
        self._socket.sendall(head + encode_empty_block([(name, "String") for name in columns]))
        if marks:
            self._socket.sendall(head + encode_text_block(columns))

    def _insert(self, query: Query, insert: Insert) -> None:
        insertion = Insertion(self._engine.pool, insert, query.settings)
        self._socket.sendall(insertion.encode_sample(self._revision))
        insertion.receive(self._reader, self._revision)

    def _change(self, query: Query, plan: Plan) -> None:
        with self._engine.pool.write() as session, changed_settings(session, query.settings):
            try:
                session.run(query.sql, format="Null")
            finally:
                if not keeps_columns(plan.canonical):
                    self._engine.planner.forget()

    def _try_to_say(self, exc: ProtocolError) -> None:
        logger.info("A client was turned away: %s", exc)
        try:
            self._socket.sendall(encode_exception(_NOT_IMPLEMENTED, str(exc)))
        except OSError as error:
            logger.debug("It could not be told: %s", error)

    def _read_exactly(self, n: int) -> bytes:
        data = self._file.read(n)
        if len(data) < n:
            raise EOFError("The client hung up.")
        return data


def _describe_by_running(session: Session, sql: str) -> list[Column]:
    output = session.run(sql, format="JSONCompactEachRowWithNamesAndTypes").decode("utf-8", errors="replace")
    lines = output.splitlines()
    if len(lines) < 2:
        return []
    return [Column(name, kind) for name, kind in zip(json.loads(lines[0]), json.loads(lines[1]), strict=True)]
