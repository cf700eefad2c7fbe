"""`mastra-admin scale` and `limits`, and what `ps` shows of several servers."""

from __future__ import annotations

import pytest
from fixtures.cli import CommandLine


def test_scale_starts_servers_and_ps_shows_each(command_line: CommandLine) -> None:
    command_line.deploy("weather-agent", "--replicas", "2")
    said = command_line.run("scale", "weather-agent", "3").stdout
    described = command_line.run_json("ps")["deployments"][0]
    ports = [server["port"] for server in described["servers"]]
    assert said == f"✓ default/weather-agent/main has 3 servers: port {', '.join(map(str, ports))}\n"
    assert [server["replica"] for server in described["servers"]] == [0, 1, 2]
    assert (described["replicas"], described["memory_bytes"], described["open_files"]) == (3, 3_000_000, 15)
    shown = command_line.run("ps").stdout
    assert "running 3/3" in shown
    assert f"  server 2: port {ports[2]}, 977 KB, 5 open files, up " in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if str(command_line.home) not in line)
    scaled = command_line.run_json("scale", "weather-agent", "1")
    assert (scaled["servers"], scaled["before"], scaled["ports"]) == (1, 3, ports[:1])


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
    assert "It applies from the next start on: " in found
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


def test_the_log_of_one_of_several_servers_is_chosen_by_its_number(command_line: CommandLine) -> None:
    command_line.deploy("weather-agent", "--replicas", "2")
    assert command_line.run("logs", "weather-agent", "--replica", "1").exit_code == 0
    error = command_line.run_json("logs", "weather-agent", "--replica", "2", exit_code=3)["error"]
    assert error["message"] == "default/weather-agent/main never had a server 2."
    assert command_line.run_json("logs", "weather-agent", "--replica", "1", "--build", "1", exit_code=2)["error"]
