"""The audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mastra_admin_sdk.models import Cursor, Event
from mastra_admin_sdk.ports.storage import EventRepository

from . import tables
from .repository import SqlRepository
from .rows import Codec
from .scopes import select_objects


class SqlEvents(SqlRepository[Event], EventRepository):
    """Events."""

    table = tables.events
    codec = Codec(Event)
    moment = "time"
    ties = ("sequence",)

    def append(self, event: Event) -> Event:
        return self._insert(event, conflict=f"There is an event with the id {event.id!r} already.")

    def list(
        self,
        *,
        object_type: str | None = None,
        object_id: str | None = None,
        action: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        project_id: str | None = None,
        team_id: str | None = None,
        limit: int | None = 1000,
        after: Cursor | None = None,
    ) -> Sequence[Event]:
        columns = self.table.c
        statement = self._select_newest_first(after)
        equal = {"object_type": object_type, "object_id": object_id, "action": action, "actor": actor}
        statement = statement.where(*(columns[name] == value for name, value in equal.items() if value is not None))
        if since is not None:
            statement = statement.where(columns.time >= since)
        if until is not None:
            statement = statement.where(columns.time < until)
        if project_id is not None or team_id is not None:
            statement = statement.where(columns.object_id.in_(select_objects(project_id, team_id)))
        return self._fetch(statement, limit)
