"""Brings the tables to this version's shape, once, whoever else tries at the same time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect, select, text
from sqlalchemy.schema import CreateSchema

from mastra_admin_sdk.errors import StorageError

from .engine import BUSY_SECONDS, Database

HEAD = "0006"
"""The newest revision in ``migrations/versions``; a database that has it needs no Alembic."""

VERSION_TABLE = "mastra_admin_version"
_SCRIPTS = Path(__file__).parent / "migrations"

# Alembic keeps the running migration in a global of its module.
_alembic_lock = threading.Lock()


def migrate(database: Database) -> None:
    """Create or upgrade the tables in one transaction; a second starter waits and finds them there."""
    if not database.is_postgres:
        _switch_to_wal(database)
    if database.read(lambda connection: _read_revision(connection, database.schema)) == HEAD:
        return
    with _alembic_lock:
        database.write(lambda connection: _upgrade(connection, database))


def _switch_to_wal(database: Database) -> None:
    # Not inside a transaction, and SQLite doesn't wait here when two do it at once: it answers "locked".
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode = database.run_alone("PRAGMA journal_mode = WAL")
            break
        except StorageError as exc:
            if "locked" not in exc.message or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise StorageError(
            f"{database.words} can't use write-ahead logging (its journal mode is {mode!r}).",
            hint="Put the home on a local disk.",
        )


def _read_revision(connection: Connection, schema: str | None) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE, schema=schema):
        return None
    table = Table(VERSION_TABLE, MetaData(), Column("version_num", Text()), schema=schema)
    return connection.execute(select(table.c.version_num)).scalar()


def _upgrade(connection: Connection, database: Database) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    if database.schema is not None:
        database.lock(connection, "migrate")
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        # Not "if not exists": that needs the right to create schemas even when it is there.
        if not inspect(connection).has_schema(database.schema):
            connection.execute(CreateSchema(database.schema))
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes.update(connection=connection, schema=database.schema)
    try:
        command.upgrade(config, "head")
    except CommandError as exc:
        raise StorageError(
            f"{database.words} can't be brought to this version's tables: {exc}.",
            hint="Was it used by a newer mastra-admin-sdk? Upgrade this one.",
        ) from exc
