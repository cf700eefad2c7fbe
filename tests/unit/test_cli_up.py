"""`mastra-admin up` on fakes: the example that an earlier one began, what it says of what isn't back yet."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.cli import background
from mastra_admin_sdk.models import utc_now
from mastra_admin_sdk.services.programs.records import Recorded


@pytest.fixture
def up(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The program, whose ``up`` starts no process."""

    def start(*_: Any) -> dict[str, Any]:
        return {"pid": 1}

    monkeypatch.setattr(background, "_start_background", start)
    command_line.source.add("weather-agent")
    return command_line


def test_up_waits_for_the_example_that_an_earlier_one_began(up: CommandLine) -> None:
    up.deploy("weather-agent", "--team", "Demo", "--no-wait")
    found = up.run("up", "--no-panel")
    assert found.exit_code == 0, found.output
    assert "Build #1 of demo/weather-agent/main is queued already; waiting for it" in found.stdout
    assert "✓ demo/weather-agent/main is live" in found.stdout
    assert "Agent  http://weather-agent-main.demo.localhost:" in found.stdout
    assert "curl -s http://weather-agent-main.demo.localhost:" in found.stdout


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "there"])
def test_what_up_says_of_its_processes_fits_into_80_columns(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    record = Recorded(4194304, 1, "boot", utc_now().isoformat())
    monkeypatch.setattr(background, "ensure_background", lambda *_: (record, is_new))
    lines = command_line.run("up", "--no-panel", "--no-example").stdout.splitlines()
    (line,) = [line for line in lines if "Background process" in line]
    assert "(pid 4194304)" in line
    assert len(line) <= 80


def test_up_gives_the_example_that_it_waited_for_as_json(up: CommandLine) -> None:
    up.deploy("weather-agent", "--team", "Demo", "--no-wait")
    found = up.run_json("up", "--no-panel")["deployment"]
    assert (found["name"], found["status"]) == ("demo/weather-agent/main", "running")
    assert found["url"].startswith("http://weather-agent-main.demo.localhost:")
    assert found["build"]["status"] == "succeeded"
    assert up.run_json("up", "--no-panel")["deployment"] is None


def test_up_without_example_leaves_its_build_alone(up: CommandLine) -> None:
    up.deploy("weather-agent", "--team", "Demo", "--no-wait")
    assert up.run_json("up", "--no-panel", "--no-example")["deployment"] is None
    assert up.run_json("ps")["deployments"][0]["active_build"]["status"] == "queued"


def test_what_is_not_back_yet_is_named(up: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_BACK_SECONDS", 0.0)
    for team in ("One", "Two"):
        up.deploy("weather-agent", "--team", team)
    up.run("down")
    found = up.run("up", "--no-panel")
    assert "weather-agent/main are still on their way:" in found.stderr
    assert "one/weather-agent/main and" in found.stderr or "two/weather-agent/main and" in found.stderr


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a"], "a is still on its way"),
        (["a", "b"], "a and b are still on their way"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more are still on their way"),
    ],
    ids=["one", "two", "many"],
)
def test_names_on_their_way_are_listed_as_people_do(names: list[str], text: str) -> None:
    assert background._say_on_their_way(names) == text


def test_what_the_machine_took_along_is_waited_for_too(up: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_BACK_SECONDS", 0.0)
    up.deploy("weather-agent")
    up.runner.close()
    assert up.run_json("ps")["deployments"][0]["status"] == "running"
    assert "weather-agent/main is still on its way:" in up.run("up", "--no-panel").stderr
