"""Schedules: deployments that are deployed again by the clock.

A schedule is a row; whoever holds the role fires what is due. The build of each slot has an id that is made from the
slot, so that a process that is killed between queuing it and saying so, or one that only believes to hold the role,
queues it once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound, StaleState
from mastra_admin_sdk.models import Build, BuildTrigger, Cursor, Deployment, DesiredState, Schedule, utc_now
from mastra_admin_sdk.services.actors import Origin, acting
from mastra_admin_sdk.services.deployments.service import DeploymentService
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import DeploymentRef, ProjectRef, Resolver, TeamRef, name_deployment

from .cron import check_cron, check_timezone, find_next

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

ROLE = "scheduler"
GRACE = timedelta(hours=1)
"""How late a slot that was missed while nothing ran is still made up for; of several only one is."""

SCHEDULE_COLUMNS = {
    "id": "object",
    "deployment": "object",
    "cron": "object",
    "timezone": "category",
    "enabled": "bool",
    "next_at": "datetime64[us, UTC]",
    "last_fired_at": "datetime64[us, UTC]",
    "last_build_id": "object",
    "last_status": "category",
    "last_error": "object",
    "created_at": "datetime64[us, UTC]",
}
"""Columns of ``admin.schedules.frame()`` and their dtypes."""


class ScheduleService:
    """Schedules, as ``admin.schedules``."""

    def __init__(self, parts: Parts, resolver: Resolver) -> None:
        self._parts, self._resolver = parts, resolver

    def create(self, deployment: DeploymentRef, *, cron: str, timezone: str = "UTC") -> Schedule:
        """Deploy a deployment again by the clock, while some process does the background work.

        Parameters:
            deployment: which one; stopped ones are passed over until they run again.
            cron: minute, hour, day of month, month and day of week, such as ``"0 3 * * *"``.
            timezone: whose clock, such as ``"Europe/Berlin"``.

        Raises:
            InvalidInput: the expression or the time zone is none; the message names the field.
        """
        found = self._resolver.deployment(deployment)
        cron, timezone = check_cron(cron), check_timezone(timezone)
        schedule = Schedule(found.id, cron, timezone, next_at=find_next(cron, timezone, utc_now()))
        schedule = self._parts.storage.schedules.create(schedule)
        self._parts.record("create", "schedule", schedule.id, deployment=found.slug, cron=cron, timezone=timezone)
        return schedule

    def list(
        self,
        deployment: DeploymentRef | None = None,
        *,
        project: ProjectRef | None = None,
        team: TeamRef | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Schedule]:
        """Return the schedules of a deployment, project or team, or all, newest first.

        Parameters:
            deployment, project, team: whose.
            limit: how many at most; all unless given.
            after: only those after a place in that order, such as ``Cursor.of(page[-1])``.
        """
        return self._parts.storage.schedules.list(
            self._resolver.deployment(deployment).id if deployment is not None else None,
            project_id=self._resolver.project(project).id if project is not None else None,
            team_id=self._resolver.team(team).id if team is not None else None,
            limit=limit,
            after=after,
        )

    def get(self, schedule: Schedule | str) -> Schedule:
        """Return a schedule by its id or the beginning of that, eight characters or more."""
        wanted = schedule if isinstance(schedule, str) else schedule.id
        found = [item for item in self._parts.storage.schedules.list() if _goes_by(item, wanted)]
        if len(found) > 1:
            raise InvalidInput(f"{wanted!r} begins the ids of {len(found)} schedules.", hint="Give more of it.")
        if not found:
            raise NotFound(f"There is no schedule {wanted!r}.", hint="admin.schedules.list() returns all there are.")
        return found[0]

    def delete(self, schedule: Schedule | str) -> None:
        """Remove a schedule; builds that it queued go on."""
        found = self.get(schedule)
        self._parts.storage.schedules.delete(found.id)
        self._parts.record("delete", "schedule", found.id, cron=found.cron)

    def enable(self, schedule: Schedule | str) -> Schedule:
        """Switch a schedule on; what it missed meanwhile isn't made up for."""
        found = self.get(schedule)
        next_at = find_next(found.cron, found.timezone, utc_now())
        self._parts.record("enable", "schedule", found.id, cron=found.cron)
        return self._parts.storage.schedules.update(found.id, enabled=True, next_at=next_at, last_error=None)

    def disable(self, schedule: Schedule | str) -> Schedule:
        """Switch a schedule off; it keeps its row."""
        found = self.get(schedule)
        self._parts.record("disable", "schedule", found.id, cron=found.cron)
        return self._parts.storage.schedules.update(found.id, enabled=False, next_at=None)

    def frame(self, deployment: DeploymentRef | None = None) -> pd.DataFrame:
        """Return a row a schedule, newest first, also when there is none.

        Returns:
            Columns and dtypes of `SCHEDULE_COLUMNS`: ``deployment`` is ``team/project/slug``, times are UTC,
            ``last_status`` is that of the build it queued last, ``last_error`` why it last queued none.
        """
        return make_frame(SCHEDULE_COLUMNS, [self._describe(item) for item in self.list(deployment)])

    def _describe(self, schedule: Schedule) -> dict[str, Any]:
        fields = {name: getattr(schedule, name, None) for name in SCHEDULE_COLUMNS}
        build = _find_build(self._parts, schedule.last_build_id)
        return {
            **fields,
            "deployment": self._resolver.name(self._parts.storage.deployments.get(schedule.deployment_id)),
            "last_status": build.status.value if build else None,
        }


