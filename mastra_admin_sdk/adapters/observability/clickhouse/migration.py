"""Brings a store to the schema of this version: makes it, alters kept tables, makes views anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mastra_admin_sdk.errors import EngineUnavailable, ObservabilityError, QueryError

from . import schema
from .addresses import Role
from .clients import Clients
from .translation import UNKNOWN_TABLE

MIN_SERVER = (24, 3)
"""The oldest server whose query analyzer and functions the views need."""

_LOCK_SECONDS = 120.0
_WHAT = "Preparing the telemetry store"


class Migrator:
    """Makes sure that the store has the schema of this version.

    Parameters:
        clients: connections of the store.
        retention_days: days that telemetry is kept.
        lock: a file that is locked while the schema changes, where processes of one home could get in each other's way.
    """

    def __init__(self, clients: Clients, retention_days: int, lock: Path | None) -> None:
        self._clients, self._retention_days, self._lock = clients, retention_days, lock
        self._statements = schema.list_statements(retention_days)
        self._fingerprint = schema.make_fingerprint(self._statements)

    def run(self) -> None:
        """Bring the store to this schema; does nothing but look when it has it already.

        Raises:
            ObservabilityError: the server is too old, or the store was made by a newer version.
        """
        if self._is_current():
            return
        with self._exclusively():
            if not self._is_current():
                self._migrate()

    def _is_current(self) -> bool:
        found = self._read_version()
        return found is not None and found["fingerprint"] == self._fingerprint

    def _migrate(self) -> None:
        found = self._read_version()
        with self._clients.lend(Role.OWNER, _WHAT) as client:
            _check_server(client.connection.server_info)
        if found is None:
            self._apply(self._statements)
        else:
            self._change(found)
        # Last of all: before it is there, no chunk can get in and pass views that don't exist yet.
        self._apply(
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {schema.READY_COLUMN} UInt8"
            for table in schema.LANDING_TABLES.values()
        )
        self._apply([*schema.list_version_statements(self._fingerprint, self._retention_days)])

    def _change(self, found: dict[str, Any]) -> None:
        version = found["version"]
        if version > schema.SCHEMA_VERSION:
            raise ObservabilityError(
                f"The telemetry store has schema {version}; this version knows up to {schema.SCHEMA_VERSION}.",
                hint="Upgrade mastra-admin-sdk.",
            )
        stations = schema.list_stations(self._statements)
        self._apply(f"DROP TABLE IF EXISTS {name} SYNC" for name in stations)
        for step in range(version + 1, schema.SCHEMA_VERSION + 1):
            self._apply(schema.MIGRATIONS[step])
        if found["retention_days"] != self._retention_days:
            self._apply(schema.list_retention_changes(self._retention_days))
        self._apply(self._statements)

    def _read_version(self) -> dict[str, Any] | None:
        sql = (
            f"SELECT version, fingerprint, retention_days FROM {schema.VERSION_TABLE} ORDER BY applied_at DESC LIMIT 1"
        )
        try:
            with self._clients.lend(Role.OWNER, _WHAT, sql) as client:
                rows = client.execute(sql)
        except QueryError as exc:
            if exc.evidence.get("code") == UNKNOWN_TABLE:
                return None
            raise
        if not rows:
            return None
        version, fingerprint, days = rows[0]
        return {"version": int(version), "fingerprint": _to_text(fingerprint), "retention_days": int(days)}

    def _apply(self, statements: Any) -> None:
        for sql in statements:
            with self._clients.lend(Role.OWNER, _WHAT, sql) as client:
                client.execute(sql)

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        try:
            with FileLock(self._lock, timeout=_LOCK_SECONDS):
                yield
        except Timeout as exc:
            raise EngineUnavailable(
                f"Another process has been preparing the telemetry store for more than {_LOCK_SECONDS:.0f} s.",
                hint=f"See who holds {self._lock}.",
            ) from exc


def _check_server(info: Any) -> None:
    version = (info.version_major, info.version_minor)
    if version < MIN_SERVER:
        raise ObservabilityError(
            f"The ClickHouse server has version {version[0]}.{version[1]}, which is too old for the telemetry schema.",
            hint=f"Use {MIN_SERVER[0]}.{MIN_SERVER[1]} or newer, or leave the URL out to use the engine of the home.",
        )


def _to_text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
