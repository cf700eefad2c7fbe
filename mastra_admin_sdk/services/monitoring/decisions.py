"""What becomes of an alert's state when something was measured. Pure: the evaluator stores what this decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import AlertEvent, AlertRule, AlertState, AlertStatus

from .options import AlertOptions, read_options

_WRITE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured of one subject: ``value`` in the unit of the rule's kind, ``None`` when nothing can be said.

    ``words`` says it for people, such as ``12 of 40 traces failed``.
    """

    value: float | None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Fields of the state to change, none when it can stay as it is, and the message that tells of it, if any."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    event: AlertEvent | None = None


def decide(rule: AlertRule, state: AlertState, reading: Reading, now: datetime) -> Decision:
    """Return what follows from a reading.

    A rule fires when its threshold was reached for ``after`` seconds, and recovers below ``clear``.
    """
    options = read_options(rule.options)
    seen = {"value": reading.value, "evaluated_at": now}
    if state.status is AlertStatus.FIRING:
        return _decide_firing(rule, options, state, reading, now, seen)
    if reading.value is None and options.missing == "keep":
        return _keep(state, seen, now)
    if reading.value is None or reading.value < rule.threshold:
        if state.status is AlertStatus.PENDING:
            return Decision({**seen, "status": AlertStatus.OK, "since": now})
        return _keep(state, seen, now)
    began = state.since if state.status is AlertStatus.PENDING else now
    if (now - began).total_seconds() >= options.after:
        told = {"last_notified_at": now, "notifications": 1}
        return Decision({**seen, "status": AlertStatus.FIRING, "since": now, **told}, AlertEvent.FIRING)
    if state.status is AlertStatus.PENDING:
        return _keep(state, seen, now)
    return Decision({**seen, "status": AlertStatus.PENDING, "since": now})


def recover(state: AlertState, now: datetime) -> Decision:
    """Return what follows when a subject is gone or its rule is no longer for it: what fired has recovered."""
    event = AlertEvent.RESOLVED if state.status is AlertStatus.FIRING else None
    return Decision({"status": AlertStatus.OK, "since": now, "value": None, "evaluated_at": now}, event)


def _decide_firing(
    rule: AlertRule, options: AlertOptions, state: AlertState, reading: Reading, now: datetime, seen: Mapping[str, Any]
) -> Decision:
    limit = rule.threshold if options.clear is None else options.clear
    has_recovered = options.missing == "ok" if reading.value is None else reading.value < limit
    if has_recovered:
        return Decision({**seen, "status": AlertStatus.OK, "since": now}, AlertEvent.RESOLVED)
    silent = (now - (state.last_notified_at or state.since)).total_seconds()
    if options.remind and silent >= options.remind:
        told = {"last_notified_at": now, "notifications": state.notifications + 1}
        return Decision({**seen, **told}, AlertEvent.REMINDER)
    return _keep(state, seen, now)


def _keep(state: AlertState, seen: Mapping[str, Any], now: datetime) -> Decision:
    """Nothing new: what was measured is written now and then only, the database has more to do."""
    age = (now - state.evaluated_at).total_seconds() if state.evaluated_at else _WRITE_SECONDS
    return Decision(seen) if age >= _WRITE_SECONDS else Decision()
