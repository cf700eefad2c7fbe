"""The engine's sessions: opened once, never closed, one for each query that runs.

Opening and closing chDB sessions leaks descriptors and threads, and a second query on a session waits for the first
or ends its stream. So there is a fixed number of them: some for reading, which can't do anything else any more
(``readonly = 1`` can't be unset), one for writing, which puts all changes in a row, and one that is kept for looking
at queries and ending them.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .statements import DATABASE

logger = logging.getLogger(__name__)

READERS = 6
QUEUE_LENGTH = 64
QUEUE_SECONDS = 60.0

_CODE = re.compile(r"Code: (\d+)\.")
_REPEATED = re.compile(r"^(?:Streaming query failed: |Code: \d+\. |DB::Exception: )+")
_ENGINE = re.compile(r"(?: \(version [\d.]+\)\.?)+(?: \([A-Z_]+\))?\s*$")
_OF_PARSING = re.compile(r":? ?In scope SELECT formatQuerySingleLine\(.*\)(?=\. \([A-Z_]+\))", re.DOTALL)
_TOO_MANY_QUERIES = 202
_CANCELLED = 394
_LOOK_SECONDS = 0.1
_LONG_WAIT_SECONDS = 1.0
_UNKNOWN = 1002

_READER_SETTINGS = {
    # With many small parts, reading in the order of the key opens them all; finding the rows first is quicker.
    "optimize_read_in_order": "0",
    "max_block_size": "4096",
}
_WRITER_SETTINGS = {
    "async_insert": "0",
    # A chunk has to go through the views as one block: nothing may cut it.
    "max_insert_threads": "1",
    "max_block_size": "100000000",
    "min_insert_block_size_rows": "100000000",
    "min_insert_block_size_bytes": "4000000000",
    "max_joined_block_size_rows": "100000000",
    "max_partitions_per_insert_block": "0",
    # The views leave out what is doubled; merging a chunk with itself would cost as much as sorting it.
    "optimize_on_insert": "0",
    "compile_expressions": "0",  # a new plan for every insert: compiling it never pays
    # A part that gets no room while it is written is taken into use all the same: see to it that there is some.
    "min_free_disk_bytes_to_perform_insert": "33554432",
    "mutations_sync": "1",
    "input_format_native_allow_types_conversion": "0",
}


class EngineError(Exception):
    """Raised when chDB refuses or fails a statement; ``code`` is ClickHouse's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Column:
    """Name and type of a column of a result."""

    name: str
    type: str


