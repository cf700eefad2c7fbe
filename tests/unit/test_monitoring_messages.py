"""What a webhook is sent, and where it may be."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import AlertEvent, AlertKind, AlertMessage, AlertRule
from mastra_admin_sdk.services.monitoring.decisions import Reading
from mastra_admin_sdk.services.monitoring.delivery import check_webhook
from mastra_admin_sdk.services.monitoring.messages import (
    Subject,
    describe_threshold,
    make_body,
    make_headers,
    make_payload,
)
from mastra_admin_sdk.services.triggers.deliveries import is_genuine

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RULE = AlertRule("slow answers", AlertKind.LATENCY, 1500.0, 600, options={"percentile": 99})
SUBJECT = Subject("d1", "search/weather/main", "http://weather.search.localhost:8080")


def make(event: AlertEvent, rule: AlertRule = RULE, subject: Subject = SUBJECT) -> dict[str, object]:
    reading = Reading(2310.0, "p99 of 42 traces was 2,310 ms in the last 10 minutes")
    return make_payload(rule, event, subject, reading, since=NOW, at=NOW, host="box")


def test_a_payload_tells_programs_and_people() -> None:
    assert make(AlertEvent.FIRING) == {
        "event": "firing",
        "text": "[FIRING] slow answers: search/weather/main: p99 of 42 traces was 2,310 ms in the last 10 minutes "
        "(alerts at p99 of 1,500 ms). http://weather.search.localhost:8080",
        "alert": {"id": RULE.id, "name": "slow answers", "kind": "latency"},
        "deployment": {"id": "d1", "name": "search/weather/main", "url": "http://weather.search.localhost:8080"},
        "value": 2310.0,
        "threshold": 1500.0,
        "unit": "ms",
        "window_seconds": 600,
        "since": "2026-01-02T03:04:05+00:00",
        "at": "2026-01-02T03:04:05+00:00",
        "host": "box",
    }


def test_what_is_about_the_home_names_no_deployment() -> None:
    payload = make(AlertEvent.RESOLVED, AlertRule("late", AlertKind.LAG, 60.0), Subject())
    assert payload["deployment"] is None
    assert str(payload["text"]).startswith("[RESOLVED] late: the home on box: ")


def test_a_test_says_that_it_is_one() -> None:
    assert "Nothing is wrong." in str(make(AlertEvent.TEST)["text"])


def test_thresholds_are_said_in_their_unit() -> None:
    kinds = {AlertKind.ERROR_RATE: 0.125, AlertKind.CRASH: 2.0, AlertKind.MEMORY: 1024.0, AlertKind.LAG: 30.0}
    said = [describe_threshold(AlertRule("x", kind, value)) for kind, value in kinds.items()]
    assert said == ["12.5 %", "2 servers", "1,024 MB", "30 s"]


def test_a_body_keeps_its_id_and_is_signed_as_the_webhooks_that_come_in_are() -> None:
    message = AlertMessage(RULE.id, AlertEvent.FIRING, payload=make(AlertEvent.FIRING), attempts=2)
    body = make_body(message, sent_at=NOW)
    sent = json.loads(body)
    assert (sent["id"], sent["attempt"], sent["sent_at"]) == (message.id, 2, NOW.isoformat())
    headers = {name.lower(): value for name, value in make_headers(message, body, "s3cret").items()}
    assert is_genuine("s3cret", headers, body)
    assert not is_genuine("s3cret", headers, body + b" ")
    assert (headers["x-mastra-admin-event"], headers["x-mastra-admin-delivery"]) == ("firing", message.id)
    assert "X-Hub-Signature-256" not in make_headers(message, body, None)


@pytest.mark.parametrize("url", ["https://hooks.example.com/x?y=z", "http://127.0.0.1:9/", "https://[::1]/x"])
def test_addresses_that_can_be_called_are_taken(url: str) -> None:
    assert check_webhook(url, []) == url


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "ftp://x/y", "file:///etc/passwd", "https://", "https://me:s3cret@x/", "http://x:port/",
     "https://x/a b", "https://x/\r\nHost: y", "https://ü.example/"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_webhook(url, [])
    assert "s3cret" not in str(caught.value)


def test_only_hosts_that_are_listed_are_called_when_there_is_a_list() -> None:
    allowed = ["hooks.slack.com", "*.Example.com"]
    check_webhook("https://hooks.slack.com/x", allowed)
    check_webhook("https://A.example.com/x", allowed)
    for other in ("https://example.com/", "https://169.254.169.254/latest", "https://hooks.slack.com.evil.com/"):
        with pytest.raises(InvalidInput, match="may not be sent"):
            check_webhook(other, allowed)
