"""Brings a store to the schema of this version: makes it, alters kept tables, makes views anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra_admin_sdk.errors import ObservabilityError, QueryError

from . import schema
from .addresses import Role
from .clients import Clients
from .migration_lock import MigrationLock, define
from .retention import Retention
from .topology import ONE_MACHINE, Topology
from .translation import UNKNOWN_TABLE

MIN_SERVER = (24, 3)
"""The oldest server whose query analyzer and functions the views need."""

_WHAT = "Preparing the telemetry store"


class Migrator:
    """Makes sure that the store has the schema of this version.

    Parameters:
        clients: connections of the store.
        retention: how long telemetry is kept.
        lock: what keeps those who change the schema apart.
        topology: one machine or a cluster.
    """

    def __init__(
        self, clients: Clients, retention: Retention, lock: MigrationLock, topology: Topology = ONE_MACHINE
    ) -> None:
        self._clients, self._retention, self._lock, self._topology = clients, retention, lock, topology
        self._statements = schema.list_statements(retention, topology)
        self._fingerprint = schema.make_fingerprint(self._statements)

    def run(self) -> None:
        """Bring the store to this schema; does nothing but look when it has it already.

        Raises:
            ObservabilityError: the server is too old, or the store was made by a newer version or for another topology.
        """
        with self._clients.lend(Role.OWNER, _WHAT) as client:
            check_server(client.connection.server_info)
        if self._is_current():
            return
        with self._lock.hold():
            if not self._is_current():
                self._migrate()

    def _is_current(self) -> bool:
        found = self._read_version()
        return found is not None and found["fingerprint"] == self._fingerprint

    def _migrate(self) -> None:
        found = self._read_version()
        if found is None:
            self._apply(self._statements)
        else:
            self._check(found)
            self._change(found)
        # Last of all: before it is there, no chunk can get in and pass views that don't exist yet.
        self._apply(schema.list_ready_changes(self._topology))
        self._apply(schema.list_version_statements(self._fingerprint, self._retention, self._topology))

    def _check(self, found: dict[str, Any]) -> None:
        if found["version"] > schema.SCHEMA_VERSION:
            raise ObservabilityError(
                f"The telemetry store has schema {found['version']}; this version knows up to {schema.SCHEMA_VERSION}.",
                hint="Upgrade mastra-admin-sdk.",
            )
        made_for, wanted = found.get("topology", ""), self._topology.describe()
        if made_for != wanted:
            raise ObservabilityError(
                f"The telemetry store was made for {_name_topology(made_for)}, not for {_name_topology(wanted)}.",
                hint="Set clickhouse_cluster as it was, or use another database: rows don't move by themselves.",
            )

    def _change(self, found: dict[str, Any]) -> None:
        on_cluster = self._topology.on_cluster
        stations = schema.list_stations(self._statements)
        self._apply(f"DROP TABLE IF EXISTS {name}{on_cluster} SYNC" for name in stations)
        for step in range(found["version"] + 1, schema.SCHEMA_VERSION + 1):
            self._apply(schema.list_migration(step, self._topology))
        if not self._keeps_as_long(found):
            self._apply(schema.list_retention_changes(self._retention, self._topology))
        self._apply(self._statements)
        for step in range(found["version"] + 1, schema.SCHEMA_VERSION + 1):
            self._apply(schema.BACKFILLS.get(step, ()))

    def _keeps_as_long(self, found: dict[str, Any]) -> bool:
        # Earlier versions of this package had one number for all.
        before = found.get("retention") or Retention(found["retention_days"]).to_json()
        return bool(before == self._retention.to_json())

    def _read_version(self) -> dict[str, Any] | None:
        sql = f"SELECT * FROM {schema.VERSION_TABLE} ORDER BY applied_at DESC LIMIT 1"
        try:
            with self._clients.lend(Role.OWNER, _WHAT, sql) as client:
                rows, columns = client.execute(sql, with_column_types=True)
        except QueryError as exc:
            if exc.evidence.get("code") == UNKNOWN_TABLE:
                return None
            raise
        if not rows:
            return None
        return {name: _to_text(value) for (name, _), value in zip(columns, rows[0], strict=True)}

    def _apply(self, statements: Iterable[str]) -> None:
        for sql in statements:
            self._lock.renew()
            define(self._clients, self._topology, sql)


def check_server(info: Any) -> None:
    """Raise `ObservabilityError` when a server is too old for the schema; it says which version it needs."""
    version = (info.version_major, info.version_minor)
    if version < MIN_SERVER:
        raise ObservabilityError(
            f"The ClickHouse server has version {version[0]}.{version[1]}, which is too old for the telemetry schema.",
            hint=f"Use {MIN_SERVER[0]}.{MIN_SERVER[1]} or newer, or leave the URL out to use the engine of the home.",
        )


def _name_topology(described: str) -> str:
    return f"the cluster {described}" if described else "one machine"


def _to_text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
