"""`mastra-admin logs`: numbered lines of servers and builds."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import ServerExit


def write_server_log(command_line: CommandLine, *texts: str) -> Path:
    process = command_line.storage.processes.list()[0]
    path = Path(process.log_path or "")
    with LineLog(path) as log:
        for text in texts:
            log.write(text)
    return path


def test_lines_are_numbered(command_line: CommandLine) -> None:
    command_line.deploy()
    write_server_log(command_line, "one", "\x1b[31mtwo\x1b[0m")
    lines = command_line.run("logs", "weather-agent").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert lines[1].endswith("  two")


def test_tail_shows_the_last_lines_only(command_line: CommandLine) -> None:
    command_line.deploy()
    write_server_log(command_line, *map(str, range(10)))
    found = command_line.run_json("logs", "weather-agent", "--tail", "2")
    assert [(line["number"], line["text"]) for line in found] == [(9, "8"), (10, "9")]
    assert command_line.run_json("logs", "weather-agent", "--tail", "0") == []


def test_the_log_of_a_build(command_line: CommandLine) -> None:
    command_line.deploy()
    found = command_line.run("logs", "weather-agent", "--build", "1")
    assert "Deploy #1 of weather-agent on main (manual)" in found.stdout
    assert command_line.run("logs", "weather-agent", "--build", "7").exit_code == 3


def test_a_deployment_that_never_had_a_server_points_to_its_build(command_line: CommandLine) -> None:
    command_line.source.add("broken", {"behaviour.txt": "fails"})
    command_line.run("deploy", "broken")
    error = command_line.run_json("logs", "broken", exit_code=3)["error"]
    assert "logs default/broken/main --build 1" in error["hint"]


@pytest.mark.parametrize("tail", ["0", "1"])
def test_following_goes_on_after_the_last_line_and_ends_with_the_server(command_line: CommandLine, tail: str) -> None:
    command_line.deploy()
    write_server_log(command_line, "one", "two")
    process = command_line.storage.processes.list()[0]

    def end_later() -> None:
        write_server_log(command_line, "three")
        command_line.runner.end(process.id, ServerExit(0, None, "done"))
        with command_line.make_admin() as admin:
            admin.stop("weather-agent")

    timer = threading.Timer(0.2, end_later)
    timer.start()
    found = command_line.run_json("logs", "weather-agent", "-f", "--tail", tail)
    timer.join()
    assert [line["text"] for line in found] == ["two", "three"][1 - int(tail) :]


def test_interrupted_following_is_still_one_json_array(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mastra_admin_sdk.services.objects import LiveDeployment

    def interrupt(live: LiveDeployment, after: int = 0, *, replica: int | None = None) -> object:
        raise KeyboardInterrupt

    command_line.deploy()
    write_server_log(command_line, "one")
    monkeypatch.setattr(LiveDeployment, "follow_log", interrupt)
    found = command_line.run_json("logs", "weather-agent", "-f", exit_code=130)
    assert [line["text"] for line in found] == ["one"]
