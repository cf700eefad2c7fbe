"""`mastra-admin ps`, `stop`, `restart`, `rollback` and `cancel`."""

from __future__ import annotations

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.cli.output import Output


def test_ps_shows_what_was_observed_in_80_columns(command_line: CommandLine) -> None:
    command_line.deploy()
    found = command_line.run("ps")
    title, row, url, *_ = found.stdout.splitlines()
    assert title.split() == ["DEPLOYMENT", "STATE", "BUILD", "PORT", "UPTIME", "RESTARTS", "MEMORY"]
    assert row.split()[:4] == ["default/weather-agent/main", "running", "#1", str(command_line.runner.ports[0])]
    assert row.split()[-2:] == ["977", "KB"]
    assert url == "  http://weather-agent-main.default.localhost:8080"
    home = str(command_line.home)
    assert all(len(line) <= 80 for line in found.stdout.splitlines() if home not in line)


@pytest.mark.parametrize("width", [80, 120], ids=["narrow", "wide"])
def test_ps_tells_deployments_of_one_branch_apart(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    command_line.deploy("w2", "--team", "Help")
    command_line.deploy("w2", "--team", "Help", "--type", "staging")
    command_line.deploy("w2", "--team", "Help", "--type", "preview", "--branch", "a-rather-long-name-of-a-branch/x")
    lines = command_line.run("ps").stdout.splitlines()
    shown = {word.strip(",") for line in lines for word in line.split()}
    records = command_line.storage.deployments.list()
    assert {f"help/w2/{item.slug}" for item in records} <= shown
    assert {item.public_url for item in records} <= {line.strip() for line in lines}
    assert sum("staging, branch main" in line for line in lines) == 1
    assert all(len(line) <= width for line in lines if "/home" not in line and "http" not in line)


def test_ps_says_when_nothing_supervises(command_line: CommandLine) -> None:
    command_line.deploy()
    assert "Nothing supervises: a server that ends isn't started again." in command_line.run("ps").stdout
    assert command_line.run_json("ps")["supervised"] is False


def test_ps_tells_a_server_that_is_gone_from_one_that_runs(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.runner.close()
    found = command_line.run_json("ps")["deployments"][0]
    assert (found["status"], found["state"]) == ("running", "unhealthy")


def test_ps_shows_a_build_in_progress_beside_the_running_server(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.deploy("weather-agent", "--no-wait")
    assert "  build #2 is queued" in command_line.run("ps").stdout
    found = command_line.run_json("ps")["deployments"][0]
    assert (found["state"], found["active_build"]["number"]) == ("running", 2)


def test_ps_gives_the_reason_why_a_server_is_not_traced(command_line: CommandLine) -> None:
    command_line.runner.trace_status = {"traced": False, "reason": "no Mastra was met"}
    command_line.deploy()
    assert "not traced: no Mastra was met" in command_line.run("ps").stdout


def test_ps_without_deployments_says_how_to_make_one(command_line: CommandLine) -> None:
    assert "No deployments yet. Make one:" in command_line.run("ps").stdout
    assert command_line.run_json("ps")["deployments"] == []


def test_stop_ends_server_and_routes(command_line: CommandLine) -> None:
    command_line.deploy()
    found = command_line.run("stop", "weather-agent")
    assert found.stdout == "✓ default/weather-agent/main is stopped\n"
    assert command_line.router.routes == {}
    assert command_line.run_json("ps")["deployments"][0]["state"] == "stopped"


def test_stop_all_stops_every_deployment(command_line: CommandLine) -> None:
    command_line.deploy("one")
    command_line.deploy("two")
    stopped = command_line.run_json("stop", "--all")["stopped"]
    assert {item["name"] for item in stopped} == {"default/one/main", "default/two/main"}
    assert {item["status"] for item in stopped} == {"stopped"}


@pytest.mark.parametrize("arguments", [["stop"], ["stop", "x", "--all"]], ids=["neither", "both"])
def test_stop_wants_a_deployment_or_all(command_line: CommandLine, arguments: list[str]) -> None:
    assert command_line.run_json(*arguments, exit_code=2)["error"]["code"] == "usage"


def test_restart_starts_a_new_server_of_the_same_build(command_line: CommandLine) -> None:
    command_line.deploy()
    found = command_line.run_json("restart", "weather-agent")
    assert found["build"]["kind"] == "restart"
    assert len(command_line.runner.starts) == 2
    assert len(command_line.runner.requests) == 1


def test_rollback_goes_back_to_the_build_before(command_line: CommandLine) -> None:
    command_line.settings["build_cache"] = False  # a deploy of an unchanged source is a build here, too
    command_line.deploy()
    command_line.deploy()
    found = command_line.run("rollback", "weather-agent")
    assert "✓ default/weather-agent/main is rolled back" in found.stdout
    first, _, third = command_line.runner.starts
    assert third.artifact.path == first.artifact.path


def test_rollback_to_a_number_that_is_not_there_is_not_found(command_line: CommandLine) -> None:
    command_line.deploy()
    assert command_line.run_json("rollback", "weather-agent", "--to", "9", exit_code=3)["error"]["code"] == "not_found"


def test_rollback_of_a_first_build_says_why_not(command_line: CommandLine) -> None:
    command_line.deploy()
    error = command_line.run_json("rollback", "weather-agent", exit_code=2)["error"]
    assert "no earlier build" in error["message"]


@pytest.mark.parametrize(("deploys", "named"), [(2, "#1 and #2"), (3, "#1 to #3")], ids=["two", "more"])
def test_rollback_after_an_unchanged_redeploy_says_why_not(command_line: CommandLine, deploys: int, named: str) -> None:
    for _ in range(deploys):
        command_line.deploy()
    error = command_line.run_json("rollback", "weather-agent", exit_code=2)["error"]
    name = "default/weather-agent/main"
    assert error["message"] == f"Builds {named} of {name} run the same artifact: there is nothing to go back to."


@pytest.mark.parametrize("reference", ["weather-agent#1", "weather-agent"], ids=["number", "deployment"])
def test_cancel_ends_a_queued_build(command_line: CommandLine, reference: str) -> None:
    command_line.source.add("weather-agent")
    command_line.run("deploy", "weather-agent", "--no-wait")
    found = command_line.run("cancel", reference)
    assert found.stdout == "✓ Build #1 of default/weather-agent/main is cancelled\n"


def test_cancel_leaves_a_build_that_has_ended(command_line: CommandLine) -> None:
    command_line.deploy()
    assert "had ended already: succeeded" in command_line.run("cancel", "weather-agent#1").stdout
    assert command_line.run("cancel", "weather-agent").exit_code == 3


def test_width_is_that_of_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert Output().width == 100


def test_ps_shows_the_build_that_is_worked_on_rather_than_the_newest(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.deploy("weather-agent", "--no-wait")
    command_line.run("restart", "weather-agent", "--no-wait")
    assert "  build #2 is queued" in command_line.run("ps").stdout
    claimed = command_line.storage.builds.claim("somebody", limit=1)
    assert claimed is not None
    command_line.deploy("weather-agent", "--no-wait")
    assert f"  build #{claimed.number} is building" in command_line.run("ps").stdout


def test_the_lines_below_ps_have_one_item_each(command_line: CommandLine) -> None:
    command_line.deploy()
    lines = command_line.run("ps").stdout.splitlines()
    assert f"home        {command_line.home}" in lines
    assert "router      running" in lines
    assert "ingestion   up to date" in lines


def test_down_names_servers_with_their_team(command_line: CommandLine) -> None:
    command_line.deploy("weather-agent", "--team", "One")
    command_line.deploy("weather-agent", "--team", "Two")
    steps = command_line.run_json("down")["steps"]
    assert {step for step in steps if "weather" in step} == {
        "Stopping one/weather-agent/main",
        "Stopping two/weather-agent/main",
    }


def test_start_starts_what_was_stopped(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.run("stop", "weather-agent")
    assert "✓ default/weather-agent/main is started" in command_line.run("start", "weather-agent").stdout
    assert command_line.run_json("ps")["deployments"][0]["state"] == "running"
    assert "stopped is started" in " ".join(command_line.run("restart", "--help").stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["rollback", "weather-agent", "--to", "9"],
        ["cancel", "weather-agent#9"],
        ["logs", "weather-agent", "--build", "9"],
        ["diff", "weather-agent#1", "weather-agent#9"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_build_that_is_not_there_is_answered_with_those_that_are(
    command_line: CommandLine, arguments: list[str]
) -> None:
    command_line.deploy()
    error = command_line.run_json(*arguments, exit_code=3)["error"]
    assert error["message"] == "default/weather-agent/main has no build #9; it has only #1."


def test_diff_says_how_builds_are_written(command_line: CommandLine) -> None:
    command_line.deploy()
    error = command_line.run_json("diff", "weather-agent", "other", exit_code=3)["error"]
    assert error["message"] == "There is no build 'weather-agent'."
    assert "<deployment>#<number>" in error["hint"]


def test_projects_list_is_what_projects_alone_shows(command_line: CommandLine) -> None:
    command_line.deploy()
    assert command_line.run("projects", "list").stdout == command_line.run("projects").stdout
    assert command_line.run_json("projects", "list", "--refresh") == command_line.run_json("projects")
