"""What a webhook is sent: the payload, its signature, and the headers. Pure functions."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import AlertEvent, AlertKind, AlertMessage, AlertRule

from .decisions import Reading
from .options import read_options

SIGNATURE_HEADER = "X-Hub-Signature-256"
_UNITS: Mapping[AlertKind, str] = {
    AlertKind.ERROR_RATE: "ratio",
    AlertKind.LATENCY: "ms",
    AlertKind.CRASH: "servers",
    AlertKind.DOWN: "servers",
    AlertKind.MEMORY: "MB",
    AlertKind.BUILD: "builds",
    AlertKind.LAG: "s",
    AlertKind.REJECTS: "lines",
}
_WORDS = {
    AlertEvent.FIRING: "FIRING",
    AlertEvent.REMINDER: "STILL FIRING",
    AlertEvent.RESOLVED: "RESOLVED",
    AlertEvent.TEST: "TEST",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a message is about: a deployment, or the home when there is none."""

    deployment_id: str = ""
    name: str = ""
    url: str | None = None


def make_payload(
    rule: AlertRule, event: AlertEvent, subject: Subject, reading: Reading, *, since: datetime, at: datetime, host: str
) -> dict[str, Any]:
    """Return the JSON object that a message carries; docs/monitoring.md describes it."""
    return {
        "event": event.value,
        "text": make_text(rule, event, subject, reading, host=host),
        "alert": {"id": rule.id, "name": rule.name, "kind": rule.kind.value},
        "deployment": _describe(subject),
        "value": reading.value,
        "threshold": rule.threshold,
        "unit": _UNITS[rule.kind],
        "window_seconds": rule.window_seconds,
        "since": since.isoformat(),
        "at": at.isoformat(),
        "host": host,
    }


def make_text(rule: AlertRule, event: AlertEvent, subject: Subject, reading: Reading, *, host: str) -> str:
    """Return one line for people, which chat programs show."""
    where = subject.name or f"the home on {host}"
    if event is AlertEvent.TEST:
        return f"[TEST] {rule.name}: this is what a message of this alert looks like. Nothing is wrong."
    sentence = f"[{_WORDS[event]}] {rule.name}: {where}: {reading.words or 'there is nothing to measure'}"
    sentence += f" (alerts at {describe_threshold(rule)})."
    return f"{sentence} {subject.url}" if subject.url else sentence


def describe_threshold(rule: AlertRule) -> str:
    """Return a rule's threshold for people, such as ``p95 of 1,500 ms`` or ``10 %``."""
    if rule.kind is AlertKind.ERROR_RATE:
        return f"{rule.threshold:.4g}" if rule.threshold < 0.0001 else f"{rule.threshold * 100:.4g} %"
    shown = f"{rule.threshold:,.10g} {_UNITS[rule.kind]}"
    return f"p{read_options(rule.options).percentile} of {shown}" if rule.kind is AlertKind.LATENCY else shown


def make_body(message: AlertMessage, *, sent_at: datetime) -> bytes:
    """Return a message as it is sent: its payload, with an id that stays the same when it is sent again."""
    sent = {"id": message.id, **message.payload, "attempt": message.attempts, "sent_at": sent_at.isoformat()}
    return json.dumps(sent, ensure_ascii=False).encode()


def make_headers(message: AlertMessage, body: bytes, secret: str | None) -> dict[str, str]:
    """Return the headers of a message; with a secret an HMAC-SHA256 of the body is among them, as GitHub sends it."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "mastra-admin",
        "X-Mastra-Admin-Event": message.event.value,
        "X-Mastra-Admin-Delivery": message.id,
    }
    if secret:
        headers[SIGNATURE_HEADER] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return headers


def _describe(subject: Subject) -> dict[str, Any] | None:
    if not subject.deployment_id:
        return None
    return {"id": subject.deployment_id, "name": subject.name, "url": subject.url}
