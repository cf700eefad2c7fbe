"""Alerts: the rules, what each last saw, and the messages that went out because of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mastra_admin_sdk.display.shown import Shown

from .entities import new_id, utc_now
from .showing_more import describe_alert_message, describe_alert_state, describe_rule
from .states import AlertEvent, AlertKind, AlertStatus, DeliveryStatus


@dataclass(frozen=True, slots=True, repr=False)
class AlertRule(Shown):
    """What is watched, and whom to tell; its name is unique.

    It watches one deployment (``deployment_id``), those of a project (``project_id``), or all. ``threshold`` is in the
    unit of the kind (see `AlertKind`), over the last ``window_seconds``. ``options`` are those of
    `services.monitoring.rules`, such as ``min_count``. ``webhook_url`` and ``webhook_secret`` are encrypted, as
    variables are (services.environment.secrets): an address may hold a secret of its own.
    """

    name: str
    kind: AlertKind
    threshold: float
    window_seconds: int = 300
    project_id: str | None = None
    deployment_id: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    webhook_url: str | None = field(default=None, repr=False)
    webhook_secret: str | None = field(default=None, repr=False)
    enabled: bool = True
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    _describe = describe_rule


@dataclass(frozen=True, slots=True, repr=False)
class AlertState(Shown):
    """What a rule last saw of one subject: a deployment's id, or empty for what concerns the whole home.

    ``since`` is when it got this status, ``value`` what was measured last (``None``: nothing to measure). It changes
    by compare-and-set of ``generation``, so that of two processes only one tells of a change. ``notifications`` counts
    the messages since it began to fire.
    """

    rule_id: str
    subject: str = ""
    status: AlertStatus = AlertStatus.OK
    since: datetime = field(default_factory=utc_now)
    value: float | None = None
    evaluated_at: datetime | None = None
    last_notified_at: datetime | None = None
    notifications: int = 0
    generation: int = 0
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    _describe = describe_alert_state


@dataclass(frozen=True, slots=True, repr=False)
class AlertMessage(Shown):
    """One message to a rule's webhook, kept as history after it was delivered or given up.

    ``payload`` is what is sent; ``attempts`` counts tries, ``next_attempt_at`` is when the next one is due, ``error``
    says why the last one failed.
    """

    rule_id: str
    event: AlertEvent
    subject: str = ""
    value: float | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    status: DeliveryStatus = DeliveryStatus.QUEUED
    attempts: int = 0
    next_attempt_at: datetime = field(default_factory=utc_now)
    delivered_at: datetime | None = None
    error: str | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)

    _describe = describe_alert_message
