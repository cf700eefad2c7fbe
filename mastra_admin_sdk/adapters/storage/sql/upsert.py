"""Insert or update in one statement: both databases have it, SQLAlchemy spells it per dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql import ColumnElement

from .engine import Database


def make_upsert(
    database: Database,
    table: Table,
    values: Mapping[str, Any],
    *,
    keys: Sequence[str],
    changed: Sequence[str] = (),
    expressions: Callable[[Any], Mapping[str, Any]] | None = None,
    where: Callable[[Any], ColumnElement[bool]] | None = None,
) -> Any:
    """Return an insert that changes the row that has the same ``keys``, if there is one.

    Parameters:
        values: the new row.
        keys: columns of the unique constraint.
        changed: columns that take the new row's value.
        expressions: from the new row's columns, values of further columns.
        where: from the new row's columns, the condition on the row that is there; unless it holds nothing happens.
    """
    statement = _make_insert(database, table, values)
    new = statement.excluded
    changes = {name: new[name] for name in changed} | dict(expressions(new) if expressions else {})
    return statement.on_conflict_do_update(index_elements=keys, set_=changes, where=where(new) if where else None)


def make_insert_if_new(database: Database, table: Table, values: Mapping[str, Any], *, keys: Sequence[str]) -> Any:
    """Return an insert that does nothing when there is a row with the same ``keys``."""
    return _make_insert(database, table, values).on_conflict_do_nothing(index_elements=keys)


def _make_insert(database: Database, table: Table, values: Mapping[str, Any]) -> Any:
    return (postgres_insert if database.is_postgres else sqlite_insert)(table).values(**values)
