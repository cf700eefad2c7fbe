"""`mastra-admin gc`, `promote`, previews on `deploy` and `ps`, and going back to numbers that can't be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.models import utc_now


@pytest.fixture
def line(command_line: CommandLine) -> CommandLine:
    """The program; each deploy makes an artifact."""
    command_line.settings |= {"build_cache": False, "keep_builds": 0}
    return command_line


def test_gc_explains_what_it_removes(line: CommandLine) -> None:
    line.deploy()
    (line.home / "artifacts" / "x.trash").mkdir()
    dry = line.run("gc", "--dry-run")
    assert "artifact" in dry.stdout
    assert "its removal was interrupted" in dry.stdout
    assert "Would remove 1 thing" in dry.stdout
    assert str(line.home / "artifacts" / "x.trash") in dry.stdout
    found = line.run_json("gc")
    (removed,) = found["removed"]
    assert removed["path"].endswith("x.trash")
    assert (found["dry_run"], found["bytes"], found["problems"]) == (False, removed["bytes"], [])
    assert line.run("gc").stdout == "✓ Nothing to remove\n"


def test_promote_makes_production_from_staging(line: CommandLine) -> None:
    line.deploy("weather-agent", "--type", "staging", "--branch", "staging")
    found = line.run("promote", "weather-agent/staging", "production")
    assert "✓ default/weather-agent/main is promoted" in found.stdout
    assert "  http://weather-agent-main.default.localhost:8080\n" in found.stdout
    assert len(line.runner.requests) == 1
    again = line.run_json("promote", "weather-agent/staging", "main")
    assert (again["build"]["kind"], again["deployment"]["name"]) == ("promote", "default/weather-agent/main")


def test_promote_takes_the_type_of_its_source(line: CommandLine) -> None:
    line.deploy()
    line.deploy("weather-agent", "--type", "staging")
    found = line.run_json("promote", "weather-agent/staging", "production")
    assert (found["build"]["kind"], found["deployment"]["name"]) == ("promote", "default/weather-agent/main")


def test_promote_to_what_is_not_there_says_what_there_is(line: CommandLine) -> None:
    line.deploy("weather-agent", "--type", "staging")
    error = line.run_json("promote", "weather-agent/main", "nothing", exit_code=3)["error"]
    assert "production, staging, preview" in error["hint"]


def test_ps_says_when_a_preview_expires(line: CommandLine) -> None:
    found = line.deploy("weather-agent", "--type", "preview", "--branch", "x", "--ttl", "3.1h")
    assert found["deployment"]["expires_at"]
    assert "  expires in 3 h\n" in line.run("ps").stdout
    (deployment,) = line.storage.deployments.list()
    line.storage.deployments.update(deployment.id, expires_at=utc_now() - timedelta(minutes=5))
    assert "  expired 5 min ago\n" in line.run("ps").stdout
    assert line.run_json("ps")["deployments"][0]["expires_at"]


def test_what_never_expires_takes_no_time_to_live(line: CommandLine) -> None:
    line.source.add("weather-agent")
    error = line.run_json("deploy", "weather-agent", "--ttl", "3d", exit_code=2)["error"]
    assert "only previews expire" in error["message"]
    assert line.storage.deployments.list() == []
    error = line.run_json("deploy", "weather-agent", "--type", "preview", "--ttl", "soon", exit_code=2)["error"]
    assert '"3d"' in error["hint"]


@pytest.mark.parametrize("number", ["0", "-1", "9" * 30], ids=["zero", "negative", "huge"])
def test_going_back_to_a_number_that_cannot_be_is_not_found(line: CommandLine, number: str) -> None:
    line.deploy()
    assert line.run_json("rollback", "weather-agent", "--to", number, exit_code=3)["error"]["code"] == "not_found"


def test_going_back_to_what_was_removed_names_what_is_kept(line: CommandLine) -> None:
    for _ in range(3):
        line.deploy()
    line.run("gc")
    error = line.run_json("rollback", "weather-agent", "--to", "1", exit_code=2)["error"]
    assert "its artifact was removed" in error["message"]
    assert error["hint"] == "Kept: #3, #2."
