"""When deployments are deployed again by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from mastra_admin_sdk import models

from .base import Answer, Body, Moment, Name, Page, PageQuery, Reference


class Schedule(Answer):
    """Deploys a deployment again by the clock."""

    id: str
    deployment_id: str
    cron: str = Field(examples=["0 3 * * *"])
    timezone: str = Field(examples=["Europe/Berlin"])
    enabled: bool
    next_at: Moment | None
    last_fired_at: Moment | None
    last_build_id: str | None
    last_error: str | None = Field(description="Why it last queued no build.")
    created_at: Moment

    @classmethod
    def of(cls, schedule: models.Schedule) -> Self:
        """Return a schedule as the API shows it."""
        return cls(**{name: getattr(schedule, name) for name in cls.model_fields})


class ScheduleItem(Answer):
    """One schedule."""

    schedule: Schedule

    @classmethod
    def of(cls, schedule: models.Schedule) -> Self:
        """Return the answer for one schedule."""
        return cls(schedule=Schedule.of(schedule))


class SchedulePage(Page):
    """A page of schedules."""

    schedules: Sequence[Schedule]


class ScheduleQuery(PageQuery):
    """Which schedules."""

    deployment: Reference | None = Field(None, description="Of a deployment: its id, or `team/project/slug`.")
    project: Reference | None = Field(None, description="Of a project: its id or slug.")
    team: Reference | None = Field(None, description="Of a team: its id or slug.")


class NewSchedule(Body):
    """When to deploy a deployment again."""

    deployment: Reference = Field(description="Which one; stopped ones are passed over until they run again.")
    cron: Name = Field(description="Minute, hour, day of month, month, day of week.", examples=["0 3 * * *"])
    timezone: Name = Field("UTC", description="Whose clock.", examples=["Europe/Berlin"])


class ScheduleChange(Body):
    """What of a schedule can be changed."""

    enabled: bool | None = Field(None, description="Whether it fires; what it missed while off isn't made up for.")
