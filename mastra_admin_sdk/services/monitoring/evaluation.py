"""Evaluates alert rules: what was measured becomes states and queued messages, each in one transaction.

Of two processes that see the same only one tells of it: a state changes by compare-and-set, and its message is stored
with it. Sending is the messenger's: a webhook that hangs keeps no rule from its turn.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from mastra_admin_sdk.errors import MastraAdminError, NotFound, StaleState
from mastra_admin_sdk.models import (
    AlertEvent,
    AlertMessage,
    AlertRule,
    AlertState,
    AlertStatus,
    DeliveryStatus,
    utc_now,
)
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.ingestion import Ingester

from .decisions import Decision, Reading, decide, recover
from .measures import Measures
from .messages import Subject, make_payload

logger = logging.getLogger(__name__)

ROLE = "alerter"
_EVENTS = {AlertEvent.FIRING: "alert_fired", AlertEvent.RESOLVED: "alert_recovered"}
_GONE = Reading(None, "there is nothing to be watched any more")


class Evaluator:
    """Looks at all rules. Its ``run_once`` is called by the holder of the role, or by hand."""

    def __init__(self, parts: Parts, ingester: Ingester, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._parts, self._ingester, self._clock = parts, ingester, clock
        self._failing: dict[str, str] = {}
        self._next = 0.0

    def run_when_due(self, role: HeldLease) -> None:
        """One pass each ``alert_interval`` seconds, at the first call after that."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + float(self._parts.settings.alert_interval)
            self.run_once(role.check)

    def run_once(self, check: Callable[[], object] = lambda: None) -> Sequence[AlertRule]:
        """One pass over all rules that are switched on; return those that could be evaluated.

        Raises:
            LeaseLost: another process has the role by now.
        """
        rules = self._parts.storage.alert_rules.list(enabled=True)
        measures = Measures(self._parts, self._ingester, self._clock())
        done = []
        for rule in rules:
            check()
            if self._try(rule, measures):
                done.append(rule)
        return done

    def settle(self, rule: AlertRule) -> None:
        """Let all that a rule says be ``ok``, without a message: it was switched off."""
        for state in self._parts.storage.alert_states.list(rule.id):
            with suppress(StaleState, NotFound):  # evaluated in this moment, or deleted
                self._parts.storage.alert_states.change(state, **recover(state, self._clock()).changes)

    def _try(self, rule: AlertRule, measures: Measures) -> bool:
        """Evaluate one rule; one that can't be must not keep the others from their turn."""
        try:
            self._evaluate(rule, measures)
        except MastraAdminError as exc:
            if self._failing.get(rule.id) != exc.message:
                logger.warning("The alert %s can't be evaluated: %s", rule.name, exc)
            self._failing[rule.id] = exc.message
            return False
        self._failing.pop(rule.id, None)
        return True

    def _evaluate(self, rule: AlertRule, measures: Measures) -> None:
        readings = measures.read(rule)
        for subject, reading in readings.items():
            with suppress(StaleState, NotFound):  # another process was first, or the rule was deleted
                state = self._parts.storage.alert_states.ensure(rule.id, subject)
                self._store(rule, state, reading, decide(rule, state, reading, self._clock()))
        for state in self._parts.storage.alert_states.list(rule.id):
            if state.subject not in readings:
                with suppress(StaleState, NotFound):
                    self._store(rule, state, _GONE, recover(state, self._clock()))
                    self._parts.storage.alert_states.delete(state.id)

    def _store(self, rule: AlertRule, state: AlertState, reading: Reading, decision: Decision) -> None:
        if not decision.changes:
            return
        messages = [self._make_message(rule, state, reading, decision)] if decision.event else []
        changed = self._parts.storage.alert_states.change(state, messages=messages, **decision.changes)
        if decision.event in _EVENTS:
            self._record(rule, changed, reading, _EVENTS[decision.event])

    def _make_message(self, rule: AlertRule, state: AlertState, reading: Reading, decision: Decision) -> AlertMessage:
        event = decision.event or AlertEvent.FIRING
        now = self._clock()
        since = decision.changes.get("since", state.since) if event is not AlertEvent.RESOLVED else state.since
        payload = make_payload(
            rule, event, self.describe(state.subject), reading, since=since, at=now, host=socket.gethostname()
        )
        status = DeliveryStatus.QUEUED if rule.webhook_url else DeliveryStatus.SKIPPED
        return AlertMessage(rule.id, event, state.subject, reading.value, payload, status, next_attempt_at=now)

    def describe(self, subject: str) -> Subject:
        """Return what a subject is called and where it is found."""
        if not subject:
            return Subject()
        name = self._parts.names.find("deployment", subject) or subject
        with suppress(NotFound):
            return Subject(subject, name, self._parts.storage.deployments.get(subject).public_url)
        return Subject(subject, name)

    def _record(self, rule: AlertRule, state: AlertState, reading: Reading, action: str) -> None:
        about = state.subject if state.status is AlertStatus.FIRING or state.subject else ""
        self._parts.record(
            action,
            "alert",
            rule.id,
            object=rule.name,
            deployment=about or None,
            value=reading.value,
            words=reading.words,
        )
