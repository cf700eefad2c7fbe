"""Progress of a build, what the demo counts as seen, and what people are told to try next."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from fixtures.cli import CommandLine
from rich.console import Console
from rich.spinner import Spinner

from mastra_admin_sdk.cli.demonstration import check_idle, is_observed, make_empty_result
from mastra_admin_sdk.cli.output import Output
from mastra_admin_sdk.cli.progress import LivePanel, describe_stage, read_last_line, show_progress, summarize_phases
from mastra_admin_sdk.cli.session import Session
from mastra_admin_sdk.cli.suggestions import list_next_steps, make_curl
from mastra_admin_sdk.errors import Conflict
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import Build, BuildStatus
from mastra_admin_sdk.services.projects.example import find_example


def make_build(status: BuildStatus = BuildStatus.BUILDING, log: Path | None = None, **phases: float) -> Build:
    return Build("d", number=3, status=status, phases=phases, log_path=str(log) if log else None)


def test_the_live_display_shows_phase_seconds_and_the_last_line(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    with LineLog(log) as lines:
        lines.write("first")
        lines.write("\x1b[32madded 308 packages\x1b[0m in 19 s")
    panel = LivePanel("Build #3 of demo/weather-agent/main", Spinner("dots"))
    panel.show(make_build(log=log, copy=0.1, install=20.04, build=0.0))
    text = io.StringIO()
    Console(file=text, width=60, force_terminal=False).print(panel)
    shown = text.getvalue().splitlines()
    assert "Build #3 of demo/weather-agent/main: build 0 s" in shown[0]
    assert shown[1].strip() == "copy 0.1 s · install 20.0 s"
    assert shown[2].strip() == "added 308 packages in 19 s"
    assert max(map(len, shown)) <= 60


@pytest.mark.parametrize(
    ("build", "stage"),
    [
        (None, "waiting in the queue"),
        (make_build(BuildStatus.QUEUED), "waiting in the queue"),
        (make_build(), "starting"),
        (make_build(copy=1.0, install=2.0), "install"),
        (make_build(BuildStatus.SUCCEEDED, copy=1.0), "succeeded"),
    ],
    ids=["nothing known", "queued", "claimed", "in a phase", "ended"],
)
def test_the_stage_of_a_build_is_a_word(build: Build | None, stage: str) -> None:
    assert describe_stage(build) == stage


def test_the_last_line_is_the_last_complete_one(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    assert read_last_line(str(path)) == ""
    assert read_last_line(None) == ""
    path.write_bytes(b"1\tt\tout\tone\n2\tt\tout\ttwo\twith a tab\n3\tt\tout\thal")
    assert read_last_line(str(path)) == "two\twith a tab"
    path.write_bytes(b"1\tt\tout\t" + b"x" * 10_000 + b"\n")
    assert read_last_line(str(path)).endswith("xxx")


def test_json_mode_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(Output(json_mode=True), "x") as show:
        show(make_build(copy=1.0))
    assert capsys.readouterr() == ("", "")


def test_phases_are_summarized() -> None:
    assert summarize_phases({"copy": 0.04, "install": 20.06}) == "copy 0.0 s · install 20.1 s"


def test_the_demo_is_ok_only_when_every_part_was_observed() -> None:
    result = make_empty_result()
    assert not is_observed(result)
    full = {"url": "u", "agent_status": 200, "workflow_status": "success", "trace_id": "t", "spans": 9, "logs": 1}
    result |= full
    result["seconds"] = dict.fromkeys(result["seconds"], 0.0)
    assert not is_observed(result)
    result["left_behind"] = dict.fromkeys(result["left_behind"], 0)
    assert is_observed(result)
    for name in full:
        assert not is_observed({**result, name: None})
    assert not is_observed({**result, "left_behind": {"processes": 1, "ports": 0, "routes": 0}})


def test_the_demo_refuses_a_home_with_a_running_server(command_line: CommandLine) -> None:
    command_line.deploy()
    with command_line.make_admin() as admin, pytest.raises(Conflict, match="something runs"):
        check_idle(admin)
    command_line.run("stop", "--all")
    command_line.router.stop()
    with command_line.make_admin() as admin:
        check_idle(admin)


def test_next_steps_ask_the_example_when_it_is_deployed(command_line: CommandLine) -> None:
    session = Session(home=str(command_line.home))
    with command_line.make_admin() as admin:
        assert "deploy ./my-agent" in list_next_steps(session, admin)[1][1]
    command_line.deploy()
    with command_line.make_admin() as admin:
        (_, curl), (_, traces), (_, ps), (_, snippet) = list_next_steps(session, admin)
    assert curl == make_curl("http://weather-agent-main.default.localhost:8080")
    assert traces.endswith(f"--home {command_line.home} traces")
    assert ps.endswith("ps")
    compile(snippet, "snippet", "exec")
    assert max(map(len, snippet.splitlines())) <= 78 or str(command_line.home) in snippet


def test_next_steps_ask_the_example_that_runs_by_a_name_that_is_its_own(command_line: CommandLine) -> None:
    session = Session(home=str(command_line.home))
    for team in ("Demo", "Second"):
        command_line.deploy("weather-agent", "--team", team)
    command_line.run("stop", "second/weather-agent")
    with command_line.make_admin() as admin:
        steps = dict(list_next_steps(session, admin))
        assert steps["Ask the agent"] == make_curl("http://weather-agent-main.demo.localhost:8080")
        snippet = next(text for title, text in steps.items() if title.startswith("In Python"))
        assert 'admin.deployments.get("demo/weather-agent")' in snippet
        assert 'print(admin.spans(since="1h")[["name", "type", "status", "duration_ms"]])' in snippet
        admin.deployments.get("demo/weather-agent").stop()
        assert "Ask the agent" not in dict(list_next_steps(session, admin))


def test_the_example_ships_with_the_package() -> None:
    assert (find_example() / "package-lock.json").is_file()
