"""`mastra-admin alerts` and `mastra-admin health`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fixtures.cli import CommandLine
from fixtures.receiver import Receiver, run_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


def test_an_alert_is_made_listed_changed_switched_and_removed(command_line: CommandLine) -> None:
    command_line.deploy()
    made = command_line.run_json(
        "alerts", "create", "errors", "--kind", "error_rate", "--threshold", "0.1",
        "--deployment", "weather-agent", "--after", "2m", "--min-count", "3",
    )  # fmt: skip
    assert (made["name"], made["threshold"], made["window_s"]) == ("errors", 0.1, 300)
    assert made["options"] == {"after": 120.0, "min_count": 3}
    title, row = command_line.run("alerts", "list").stdout.splitlines()
    assert title.split() == ["ALERT", "KIND", "AT", "OF", "STATE"]
    assert row.split() == ["errors", "error_rate", "0.1", "default/weather-agent/main", "ok"]
    changed = command_line.run_json("alerts", "update", "errors", "--threshold", "0.2", "--window", "1h")
    assert (changed["threshold"], changed["window_s"], changed["options"]) == (0.2, 3600, made["options"])
    assert "The alert errors is off" in command_line.run("alerts", "disable", "errors").stdout
    assert command_line.run("alerts", "list").stdout.splitlines()[1].endswith("off")
    assert command_line.run_json("alerts", "enable", "errors")["enabled"] is True
    assert "The alert errors is removed" in command_line.run("alerts", "delete", made["alert_id"][:8]).stdout
    assert "alerts create errors" in command_line.run("alerts", "list").stdout


def test_wrong_values_are_refused(command_line: CommandLine) -> None:
    found = command_line.run("alerts", "create", "x", "--kind", "latency", "--threshold", "5", "--percentile", "80")
    assert found.exit_code == 2
    assert "50, 90, 95, 99" in found.stderr
    assert command_line.run("alerts", "test", "nobody").exit_code == 3


def test_webhook_and_secret_are_read_from_stdin(command_line: CommandLine, receiver: Receiver) -> None:
    made = command_line.run_json(
        "alerts", "create", "late", "--kind", "lag", "--threshold", "60", "--webhook", "--sign",
        stdin=f"{receiver.url}\ns3cret\n",
    )  # fmt: skip
    assert made["webhook"] is True
    assert "s3cret" not in str(made)
    assert "took a test message" in command_line.run("alerts", "test", "late").stdout
    (delivery,) = receiver.deliveries
    assert delivery.headers["x-hub-signature-256"].startswith("sha256=")


def test_a_test_message_that_does_not_arrive_is_an_error(command_line: CommandLine, receiver: Receiver) -> None:
    receiver.status = 500
    command_line.run_json("alerts", "create", "late", "--kind", "lag", "--threshold", "60", "--webhook", receiver.url)
    found = command_line.run("alerts", "test", "late")
    assert found.exit_code == 1
    assert "It answered 500" in found.stderr
    (row,) = command_line.run_json("alerts", "history", "late")
    assert (row["event"], row["status"]) == ("test", "failed")
    assert "It answered 500" in command_line.run("alerts", "history").stdout


def test_states_are_shown(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.run_json("alerts", "create", "down", "--kind", "down", "--threshold", "1")
    assert "Nothing was looked at yet" in command_line.run("alerts", "states").stdout
    with command_line.make_admin() as admin:
        admin.alerts.check()
    title, row = command_line.run("alerts", "states").stdout.splitlines()
    assert title.split() == ["ALERT", "DEPLOYMENT", "STATE", "SINCE", "VALUE"]
    assert row.split()[:3] == ["down", "default/weather-agent/main", "ok"]
    assert "Nothing fires." in command_line.run("alerts", "states", "--firing").stdout


def test_what_fires_is_in_ps(command_line: CommandLine) -> None:
    command_line.deploy()
    assert "alerts" not in command_line.run("ps").stdout
    command_line.run_json("alerts", "create", "gone", "--kind", "down", "--threshold", "1")
    (process,) = command_line.storage.processes.list()
    command_line.storage.processes.update(process.id, stats={"healthy": False})
    with command_line.make_admin() as admin:
        admin.alerts.check()
    assert "alerts      gone" in command_line.run("ps").stdout.splitlines()
    assert command_line.run_json("ps")["alerts_firing"] == ["gone"]


def test_health_shows_a_line_a_deployment(command_line: CommandLine) -> None:
    assert "Nothing is deployed yet" in command_line.run("health").stdout
    command_line.deploy()
    found = command_line.run("health")
    title, row = found.stdout.splitlines()
    assert title.split()[:3] == ["DEPLOYMENT", "STATUS", "SERVERS"]
    assert row.split()[:3] == ["default/weather-agent/main", "running", "1/1"]
    assert "looks at alerts" in found.stderr
    (row,) = command_line.run_json("health", "--window", "1h")
    assert (row["healthy"], row["status"], row["alerts"]) == (1, "running", 0)