class Session:
    """One chDB session. Not for two threads at once: the pool sees to that."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, sql: str, *, format: str = "TSV", parameters: Mapping[str, str] | None = None) -> bytes:
        """Run a statement to its end and return its whole output."""
        with translate_errors():
            return bytes(self._connection.query(sql, format, params=dict(parameters or {})).bytes())

    def stream(self, sql: str, parameters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """Run a query and yield its result block by block, each in Native format."""
        with translate_errors():
            result = self._connection.send_query(sql, "Native", params=dict(parameters or {}))
        try:
            while (data := _fetch(result)) is not None:
                if data:
                    yield data
                # Not kept while the next one is made: a block may have a hundred megabytes.
                del data
        finally:
            with translate_errors():
                result.close()

    def set(self, settings: Mapping[str, str]) -> None:
        """Change settings of this session."""
        for name, value in settings.items():
            self.run(f"SET {_check_name(name)} = {quote(value)}")


class Pool:
    """All sessions of the engine.

    Parameters:
        folder: where chDB keeps its data.
        options: settings of the engine as a whole, by ClickHouse's names.
        limits: settings of every session, by ClickHouse's names.
    """

    def __init__(self, folder: Path, options: Mapping[str, str], limits: Mapping[str, str]) -> None:
        self.control, self._writer, *readers = (_open(folder, options) for _ in range(READERS + 2))
        self.control.run(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        for session in (self.control, self._writer, *readers):
            session.run(f"USE {DATABASE}")
        # This database shows every file of the machine as a table. It is made again at each start.
        self.control.run("DROP DATABASE IF EXISTS default")
        self._writer.set({**limits, **_WRITER_SETTINGS})
        for reader in readers:
            reader.set({**limits, **_READER_SETTINGS, "readonly": "1"})
        self._readers: queue.LifoQueue[Session] = queue.LifoQueue()
        for reader in readers:
            self._readers.put(reader)
        self._waiting = threading.BoundedSemaphore(QUEUE_LENGTH)
        self._writer_lock = threading.Lock()
        self._control_lock = threading.Lock()

    @contextmanager
    def read(self, is_over: Callable[[], bool] = lambda: False) -> Iterator[Session]:
        """Lend a session that can only read; wait for one if all are busy.

        Parameters:
            is_over: says whether nobody waits any more.

        Raises:
            EngineError: too many queries wait already, none of those that run ended in time, or nobody waits any more.
        """
        session = self._wait(is_over)
        try:
            yield session
        finally:
            self._readers.put(session)

    def _wait(self, is_over: Callable[[], bool]) -> Session:
        if not self._waiting.acquire(blocking=False):
            raise EngineError(
                _TOO_MANY_QUERIES, f"{READERS} queries are running and {QUEUE_LENGTH} waiting already; try again later."
            )
        began = time.monotonic()
        try:
            while (waited := time.monotonic() - began) < QUEUE_SECONDS:
                try:
                    session = self._readers.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    if is_over():
                        raise EngineError(_CANCELLED, "Nobody waits for it any more.") from None
                    continue
                if waited > _LONG_WAIT_SECONDS:
                    logger.info("A query waited %.1f s for one of %s sessions.", waited, READERS)
                return session
        finally:
            self._waiting.release()
        raise EngineError(
            _TOO_MANY_QUERIES, f"{READERS} queries are running, and none ended within {QUEUE_SECONDS:.0f} s."
        )

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Lend the one session that changes things."""
        if not self._writer_lock.acquire(timeout=QUEUE_SECONDS * 5):
            raise EngineError(_TOO_MANY_QUERIES, "Another change has been running for too long.")
        try:
            yield self._writer
        finally:
            self._writer_lock.release()

    def parse(self, sql: str) -> str:
        """Return a statement as ClickHouse prints it; `EngineError` when it isn't exactly one statement."""
        with self._control_lock:
            try:
                output = self.control.run(
                    "SELECT formatQuerySingleLine({sql:String})",
                    format="RawBLOB",
                    parameters={"sql": escape_parameter(sql)},
                )
            except EngineError as exc:
                raise EngineError(exc.code, _OF_PARSING.sub("", exc.message)) from exc
        return output.decode("utf-8", errors="replace")

    def list_table_functions(self) -> list[str]:
        """Return the names of all table functions that this engine has."""
        with self._control_lock:
            return self.control.run("SELECT name FROM system.table_functions").decode().split()

    def kill(self, mark: str) -> None:
        """End the query that carries a mark in its text; none may be left to end."""
        with self._control_lock:
            self.control.run(
                f"KILL QUERY WHERE position(query, {quote(mark)}) > 0 AND query_id != queryID() ASYNC", format="Null"
            )


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise `EngineError` for what chDB raises."""
    try:
        yield
    except UnicodeDecodeError as exc:  # a message with bytes of somebody's data in it
        raise _make_error(bytes(exc.object).decode("utf-8", errors="replace")) from exc
    except RuntimeError as exc:  # ChdbError too
        raise _make_error(str(exc)) from exc


def escape_parameter(value: str) -> str:
    """Return a text as the value of a ``{name:String}`` parameter."""
    table = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"}
    return "".join(table.get(char, char) for char in value)


def quote(value: str) -> str:
    """Return a text as a string in SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fetch(result: Any) -> bytes | None:
    with translate_errors():
        block = result.fetch()
        return bytes(block.bytes()) if block is not None else None


def _open(folder: Path, options: Mapping[str, str]) -> Session:
    from chdb.state.sqlitelike import Connection

    arguments = "&".join(f"{name}={value}" for name, value in options.items())
    with translate_errors():
        return Session(Connection(f"{folder}?{arguments}" if arguments else str(folder)))


def _make_error(message: str) -> EngineError:
    # chDB puts the code before the text, more than once where an exception passed through several hands.
    match = _CODE.search(message)
    return EngineError(int(match[1]) if match else _UNKNOWN, _ENGINE.sub("", _REPEATED.sub("", message)))


def _check_name(name: str) -> str:
    if not re.fullmatch(r"\w+", name):
        raise EngineError(115, f"There is no setting {name!r}.")
    return name