class Scheduler:
    """Fires what is due. Its ``run_once`` is called about once a second by the holder of the role."""

    def __init__(
        self, parts: Parts, deployments: DeploymentService, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._parts, self._deployments, self._clock = parts, deployments, clock

    def run_once(self, role: HeldLease) -> None:
        """One pass over all schedules.

        Raises:
            LeaseLost: another process has the role by now.
        """
        now = self._clock()
        for schedule in self._parts.storage.schedules.list():
            if schedule.enabled and (schedule.next_at is None or schedule.next_at <= now):
                role.check()
                with suppress(StaleState, NotFound):  # changed, fired or deleted in this moment
                    self._fire(schedule, now)

    def _fire(self, schedule: Schedule, now: datetime) -> None:
        try:
            next_at = find_next(schedule.cron, schedule.timezone, now)
        except InvalidInput as exc:
            self._give_up(schedule, exc)
            return
        if schedule.next_at is None:
            self._parts.storage.schedules.update(schedule.id, next_at=next_at)
            return
        deployment = self._parts.storage.deployments.get(schedule.deployment_id)
        reason = self._why_not(schedule, deployment, now)
        if reason:
            self._skip(schedule, reason, now, next_at)
        else:
            self._deploy(schedule, deployment, now, next_at)

    def _why_not(self, schedule: Schedule, deployment: Deployment, now: datetime) -> str | None:
        """Return why a slot passes without a build."""
        if deployment.desired_state is DesiredState.STOPPED:
            return f"Skipped: {name_deployment(self._parts.storage, deployment)} is stopped."
        # Of many slots that were missed the newest counts; it lies after the one that was next.
        due = schedule.next_at
        if due and now - due > GRACE and find_next(schedule.cron, schedule.timezone, now - GRACE) > now:
            return f"Skipped: it was due at {due:%Y-%m-%d %H:%M} UTC, and nothing ran that could have fired it."
        return None

    def _deploy(self, schedule: Schedule, deployment: Deployment, now: datetime, next_at: datetime) -> None:
        build_id = _make_build_id(schedule)
        with acting(origin=Origin.SCHEDULE), suppress(Conflict):  # queued by one that died before it said so
            self._deployments.deploy(deployment, trigger=BuildTrigger.SCHEDULE, revive=False, build_id=build_id)
        self._parts.storage.schedules.fire(schedule, at=now, next_at=next_at)
        self._parts.storage.schedules.update(schedule.id, last_build_id=build_id, last_error=None)

    def _skip(self, schedule: Schedule, reason: str, now: datetime, next_at: datetime) -> None:
        self._parts.storage.schedules.fire(schedule, at=now, next_at=next_at)
        self._parts.storage.schedules.update(schedule.id, last_fired_at=schedule.last_fired_at, last_error=reason)
        self._parts.record("skip", "schedule", schedule.id, reason=reason)
        logger.info("The schedule %s of deployment %s: %s", schedule.cron, schedule.deployment_id, reason)

    def _give_up(self, schedule: Schedule, error: InvalidInput) -> None:
        """Switch off what can't fire any more, such as one whose time zone this machine doesn't know."""
        self._parts.storage.schedules.update(schedule.id, enabled=False, next_at=None, last_error=error.message)
        self._parts.record("disable", "schedule", schedule.id, reason=error.message)
        logger.warning("The schedule %s is switched off: %s", schedule.id, error.message)


def _make_build_id(schedule: Schedule) -> str:
    return str(uuid5(NAMESPACE_OID, f"{schedule.id}/{schedule.next_at.isoformat() if schedule.next_at else ''}"))


def _goes_by(schedule: Schedule, wanted: str) -> bool:
    return schedule.id == wanted or (len(wanted) >= 8 and schedule.id.startswith(wanted))


def _find_build(parts: Parts, build_id: str | None) -> Build | None:
    try:
        return parts.storage.builds.get(build_id) if build_id else None
    except NotFound:  # removed since
        return None
