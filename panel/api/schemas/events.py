"""The audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from mastra_admin_sdk import models

from .base import Answer, Moment, Name, Page, PageQuery, Reference, When


class Event(Answer):
    """Who did what to which object."""

    id: str
    time: Moment
    actor: str
    action: str = Field(examples=["deploy", "set_env"])
    object_type: str = Field(examples=["deployment"])
    object_id: str
    details: dict[str, Any] = Field(description="What belongs to it: names, numbers, from where; never a secret.")

    @classmethod
    def of(cls, event: models.Event) -> Self:
        """Return an event as the API shows it."""
        return cls(
            id=event.id,
            time=event.time,
            actor=event.actor,
            action=event.action,
            object_type=event.object_type,
            object_id=event.object_id,
            details=dict(event.details),
        )


class EventPage(Page):
    """A page of the audit log."""

    events: Sequence[Event]


class EventQuery(PageQuery):
    """Which events."""

    team: Reference | None = Field(None, description="About a team and what it has: its id or slug.")
    object_type: Name | None = Field(None, description="Such as `deployment`.")
    object_id: Name | None = Field(None, description="About one object.")
    action: Name | None = Field(None, description="Such as `deploy`.")
    actor: Name | None = Field(None, description="Done by them.")
    since: When | None = Field(None, description="At or after this time.")
    until: When | None = Field(None, description="Before this time.")
