"""Keys of requests that must not be done twice."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, delete

from mastra_admin_sdk.errors import StaleState
from mastra_admin_sdk.models import IdempotencyKey, utc_now
from mastra_admin_sdk.ports.storage import IdempotencyKeyRepository

from . import tables
from .engine import Database
from .repository import SqlRepository
from .rows import Codec
from .upsert import make_insert_if_new

_codec = Codec(IdempotencyKey)


class SqlIdempotencyKeys(SqlRepository[IdempotencyKey], IdempotencyKeyRepository):
    """Keys of requests."""

    table = tables.idempotency_keys
    codec = _codec

    def get(self, digest: str) -> IdempotencyKey:
        columns = self.table.c
        return self._get("that digest", columns.digest == digest, columns.expires_at > utc_now())

    def prune(self) -> int:
        statement = delete(self.table).where(self.table.c.expires_at <= utc_now())
        return self._database.write(lambda c: c.execute(statement).rowcount)


def keep_key(database: Database, connection: Connection, key: IdempotencyKey, build_id: str) -> None:
    """Store the key of a build in the transaction that stores the build; `StaleState` when it is in use.

    A second transaction that stores it waits for the first, and finds it there.
    """
    columns = tables.idempotency_keys.c
    connection.execute(
        delete(tables.idempotency_keys).where(columns.digest == key.digest, columns.expires_at <= utc_now())
    )
    values = _codec.encode(replace(key, build_id=build_id))
    statement = make_insert_if_new(database, tables.idempotency_keys, values, keys=["digest"])
    if connection.execute(statement.returning(columns.digest)).first() is None:
        raise StaleState("A request with that key came first.", hint="Look at what it queued.")
