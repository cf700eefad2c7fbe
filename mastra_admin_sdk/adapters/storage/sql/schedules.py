"""Schedules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.errors import MastraAdminError, StaleState
from mastra_admin_sdk.models import Cursor, Schedule
from mastra_admin_sdk.ports.storage import ScheduleRepository

from . import tables
from .repository import Row, SqlRepository
from .rows import Codec
from .scopes import within

_NO_DEPLOYMENT = "A schedule needs a deployment that exists."


class SqlSchedules(SqlRepository[Schedule], ScheduleRepository):
    """Schedules of deployments."""

    table = tables.schedules
    codec = Codec(Schedule, frozen=("id", "deployment_id", "created_at"))

    def create(self, schedule: Schedule) -> Schedule:
        conflict = f"There is a schedule with the id {schedule.id!r} already."
        return self._insert(schedule, conflict=conflict, missing=_NO_DEPLOYMENT)

    def get(self, schedule_id: str) -> Schedule:
        return self._get_by_id(schedule_id)

    def list(
        self,
        deployment_id: str | None = None,
        *,
        project_id: str | None = None,
        team_id: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Schedule]:
        owner = self.table.c.deployment_id
        where = within(owner, deployment_id=deployment_id, project_id=project_id, team_id=team_id)
        return self._fetch(self._select_newest_first(after).where(*where), limit)

    def update(self, schedule_id: str, **changes: Any) -> Schedule:
        return self._update(schedule_id, changes)

    def fire(self, schedule: Schedule, *, at: datetime, next_at: datetime | None) -> Schedule:
        columns = self.table.c
        only = [columns.next_at == schedule.next_at, columns.enabled.is_(True)]
        changes = {"last_fired_at": at, "next_at": next_at}
        return self._update(schedule.id, changes, only=only, refusal=_explain_fired)

    def delete(self, schedule_id: str) -> None:
        self._delete(schedule_id)


def _explain_fired(row: Row) -> MastraAdminError:
    state = f"it fires next at {row['next_at']}" if row["enabled"] else "it is switched off"
    return StaleState(f"The schedule {row['id']} was fired or changed by somebody else: {state}.")
