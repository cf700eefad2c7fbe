"""Environment variables of projects and deployments, with the lists that they replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, insert, literal, select, update
from sqlalchemy.sql import ColumnElement

from mastra_admin_sdk.models import EnvVar, utc_now

from .columns import UtcTime
from .repository import Row, SqlRepository
from .rows import decode_env

Record = TypeVar("Record")


class EnvironmentRepository(SqlRepository[Record]):
    """Records that hold variables in ``env_field``; ``history`` keeps former lists by ``env_version``."""

    env_field: str
    history: Table

    def _set_env(self, record_id: str, variables: Sequence[EnvVar]) -> Record:
        new = self.codec.encode_value(self.env_field, variables)
        return self.codec.decode(self._database.write(lambda c: self._replace_env(c, record_id, new)))

    def _replace_env(self, connection: Connection, record_id: str, new: Any) -> Row:
        columns = self.table.c
        # Locked first: of two writers each has to keep what the other wrote.
        connection.execute(select(columns.id).where(columns.id == record_id).with_for_update())
        former = select(columns.id, columns.env_version, columns[self.env_field], _now()).where(columns.id == record_id)
        names = ["owner_id", "version", "variables", "created_at"]
        connection.execute(insert(self.history).from_select(names, former))
        values = {self.env_field: new, "env_version": columns.env_version + 1, **self._touch()}
        return self._change(connection, record_id, update(self.table).where(columns.id == record_id).values(values))

    def _list_env_versions(self, record_id: str) -> Sequence[tuple[int, tuple[EnvVar, ...]]]:
        self._get_by_id(record_id)
        columns = self.history.c
        statement = select(columns.version, columns.variables).where(columns.owner_id == record_id)
        rows = self._database.read(lambda c: c.execute(statement.order_by(columns.version.desc())).all())
        return [(row.version, decode_env(row.variables)) for row in rows]


def _now() -> ColumnElement[Any]:
    return literal(utc_now(), UtcTime())
