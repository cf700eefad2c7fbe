"""`mastra-admin scale` and `limits`, and what `ps` shows of several servers."""

from __future__ import annotations

import pytest
from fixtures.cli import CommandLine


def test_scale_starts_servers_and_ps_shows_each(command_line: CommandLine) -> None:
    command_line.deploy("weather-agent", "--replicas", "2")
    first, *_ = command_line.runner.ports
    assert command_line.run("scale", "weather-agent", "3").stdout == (
        f"✓ default/weather-agent/main has 3 servers: port {first}, {first + 1}, {first + 2}\n"
    )
    found = command_line.run("ps").stdout
    assert "running 3/3" in found
    assert f"  server 2: port {first + 2}, 977 KB, 5 open files, up " in found
    assert all(len(line) <= 80 for line in found.splitlines() if str(command_line.home) not in line)
    described = command_line.run_json("ps")["deployments"][0]
    assert (described["replicas"], described["memory_bytes"], described["open_files"]) == (3, 3_000_000, 15)
    assert [server["replica"] for server in described["servers"]] == [0, 1, 2]
    scaled = command_line.run_json("scale", "weather-agent", "1")
    assert (scaled["servers"], scaled["before"], scaled["ports"]) == (1, 3, [first])


def test_scaling_what_is_stopped_is_for_its_next_start(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.run("stop", "weather-agent")
    assert "will have 2 servers when it is started" in command_line.run("scale", "weather-agent", "2").stdout


def test_a_number_that_cannot_be_is_wrong_usage(command_line: CommandLine) -> None:
    command_line.deploy()
    error = command_line.run_json("scale", "weather-agent", "0", exit_code=2)["error"]
    assert "from 1 to 12" in error["message"]


def test_limits_are_set_shown_and_said_to_apply_later(command_line: CommandLine) -> None:
    command_line.deploy()
    found = command_line.run("limits", "weather-agent", "--memory", "512", "--nice", "5").stdout
    assert "memory  512 MB" in found
    assert "It applies from the next start on: mastra-admin" in found
    assert "restart default/weather-agent/main" in found
    assert command_line.run_json("limits", "weather-agent")["limits"] == {"memory_mb": 512, "nice": 5}
    shown = command_line.run("limits", "weather-agent", "--memory", "default").stdout
    assert "memory  no limit (as the settings say)" in shown
    assert "nice    5\n" in shown


@pytest.mark.parametrize(
    "arguments", [("--memory", "10"), ("--memory", "much"), ("--nice", "20")], ids=["tiny", "word", "high"]
)
def test_a_limit_that_cannot_be_is_wrong_usage(command_line: CommandLine, arguments: tuple[str, str]) -> None:
    command_line.deploy()
    assert command_line.run_json("limits", "weather-agent", *arguments, exit_code=2)["error"]["message"]
