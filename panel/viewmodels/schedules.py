"""Schedules as lists show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mastra_admin_sdk.models import Schedule

from .builds import iso


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One schedule; ``deployment`` is the slug of what it deploys."""

    id: str
    deployment_id: str
    deployment: str
    cron: str
    timezone: str
    enabled: bool
    next_at: str | None
    last_fired_at: str | None
    last_build_id: str | None
    last_error: str | None


def describe_schedules(schedules: Iterable[Schedule], names: Mapping[str, str]) -> tuple[ScheduleRow, ...]:
    """Return schedules as rows; ``names`` are slugs of deployments by id."""
    return tuple(
        ScheduleRow(
            id=item.id,
            deployment_id=item.deployment_id,
            deployment=names.get(item.deployment_id, ""),
            cron=item.cron,
            timezone=item.timezone,
            enabled=item.enabled,
            next_at=iso(item.next_at),
            last_fired_at=iso(item.last_fired_at),
            last_build_id=item.last_build_id,
            last_error=item.last_error,
        )
        for item in schedules
    )
