"""Alert rules, what they say, and what was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from mastra_admin_sdk.models import AlertEvent, AlertKind, AlertMessage, AlertStatus, DeliveryStatus

from .base import Answer, Body, Moment, Query, Reference, Text

Span = Annotated[str, Field(min_length=2, max_length=20, examples=["90s", "5m", "2h"])]
Kind = Literal["error_rate", "latency", "crash", "down", "memory", "build", "lag", "rejects"]


class Alert(Answer):
    """A rule. Its webhook is never shown again."""

    id: str
    name: str
    kind: AlertKind
    threshold: float = Field(description="In the unit of the kind.")
    window_seconds: int
    project: str | None = Field(description="Whose deployments it watches, such as `search/weather-agent`.")
    deployment: str | None = Field(description="The one that it watches; null: each of the project, or of all.")
    project_id: str | None
    deployment_id: str | None
    enabled: bool
    webhook: bool = Field(description="Whether anybody is told.")
    firing: int = Field(description="For how many deployments it fires.")
    options: Mapping[str, Any] = Field(description="Those that aren't as by default.")
    created_at: Moment
    updated_at: Moment


class AlertItem(Answer):
    """One rule."""

    alert: Alert


class AlertList(Answer):
    """All rules, newest first."""

    alerts: Sequence[Alert]


class AlertState(Answer):
    """What a rule says of a deployment, or of the home."""

    alert_id: str
    alert: str
    kind: AlertKind
    deployment: str | None
    deployment_id: str | None
    status: AlertStatus
    since: Moment
    value: float | None = Field(description="What was measured last; null: there was nothing to measure.")
    threshold: float
    evaluated_at: Moment | None
    notifications: int
    undelivered: int
    last_error: str | None


class AlertStateList(Answer):
    """What all rules say, what fires first."""

    states: Sequence[AlertState]


class Message(Answer):
    """A message of a rule."""

    id: str
    alert_id: str
    alert: str | None
    event: AlertEvent
    deployment: str | None
    value: float | None
    text: str | None
    status: DeliveryStatus
    attempts: int
    error: str | None
    time: Moment
    delivered_at: Moment | None

    @classmethod
    def of(cls, message: AlertMessage, alert: str | None = None) -> Self:
        """Return a message as the API shows it."""
        return cls(
            id=message.id,
            alert_id=message.rule_id,
            alert=alert,
            event=message.event,
            deployment=None,
            value=message.value,
            text=message.payload.get("text"),
            status=message.status,
            attempts=message.attempts,
            error=message.error,
            time=message.created_at,
            delivered_at=message.delivered_at,
        )


class MessageItem(Answer):
    """One message."""

    message: Message


class MessageList(Answer):
    """Messages, newest first."""

    messages: Sequence[Message]
    truncated: bool = Field(description="Whether there are more.")


class MessageQuery(Query):
    """Which messages."""

    alert: Reference | None = Field(None, description="Those of one rule.")
    limit: int = Field(100, ge=1, le=1000)


class NewAlert(Body):
    """A rule to create."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$", examples=["too many errors"])
    kind: Kind
    threshold: float = Field(gt=0, description="In the unit of the kind.")
    window: Span = Field("5m", description="What it looks back on.")
    project: Reference | None = Field(None, description="Watch the deployments of a project.")
    deployment: Reference | None = Field(None, description="Watch one deployment.")
    webhook: Text | None = Field(None, description="The address that is told, by POST; it is never shown again.")
    secret: Text | None = Field(None, description="With it, messages are signed.")
    after: Span | None = Field(None, description="For how long the threshold has to be reached first.")
    clear: float | None = Field(None, gt=0, description="It recovers below this.")
    remind: Span | None = Field(None, description="Repeat the message as long as it fires.")
    min_count: int | None = Field(None, ge=1, le=1_000_000, description="Traces that the window needs at least.")
    percentile: Literal[50, 90, 95, 99] | None = None
    missing: Literal["ok", "keep"] | None = Field(None, description="What it means that there is nothing to measure.")


class AlertChange(Body):
    """What of a rule is to change; what isn't named stays."""

    name: str | None = Field(None, min_length=1, max_length=100, pattern=r"^[^\x00]*$")
    threshold: float | None = Field(None, gt=0)
    window: Span | None = None
    webhook: Text | None = Field(None, description="null removes it.")
    secret: Text | None = Field(None, description="null removes it.")
    enabled: bool | None = None
    after: Span | None = None
    clear: float | None = Field(None, gt=0)
    remind: Span | None = None
    min_count: int | None = Field(None, ge=1, le=1_000_000)
    percentile: Literal[50, 90, 95, 99] | None = None
    missing: Literal["ok", "keep"] | None = None
