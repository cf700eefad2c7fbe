"""`mastra-admin deploy`: from a folder to an address."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.models import BuildStatus


def test_deploys_a_found_source_and_makes_team_and_project(command_line: CommandLine) -> None:
    found = command_line.deploy()
    assert found["deployment"]["name"] == "default/weather-agent/main"
    assert found["deployment"]["status"] == "running"
    assert found["deployment"]["url"] == "http://weather-agent-main.default.localhost:8080"
    assert found["build"]["status"] == "succeeded"
    assert set(found["build"]["seconds"]) >= {"copy", "install", "build", "start", "health", "route"}


def test_shows_each_phase_as_a_line_when_nobody_looks(command_line: CommandLine) -> None:
    command_line.source.add("weather-agent")
    found = command_line.run("deploy", "weather-agent")
    assert found.exit_code == 0
    assert "  install" in found.stdout
    assert "✓ default/weather-agent/main is live" in found.stdout
    *_, main, other = found.stdout.splitlines()
    assert main == "  http://weather-agent-main.default.localhost:8080"
    assert other == "  also http://weather-agent.default.localhost:8080"
    assert "Nothing watches over the server yet" in found.stderr


def test_a_second_deploy_makes_the_next_build_of_the_same_deployment(command_line: CommandLine) -> None:
    first = command_line.deploy()
    second = command_line.deploy()
    assert second["deployment"]["id"] == first["deployment"]["id"]
    assert second["build"]["number"] == 2
    assert len(command_line.storage.projects.list()) == 1


def test_team_branch_and_type_are_part_of_the_address(command_line: CommandLine) -> None:
    found = command_line.deploy("weather-agent", "--team", "Search", "--branch", "next", "--type", "staging")
    assert found["deployment"]["name"] == "search/weather-agent/next"
    assert found["deployment"]["type"] == "staging"
    assert found["deployment"]["url"].startswith("http://weather-agent-next")
    assert found["deployment"]["url"].endswith(".search.localhost:8080")


def test_a_branch_that_is_a_shell_command_is_only_a_label(command_line: CommandLine) -> None:
    found = command_line.deploy("weather-agent", "--branch", "feature/x; rm -rf /")
    assert found["deployment"]["branch"] == "feature/x; rm -rf /"
    assert found["deployment"]["url"].startswith("http://weather-agent-feature-x-rm-rf")


def test_a_folder_is_a_source_by_its_path(command_line: CommandLine) -> None:
    source = command_line.source.add("weather-agent")
    found = command_line.run_json("deploy", source.path)
    assert found["deployment"]["name"] == "default/weather-agent/main"


def test_with_several_teams_it_asks_which_one(command_line: CommandLine) -> None:
    command_line.source.add("weather-agent")
    with command_line.make_admin() as admin:
        admin.teams.create("Search")
        admin.teams.create("Support")
    error = command_line.run_json("deploy", "weather-agent", exit_code=2)["error"]
    assert error["code"] == "invalid_input"
    assert "--team with one of: search, support" in error["hint"]


def test_an_unknown_source_is_not_found_and_names_near_ones(command_line: CommandLine) -> None:
    command_line.source.add("weather-agent")
    error = command_line.run_json("deploy", "wether-agent", exit_code=3)["error"]
    assert error["code"] == "not_found"
    assert "weather-agent" in error["hint"]
    assert command_line.storage.teams.list() == []


def test_a_failed_build_shows_command_exit_code_and_last_lines(command_line: CommandLine) -> None:
    command_line.source.add("broken", {"behaviour.txt": "fails"})
    found = command_line.run("deploy", "broken")
    assert found.exit_code == 1
    assert "Error: Build #1 failed: The command `mastra build` failed with exit code 4." in found.stderr
    assert "  command: mastra build" in found.stderr
    assert "    ERROR: src/mastra/index.ts exports no mastra" in found.stderr
    assert "logs default/broken/main --build 1" in found.stderr
    assert "Traceback" not in found.output


def test_a_failed_build_is_one_error_object_as_json(command_line: CommandLine) -> None:
    command_line.source.add("broken", {"behaviour.txt": "fails"})
    error = command_line.run_json("deploy", "broken", exit_code=1)["error"]
    assert error["code"] == "command_failed"
    assert error["details"]["exit_code"] == 4
    assert error["details"]["log_tail"][-1] == "ERROR: src/mastra/index.ts exports no mastra"


def test_no_wait_only_queues(command_line: CommandLine) -> None:
    command_line.source.add("weather-agent")
    found = command_line.run_json("deploy", "weather-agent", "--no-wait")
    assert found["build"]["status"] == "queued"
    assert found["deployment"]["url"] is None


def test_variables_are_set_before_the_build(command_line: CommandLine, tmp_path: Path) -> None:
    env_file = tmp_path / "some.env"
    env_file.write_text("FROM_FILE=three\n")
    command_line.source.add("weather-agent")
    found = command_line.run(
        *("deploy", "weather-agent", "--set", "PLAIN=one", "--secret", "TOKEN", "--env-file", str(env_file)),
        stdin="sesame-open\n",
    )
    assert found.exit_code == 0, found.output
    assert command_line.runner.starts[0].env == {"PLAIN": "one", "TOKEN": "sesame-open", "FROM_FILE": "three"}
    assert command_line.runner.requests[0].env == {"PLAIN": "one"}
    assert "sesame" not in found.output


def test_env_files_of_a_project_are_named_and_not_deployed(command_line: CommandLine) -> None:
    command_line.source.add("weather-agent", {".env": "A=1"})
    found = command_line.run("deploy", "weather-agent")
    assert ".env isn't deployed" in found.stderr
    assert "--env-file /fake/agents/weather-agent/.env" in found.stderr


def test_interrupt_detaches_and_says_how_to_go_on(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    from mastra_admin_sdk.services.objects import LiveBuild

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    command_line.source.add("weather-agent")
    monkeypatch.setattr(LiveBuild, "wait", interrupt)
    found = command_line.run("deploy", "weather-agent")
    assert found.exit_code == 130
    assert "Detached: build #1 is back in the queue" in found.stderr
    assert "cancel default/weather-agent/main#1" in found.stderr
    error = command_line.run_json("deploy", "weather-agent", exit_code=130)["error"]
    assert error["code"] == "interrupted"
    assert error["details"]["deployment"] == "default/weather-agent/main"


def test_two_deploys_at_once_both_go_live(command_line: CommandLine) -> None:
    command_line.source.add("one")
    command_line.source.add("two")
    with command_line.make_admin() as admin:
        team = admin.teams.create("Default")
        for name in ("one", "two"):
            admin.projects.create(team, source=name)
        threads = [threading.Thread(target=admin.deploy, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        statuses = [build.status for build in admin.builds.list()]
    assert statuses == [BuildStatus.SUCCEEDED] * 2


def test_phases_are_told_once_when_nobody_looks(command_line: CommandLine) -> None:
    command_line.source.add("weather-agent")
    assert command_line.run("deploy", "weather-agent").stdout.count("install") == 1


def test_a_folder_whose_name_the_team_uses_says_what_to_do(command_line: CommandLine) -> None:
    first = command_line.source.add("one", name="weather-agent")
    second = command_line.source.add("two", name="weather-agent")
    command_line.run_json("deploy", first.path, "--team", "Search")
    error = command_line.run_json("deploy", second.path, "--team", "Search", exit_code=4)["error"]
    assert first.path in error["message"]
    assert second.path in error["message"]
    assert "`mastra-admin deploy search/weather-agent`" in error["hint"]
    assert "--name" in error["hint"]
    named = command_line.run_json("deploy", second.path, "--team", "Search", "--name", "Second")
    assert named["deployment"]["name"] == "search/second/main"
    again = command_line.run_json("deploy", second.path, "--team", "Search")
    assert (again["deployment"]["name"], again["build"]["number"]) == ("search/second/main", 2)


def test_a_folder_that_is_not_there_is_said_to_be_missing(command_line: CommandLine) -> None:
    command_line.source.add("own-exporter")
    error = command_line.run_json("deploy", "/nonexporter", exit_code=3)["error"]
    assert error["message"] == "There is no folder '/nonexporter'."
    assert "own-exporter" not in error["hint"]


def test_an_unknown_name_is_told_in_one_sentence(command_line: CommandLine) -> None:
    error = command_line.run_json("deploy", "nothing-like-it", exit_code=3)["error"]
    assert error["message"] == "There is neither a project nor a source 'nothing-like-it'."


def test_a_failed_build_with_advice_of_its_own_names_its_log_too(command_line: CommandLine) -> None:
    from mastra_admin_sdk.cli.following import follow_build
    from mastra_admin_sdk.cli.session import Session
    from mastra_admin_sdk.errors import BuildError

    command_line.source.add("weather-agent")
    with command_line.make_admin() as admin:
        build = admin.deploy(admin.projects.create(admin.teams.create("T"), source="weather-agent"), wait=False)

        def fail(**_: object) -> None:
            raise BuildError("x", hint="Mend it.", evidence={"build_log": "/x"})

        build.wait = fail  # type: ignore[method-assign,assignment]
        with pytest.raises(BuildError) as caught:
            follow_build(Session(home=str(command_line.home)), admin, build, "t/weather-agent/main")
    first, second = caught.value.hint.splitlines()
    assert first == "Mend it."
    assert second.endswith("logs t/weather-agent/main --build 1")
