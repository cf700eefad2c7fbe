"""Server processes with their ports, and routes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from mastra_admin_sdk.errors import Conflict
from mastra_admin_sdk.models import PROCESS_TRANSITIONS, Cursor, Process, ProcessStatus, Route, utc_now
from mastra_admin_sdk.ports.storage import ProcessRepository, RouteRepository

from . import tables
from .repository import Row, SqlRepository, StatefulRepository
from .rows import Codec, encode_statuses
from .scopes import within
from .upsert import make_upsert

_FROZEN = ("id", "deployment_id", "build_id", "status", "created_at")


class SqlProcesses(StatefulRepository[Process], ProcessRepository):
    """Processes."""

    table = tables.processes
    codec = Codec(Process, frozen=_FROZEN)
    transitions = PROCESS_TRANSITIONS

    def create(self, process: Process) -> Process:
        return self._insert(
            process,
            conflict=_describe_conflict(process.host, process.port),
            missing=f"There is no deployment {process.deployment_id!r}, or no build {process.build_id!r}.",
        )

    def get(self, process_id: str) -> Process:
        return self._get_by_id(process_id)

    def list(
        self,
        deployment_id: str | None = None,
        *,
        project_id: str | None = None,
        team_id: str | None = None,
        statuses: Iterable[ProcessStatus] | None = None,
        build_id: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Process]:
        columns = self.table.c
        statement = self._select_newest_first(after)
        statement = statement.where(
            *within(columns.deployment_id, deployment_id=deployment_id, project_id=project_id, team_id=team_id)
        )
        if build_id is not None:
            statement = statement.where(columns.build_id == build_id)
        if statuses is not None:
            statement = statement.where(columns.status.in_(encode_statuses(ProcessStatus, statuses)))
        return self._fetch(statement, limit)

    def update(self, process_id: str, **changes: Any) -> Process:
        conflict = _describe_conflict(changes.get("host", "its host"), changes.get("port", "its port"))
        return self._update(process_id, changes, conflict=conflict)

    def transition(
        self, process_id: str, to: ProcessStatus, *, expected: Iterable[ProcessStatus], **changes: Any
    ) -> Process:
        consequences = {"exited_at": utc_now()} if to == ProcessStatus.EXITED else {}
        return self._transition(process_id, to, expected, consequences | self.codec.encode_changes(changes))

    def delete(self, process_id: str) -> None:
        self._delete(process_id)


class SqlRoutes(SqlRepository[Route], RouteRepository):
    """Routes."""

    table = tables.routes
    codec = Codec(Route)

    def put(self, route: Route) -> Route:
        values = self.codec.encode(route)
        row = self._database.write(
            lambda c: self._put(c, values),
            conflict=f"There is a route with the id {route.id!r} already.",
            missing=f"There is no deployment with the id {route.deployment_id!r}.",
        )
        return self.codec.decode(row)

    def get_by_host(self, host: str) -> Route:
        return self._get(f"the host {host!r}", self.table.c.host == host)

    def list(self, deployment_id: str | None = None) -> Sequence[Route]:
        statement = self._select_newest_first()
        return self._fetch(
            statement if deployment_id is None else statement.where(self.table.c.deployment_id == deployment_id)
        )

    def delete(self, host: str) -> None:
        self._database.write(lambda c: c.execute(delete(self.table).where(self.table.c.host == host)))

    def _put(self, connection: Connection, values: dict[str, Any]) -> Row:
        statement = make_upsert(
            self._database,
            self.table,
            values,
            keys=["host"],
            changed=["target_host", "target_port", "more_targets", "tls"],
            where=lambda new: self.table.c.deployment_id == new.deployment_id,
        )
        row = connection.execute(statement.returning(*self.table.c)).mappings().one_or_none()
        if row is not None:
            return row
        owner = connection.execute(select(self.table).where(self.table.c.host == values["host"])).mappings().first()
        raise Conflict(
            f"The host {values['host']} already leads to the deployment {owner['deployment_id'] if owner else '?'}.",
            hint="Choose another name, or delete that route first.",
        )


def _describe_conflict(host: Any, port: Any) -> str:
    return f"The address {host}:{port} belongs to a process that hasn't exited."
