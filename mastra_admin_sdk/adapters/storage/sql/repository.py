"""What all repositories do alike: create, get, list, update, delete, and compare-and-set of a status."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Delete,
    RowMapping,
    Table,
    Update,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql import ColumnElement, Select

from mastra_admin_sdk.errors import InvalidInput, MastraAdminError, NotFound, StaleState
from mastra_admin_sdk.models import Cursor, utc_now

from .columns import later
from .engine import Database
from .rows import Codec, encode_statuses

_LARGEST = 2**63 - 1

Record = TypeVar("Record")
Row = RowMapping
Refusal = Callable[[Row], MastraAdminError]
"""Says, from the row as it is, why a conditional change didn't touch it."""


class SqlRepository(Generic[Record]):
    """Records of one table.

    Lists go by the time in the column ``moment``, and of the same time by those in ``ties``, whose last one is unique.
    """

    table: Table
    codec: Codec[Record]
    moment = "created_at"
    ties: Sequence[str] = ("id",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def _insert(self, record: Record, *, conflict: str, missing: str = "") -> Record:
        statement = insert(self.table).values(self.codec.encode(record)).returning(*self.table.c)
        row = self._database.write(lambda c: c.execute(statement).mappings().one(), conflict=conflict, missing=missing)
        return self.codec.decode(row)

    def _get(self, words: str, *where: ColumnElement[bool]) -> Record:
        statement = select(self.table).where(*where)
        row = self._database.read(lambda c: c.execute(statement).mappings().one_or_none())
        if row is None:
            raise NotFound(f"There is no {self.codec.noun} with {words}.")
        return self.codec.decode(row)

    def _get_by_id(self, record_id: str) -> Record:
        return self._get(f"the id {record_id!r}", self.table.c.id == record_id)

    def _select_newest_first(self, after: Cursor | None = None) -> Select[Any]:
        keys = [self.table.c[name] for name in (self.moment, *self.ties)]
        statement = select(self.table).order_by(*(key.desc() for key in keys))
        if after is None:
            return statement
        first = literal(after.at, keys[0].type)
        # One comparison of rows, not of each column by itself: an index leads straight to the place.
        return statement.where(tuple_(*keys) < tuple_(first, *(self._place(key, after) for key in keys[1:])))

    def _place(self, key: Column[Any], after: Cursor) -> ColumnElement[Any]:
        columns = self.table.c
        if key is columns.id:
            return literal(after.id, key.type)
        known = select(key).where(columns.id == after.id).scalar_subquery()
        # Of a record that is gone only its time is known: all others of that time come after it.
        return func.coalesce(known, _LARGEST)

    def _fetch(self, statement: Select[Any], limit: int | None = None) -> Sequence[Record]:
        if limit is not None:
            if limit < 0:
                raise InvalidInput(f"A limit can't be negative, as {limit} is.")
            statement = statement.limit(limit)
        rows = self._database.read(lambda c: c.execute(statement).mappings().all())
        return [self.codec.decode(row) for row in rows]

    def _update(
        self,
        record_id: str,
        changes: Mapping[str, Any],
        *,
        only: Sequence[ColumnElement[bool]] = (),
        refusal: Refusal | None = None,
        conflict: str = "",
        missing: str = "",
    ) -> Record:
        values = self.codec.encode_changes(changes)
        if not values:
            return self._get_by_id(record_id)
        statement = update(self.table).where(self.table.c.id == record_id, *only).values(values | self._touch())
        row = self._database.write(
            lambda c: self._change(c, record_id, statement, refusal), conflict=conflict, missing=missing
        )
        return self.codec.decode(row)

    def _delete(self, record_id: str, *only: ColumnElement[bool], refusal: Refusal | None = None) -> None:
        statement = delete(self.table).where(self.table.c.id == record_id, *only)
        self._database.write(lambda c: self._change(c, record_id, statement, refusal))

    def _change(
        self, connection: Connection, record_id: str, statement: Update | Delete, refusal: Refusal | None = None
    ) -> Row:
        row = connection.execute(statement.returning(*self.table.c)).mappings().one_or_none()
        if row is not None:
            return row
        current = connection.execute(select(self.table).where(self.table.c.id == record_id)).mappings().one_or_none()
        if current is None or refusal is None:
            raise NotFound(f"There is no {self.codec.noun} with the id {record_id!r}.")
        raise refusal(current)

    def _touch(self) -> dict[str, Any]:
        return touch(self.table)


def touch(table: Table) -> dict[str, Any]:
    """Return the value that moves a table's ``updated_at``; nothing where there is none."""
    column = table.c.get("updated_at")
    return {} if column is None else {"updated_at": later(column, literal(utc_now(), column.type))}


class StatefulRepository(SqlRepository[Record]):
    """Records with a status that changes by compare-and-set only.

    ``transitions`` lists the allowed changes; ``may_stay`` allows a change to the same status.
    """

    transitions: Mapping[Any, frozenset[Any]]
    may_stay = False

    def _transition(
        self,
        record_id: str,
        to: StrEnum,
        expected: Iterable[StrEnum],
        values: Mapping[str, Any],
        *,
        only: Sequence[ColumnElement[bool]] = (),
        refusal: Refusal | None = None,
        missing: str = "",
    ) -> Record:
        """Set the status and ``values``; when only ``only`` was in the way, ``refusal`` says why."""
        target, good, bad = self._sort_states(to, expected)
        columns = self.table.c
        statement = update(self.table).where(columns.id == record_id, columns.status.in_(good), *only)
        statement = statement.values({**values, **self._touch(), "status": target})

        def explain(row: Row) -> MastraAdminError:
            if row["status"] in good and refusal is not None:
                return refusal(row)
            return self._explain_state(row, target, [*good, *bad], bad)

        row = self._database.write(lambda c: self._change(c, record_id, statement, explain), missing=missing)
        return self.codec.decode(row)

    def _sort_states(self, to: StrEnum, expected: Iterable[StrEnum]) -> tuple[str, list[str], list[str]]:
        kind = type(next(iter(self.transitions)))
        [target] = encode_statuses(kind, [to])
        states = encode_statuses(kind, expected)
        good = [state for state in states if target in self.transitions[kind(state)] or self._may_stay(state, target)]
        if not good:
            raise self._refuse_transition(" or ".join(states) or "no state at all", target)
        return target, good, [state for state in states if state not in good]

    def _may_stay(self, state: str, target: str) -> bool:
        return self.may_stay and state == target

    def _explain_state(self, row: Row, target: str, expected: Sequence[str], bad: Sequence[str]) -> MastraAdminError:
        current = row["status"]
        if current in bad:
            return self._refuse_transition(current, target)
        return StaleState(
            f"The {self.codec.noun} {row['id']} should become {target}, but it is {current}, "
            f"not {' or '.join(expected)}.",
            hint="Something else changed it first: read it again.",
            evidence={"current": current},
        )

    def _refuse_transition(self, current: str, target: str) -> InvalidInput:
        return InvalidInput(f"A {self.codec.noun} can't go from {current} to {target}.")
