"""Connections and transactions: how work reaches SQLite and PostgreSQL, and how their failures come back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, literal
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql import ColumnElement

from mastra_admin_sdk.errors import ForkedProcess, StorageError
from mastra_admin_sdk.models import utc_now
from mastra_admin_sdk.redaction import Redactor

from .columns import UtcTime, later_text
from .failures import is_deadlock, translate

T = TypeVar("T")

BUSY_SECONDS = 30
_LOCK_CLASS = 0x6D617374  # "mast": keeps our advisory locks apart from those of others in the same database
_TRIES = 5
_WRITES = "mastra_admin_writes"


@dataclass(slots=True)
class Database:
    """One database: runs work in transactions, in the process that opened it and no other.

    Parameters:
        engine: what connects; on PostgreSQL its ``schema_translate_map`` names the schema.
        words: the database for people, without password.
        schema: PostgreSQL's schema, ``None`` on SQLite.
        owned: whether `close` disposes of the engine.
    """

    engine: Engine
    words: str
    schema: str | None = None
    owned: bool = True
    redactor: Redactor = field(default_factory=Redactor)
    pid: int = field(default_factory=os.getpid)
    closed: bool = False

    @property
    def is_postgres(self) -> bool:
        """True on PostgreSQL, False on SQLite."""
        return self.schema is not None

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run work that only reads, in one transaction."""
        return self._run(work, writes=False)

    def write(self, work: Callable[[Connection], T], *, conflict: str = "", missing: str = "") -> T:
        """Run work that writes, in one transaction, and again when the database broke a deadlock.

        ``conflict`` and ``missing`` are the messages for a broken rule of uniqueness and for an unknown parent.
        """
        return self._run(work, writes=True, conflict=conflict, missing=missing)

    def run_alone(self, statement: str) -> Any:
        """Run one statement outside any transaction and return the first value of its answer."""
        self.check()
        try:
            with self.engine.connect() as connection:
                connection.execution_options(**{_WRITES: None})
                return connection.exec_driver_sql(statement).scalar()
        except SQLAlchemyError as exc:
            raise translate(exc, self.words, self.redactor) from exc

    def check(self) -> None:
        """Raise `ForkedProcess` in a fork of the process that opened it, `StorageError` once it is closed."""
        self._check_process()
        if self.closed:
            raise StorageError(f"{self.words} is closed.", hint="Open a new storage object.")

    def close(self) -> None:
        """Close the connections, unless the engine is the caller's."""
        self._check_process()
        if self.owned and not self.closed:
            self.engine.dispose()
        self.closed = True

    def lock(self, connection: Connection, name: str) -> None:
        """Let one transaction at a time pass, until it ends. SQLite's writers are alone anyway."""
        if self.is_postgres:
            key = func.hashtext(f"{self.schema}/{name}")
            connection.execute(func.pg_advisory_xact_lock(_LOCK_CLASS, key).select())

    def clock(self, seconds: float = 0.0) -> ColumnElement[Any]:
        """Return an expression for the time in so many seconds, by the one clock that all users of a database share.

        On PostgreSQL that is the server's, read when the row is (``now()`` stands still while a transaction waits
        for a lock); on SQLite the host's.
        """
        if not self.is_postgres:
            return _literal_time(seconds)
        return func.clock_timestamp(type_=UtcTime()) + func.make_interval(0, 0, 0, 0, 0, 0, float(seconds))

    def _run(self, work: Callable[[Connection], T], *, writes: bool, conflict: str = "", missing: str = "") -> T:
        self.check()
        for attempt in range(_TRIES):
            try:
                with self.engine.connect() as connection:
                    connection.execution_options(**{_WRITES: writes})
                    with connection.begin():
                        return work(connection)
            except SQLAlchemyError as exc:
                if writes and is_deadlock(exc) and attempt < _TRIES - 1:
                    continue
                raise translate(exc, self.words, self.redactor, conflict=conflict, missing=missing) from exc
        raise AssertionError("the last attempt returns or raises")

    def _check_process(self) -> None:
        if os.getpid() != self.pid:
            raise ForkedProcess(
                f"{self.words} was opened by process {self.pid} and is used in its fork {os.getpid()}.",
                hint="Open a new MastraAdmin or storage object after the fork.",
            )


def _literal_time(seconds: float) -> ColumnElement[Any]:
    return literal(utc_now() + timedelta(seconds=seconds), UtcTime())


def make_sqlite_engine(path: Path) -> Engine:
    """Return an engine for a file, which is made with mode 0600 when it isn't there."""
    if sqlite3.sqlite_version_info < (3, 35):
        raise StorageError(
            f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed.",
            hint="Use a newer Python, or PostgreSQL with database_url.",
        )
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        poolclass=QueuePool,
        pool_size=5,
        max_overflow=20,
        hide_parameters=True,
    )
    event.listen(engine, "do_connect", lambda *_: make_private_file(path))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def make_private_file(path: Path) -> None:
    """Make an empty file that only its owner can read; one that exists is not touched.

    It must not even be opened: closing any descriptor of a database file drops the process's locks on it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as exc:
        raise StorageError(
            f"The database {path} can't be created: {exc.strerror or exc}.",
            hint="Choose a folder that you may write.",
        ) from exc


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Python's driver must not begin transactions by itself: it would begin deferred ones.
    connection.isolation_level = None
    connection.create_function("mastra_later", 2, later_text, deterministic=True)
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails with "database is locked" at once when another has written
    # meanwhile, whatever the time-out. So writers take the lock when they begin.
    writes = connection.get_execution_options().get(_WRITES, True)
    if writes is not None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def make_postgres_engine(url: URL, pool_size: int) -> Engine:
    """Return a pooled engine for a server; connections are tested before use and never wait for ever."""
    options: Mapping[str, Any] = {
        "application_name": "mastra-admin",
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    libpq = url.get_driver_name() in {"psycopg2", "psycopg"}
    engine = create_engine(
        url,
        connect_args={key: value for key, value in options.items() if libpq and key not in url.query},
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_postgres(connection: Any, _record: object) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        cursor.execute(f"SET statement_timeout = '{2 * BUSY_SECONDS}s'")
    connection.commit()


def bind_schema(engine: Engine, schema: str) -> Engine:
    """Return a view of an engine that puts a schema before our tables; it shares the pool and changes nothing."""
    return engine.execution_options(schema_translate_map={None: schema}, isolation_level="READ COMMITTED")
