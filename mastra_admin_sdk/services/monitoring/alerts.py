"""Alert rules, as ``admin.alerts``."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import (
    AlertEvent,
    AlertKind,
    AlertMessage,
    AlertRule,
    DeliveryStatus,
    choose,
    utc_now,
)
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import DeploymentRef, ProjectRef, Resolver

from .decisions import Reading
from .delivery import Messenger, check_webhook
from .evaluation import Evaluator
from .listing import AlertListing, AlertRef
from .messages import make_payload
from .options import HOME_KINDS, Span, make_options, read_span, read_threshold

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_NAME = 100
_LONGEST_SECRET = 1000
_OWN = ("name", "threshold", "window", "project", "deployment", "webhook", "secret")


class AlertService(AlertListing):
    """Rules that watch deployments, and tell a webhook when one of them fires and when it has recovered."""

    def __init__(self, parts: Parts, resolver: Resolver, evaluator: Evaluator, messenger: Messenger) -> None:
        super().__init__(parts)
        self._resolver, self._evaluator, self._messenger = resolver, evaluator, messenger

    def create(
        self,
        name: str,
        *,
        kind: AlertKind | str,
        threshold: float,
        window: Span = "5m",
        project: ProjectRef | None = None,
        deployment: DeploymentRef | None = None,
        webhook: str | None = None,
        secret: str | None = None,
        **options: Any,
    ) -> AlertRule:
        """Watch something, while some process does the background work.

        Parameters:
            name: what it is called, unique.
            kind: ``error_rate``, ``latency``, ``crash``, ``down``, ``memory``, ``build``; of the whole home ``lag`` and
                ``rejects``: see `models.AlertKind`.
            threshold: it fires when this is reached, in the unit of the kind.
            window: what it looks back on: ``"5m"``.
            project, deployment: what it watches, each deployment by itself; all unless given.
            webhook: the address that is told, by POST; it is stored encrypted and never shown again.
            secret: with it, messages carry an HMAC-SHA256 of their body.
            options: ``after``, ``clear``, ``remind``, ``min_count``, ``percentile``, ``missing``: see
                `options.AlertOptions`.

        Raises:
            InvalidInput: something of this can't be.
            Conflict: there is an alert of that name.

        Example:
            >>> admin.alerts.create("errors", kind="error_rate", threshold=0.1, deployment="weather-agent", after="2m")
        """
        chosen, limit = choose(AlertKind, kind), read_threshold(choose(AlertKind, kind), threshold)
        project_id, deployment_id = self._find_subject(chosen, project, deployment)
        rule = AlertRule(
            _check_name(name),
            chosen,
            limit,
            int(read_span(window, "window")),
            project_id,
            deployment_id,
            options=make_options(chosen, limit, {}, options),
            webhook_url=self._seal_webhook(webhook),
            webhook_secret=self._seal_secret(secret),
        )
        created = self._parts.storage.alert_rules.create(rule)
        self._record("create", created, kind=chosen.value, threshold=limit)
        return created

    def update(self, alert: AlertRef, **changes: Any) -> AlertRule:
        """Change a rule; what isn't named stays as it is. Its kind stays, too.

        Parameters:
            alert: which one.
            changes: as in `create`; ``webhook=None`` and ``secret=None`` remove them.

        Raises:
            InvalidInput: something of this can't be.
        """
        rule = self.get(alert)
        if "kind" in changes:
            raise InvalidInput("The kind of an alert stays.", hint="Delete it and create another.")
        values: dict[str, Any] = {}
        if "name" in changes:
            values["name"] = _check_name(changes["name"])
        if "window" in changes:
            values["window_seconds"] = int(read_span(changes["window"], "window"))
        if "webhook" in changes:
            values["webhook_url"] = self._seal_webhook(changes["webhook"])
        if "secret" in changes:
            values["webhook_secret"] = self._seal_secret(changes["secret"])
        if "project" in changes or "deployment" in changes:
            found = self._find_subject(rule.kind, changes.get("project"), changes.get("deployment"))
            values["project_id"], values["deployment_id"] = found
        values["threshold"] = read_threshold(rule.kind, changes.get("threshold", rule.threshold))
        given = {name: value for name, value in changes.items() if name not in _OWN}
        values["options"] = make_options(rule.kind, values["threshold"], rule.options, given)
        changed = self._parts.storage.alert_rules.update(rule.id, **values)
        self._record("update", changed, fields=sorted(changes))
        return changed

    def enable(self, alert: AlertRef) -> AlertRule:
        """Switch a rule on."""
        changed = self._parts.storage.alert_rules.update(self.get(alert).id, enabled=True)
        self._record("enable", changed)
        return changed

    def disable(self, alert: AlertRef) -> AlertRule:
        """Switch a rule off; what fires counts as recovered, and nobody is told."""
        changed = self._parts.storage.alert_rules.update(self.get(alert).id, enabled=False)
        self._evaluator.settle(changed)
        self._record("disable", changed)
        return changed

    def delete(self, alert: AlertRef) -> None:
        """Remove a rule with its states and its history; nobody is told."""
        rule = self.get(alert)
        self._parts.storage.alert_rules.delete(rule.id)
        self._record("delete", rule)

    def test(self, alert: AlertRef) -> AlertMessage:
        """Send a message that says that it is a test, now, and return what became of it.

        Returns:
            The message: ``status`` is ``delivered`` or ``failed``, with ``error`` saying why. It is not sent again.

        Raises:
            InvalidInput: the rule has no webhook.
        """
        rule = self.get(alert)
        if not rule.webhook_url:
            raise InvalidInput(f"The alert {rule.name} has no webhook.", hint="Give it one with update(webhook=…).")
        subject = self._evaluator.describe(rule.deployment_id or "")
        now = utc_now()
        payload = make_payload(
            rule, AlertEvent.TEST, subject, Reading(None), since=now, at=now, host=socket.gethostname()
        )
        # Under a subject of its own: it neither waits for other messages nor lets them wait.
        message = self._parts.storage.alert_messages.create(
            AlertMessage(rule.id, AlertEvent.TEST, "test", payload=payload, next_attempt_at=now)
        )
        sent = self._messenger.send(message) or self._parts.storage.alert_messages.get(message.id)
        self._record("test", rule, message=message.id)
        if sent.status is not DeliveryStatus.QUEUED:
            return sent
        return self._parts.storage.alert_messages.update(sent.id, status=DeliveryStatus.FAILED)

    def check(self) -> pd.DataFrame:
        """Evaluate all rules now and queue what there is to be told, and return `states`.

        The background work does this each ``alert_interval`` seconds.
        """
        self._evaluator.run_once()
        return self.states()

    def _find_subject(
        self, kind: AlertKind, project: ProjectRef | None, deployment: DeploymentRef | None
    ) -> tuple[str | None, str | None]:
        if project is not None and deployment is not None:
            raise InvalidInput("An alert watches a project or a deployment, not both.", hint="Leave one of them out.")
        if kind in HOME_KINDS and (project is not None or deployment is not None):
            raise InvalidInput(f"An alert of the kind {kind.value} is about the whole home.", hint="Leave it out.")
        return (
            self._resolver.project(project).id if project is not None else None,
            self._resolver.deployment(deployment).id if deployment is not None else None,
        )

    def _seal_webhook(self, url: str | None) -> str | None:
        if url is None:
            return None
        return self._parts.secrets.encrypt(check_webhook(str(url), self._parts.settings.alert_hosts))

    def _seal_secret(self, secret: str | None) -> str | None:
        if secret is None:
            return None
        if not isinstance(secret, str) or not 1 <= len(secret) <= _LONGEST_SECRET:
            raise InvalidInput("That can't be the secret of a webhook.", hint="Give text of 1 to 1,000 characters.")
        return self._parts.secrets.encrypt(secret)

    def _record(self, action: str, rule: AlertRule, **details: Any) -> None:
        self._parts.record(action, "alert", rule.id, object=rule.name, **details)


def _check_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"{name!r} can't be the name of an alert.", hint="Give 1 to 100 characters of text.")
    return name.strip()
