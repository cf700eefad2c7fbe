"""The audit log."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from mastra_admin_sdk.models import Event
from mastra_admin_sdk.ports.storage import EventRepository

from . import tables
from .repository import SqlRepository
from .rows import Codec


class SqlEvents(SqlRepository[Event], EventRepository):
    """Events."""

    table = tables.events
    codec = Codec(Event)

    def append(self, event: Event) -> Event:
        return self._insert(event, conflict=f"There is an event with the id {event.id!r} already.")

    def list(
        self, *, object_type: str | None = None, object_id: str | None = None, limit: int = 1000
    ) -> Sequence[Event]:
        columns = self.table.c
        statement = select(self.table).order_by(columns.time.desc(), columns.sequence.desc())
        if object_type is not None:
            statement = statement.where(columns.object_type == object_type)
        if object_id is not None:
            statement = statement.where(columns.object_id == object_id)
        return self._fetch(statement, limit)
