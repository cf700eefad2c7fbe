"""Alerts as DataFrames: the rules, what they say, and what was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import AlertMessage, AlertRule, AlertState, AlertStatus, Cursor, DeliveryStatus
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.service import Moment, parse_moment

from .columns import ALERT_COLUMNS, MESSAGE_COLUMNS, STATE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

AlertRef = AlertRule | str


_SHORTEST_ID = 8


class AlertListing:
    """Finds and shows alerts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def list(self, *, limit: int | None = None, after: Cursor | None = None) -> Sequence[AlertRule]:
        """Return rules, newest first: all, or a page of ``limit`` rules ``after`` a place in that order."""
        return self._parts.storage.alert_rules.list(limit=limit, after=after)

    def get(self, alert: AlertRef) -> AlertRule:
        """Return a rule by its name, its id, or the beginning of that, eight characters or more."""
        wanted = alert if isinstance(alert, str) else alert.id
        rules = self._parts.storage.alert_rules.list()
        found = [rule for rule in rules if wanted in (rule.name, rule.id)]
        if not found and len(wanted) >= _SHORTEST_ID:
            found = [rule for rule in rules if rule.id.startswith(wanted)]
        if len(found) > 1:
            raise InvalidInput(f"{wanted!r} names {len(found)} alerts.", hint="Give more of the id.")
        if not found:
            known = ", ".join(sorted(rule.name for rule in rules)[:10])
            raise NotFound(
                f"There is no alert {wanted!r}.",
                hint=f"There are: {known}." if known else "There is none yet: admin.alerts.create(…) makes one.",
            )
        return found[0]

    def frame(self) -> pd.DataFrame:
        """Return a row a rule, newest first, also when there is none: `columns.ALERT_COLUMNS`."""
        firing = [state.rule_id for state in self._parts.storage.alert_states.list(statuses=[AlertStatus.FIRING])]
        return make_frame(
            ALERT_COLUMNS, [{**self.describe(rule), "firing": firing.count(rule.id)} for rule in self.list()]
        )

    def states(self, *, firing: bool = False) -> pd.DataFrame:
        """Return what each rule says of each of its subjects, what fires first: `columns.STATE_COLUMNS`.

        Parameters:
            firing: only what fires.
        """
        statuses = [AlertStatus.FIRING] if firing else None
        rules = {rule.id: rule for rule in self.list()}
        waiting = self._parts.storage.alert_messages.list(statuses=[DeliveryStatus.QUEUED])
        rows = [
            self._describe_state(rules[state.rule_id], state, waiting)
            for state in self._parts.storage.alert_states.list(statuses=statuses)
            if state.rule_id in rules
        ]
        order = [status.value for status in (AlertStatus.FIRING, AlertStatus.PENDING, AlertStatus.OK)]
        rows.sort(key=lambda row: (order.index(row["status"]), row["alert"], row["deployment"] or ""))
        return make_frame(STATE_COLUMNS, rows)

    def history(
        self, alert: AlertRef | None = None, *, since: Moment | None = None, limit: int | None = 1000
    ) -> pd.DataFrame:
        """Return the messages of a rule, or all, newest first: `columns.MESSAGE_COLUMNS`. They are kept for 90 days.

        Parameters:
            alert: which rule's.
            since: ``"24h"``, an aware datetime.
            limit: how many at most; ``None`` for all. ``frame.attrs["truncated"]`` says whether it cut.
        """
        rules = {rule.id: rule.name for rule in self.list()}
        found = self._parts.storage.alert_messages.list(
            self.get(alert).id if alert is not None else None,
            since=parse_moment(since) if since is not None else None,
            limit=limit,
        )
        frame = make_frame(MESSAGE_COLUMNS, [self._describe_message(item, rules.get(item.rule_id)) for item in found])
        frame.attrs["truncated"] = limit is not None and len(found) >= limit
        return frame

    def describe(self, rule: AlertRule) -> dict[str, Any]:
        """Return a rule as a row of `frame`, without ``firing``: nothing of its webhook is in it."""
        return {
            "alert_id": rule.id,
            "name": rule.name,
            "kind": rule.kind.value,
            "threshold": rule.threshold,
            "window_s": rule.window_seconds,
            "project": self._parts.names.find("project", rule.project_id) if rule.project_id else None,
            "deployment": self._name(rule.deployment_id or ""),
            "enabled": rule.enabled,
            "webhook": rule.webhook_url is not None,
            "options": dict(rule.options),
            "created_at": rule.created_at,
            "updated_at": rule.updated_at,
        }

    def _describe_state(self, rule: AlertRule, state: AlertState, waiting: Sequence[AlertMessage]) -> dict[str, Any]:
        own = [item for item in waiting if (item.rule_id, item.subject) == (rule.id, state.subject)]
        return {
            **{name: getattr(state, name, None) for name in STATE_COLUMNS},
            "alert": rule.name,
            "alert_id": rule.id,
            "kind": rule.kind.value,
            "threshold": rule.threshold,
            "status": state.status.value,
            "deployment_id": state.subject or None,
            "deployment": self._name(state.subject),
            "undelivered": len(own),
            "last_error": next((item.error for item in own if item.error), None),
        }

    def _describe_message(self, message: AlertMessage, name: str | None) -> dict[str, Any]:
        is_over = message.status is not DeliveryStatus.QUEUED
        return {
            "time": message.created_at,
            "alert": name,
            "event": message.event.value,
            "deployment": self._name(message.subject),
            "value": message.value,
            "text": message.payload.get("text"),
            "status": message.status.value,
            "attempts": message.attempts,
            "delivered_at": message.delivered_at,
            "next_attempt_at": None if is_over else message.next_attempt_at,
            "error": message.error,
            "message_id": message.id,
            "alert_id": message.rule_id,
        }

    def _name(self, subject: str) -> str | None:
        return self._parts.names.find("deployment", subject) if subject else None
