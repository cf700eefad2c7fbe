"""`mastra-admin delete`: says what goes, asks, and removes it."""

from __future__ import annotations

import io

import click
import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.cli import delete


@pytest.fixture
def line(command_line: CommandLine) -> CommandLine:
    """A project with two deployments, and another team's."""
    command_line.deploy("w2", "--team", "Help")
    command_line.deploy("w2", "--team", "Help", "--type", "staging")
    command_line.deploy("other", "--team", "Other")
    return command_line


def list_names(line: CommandLine) -> set[str]:
    return {item["name"] for item in line.run_json("ps")["deployments"]}


def test_a_deployment_goes_and_the_others_stay(line: CommandLine) -> None:
    found = line.run("delete", "deployment", "w2/staging", "--yes")
    assert "  help/w2/main-staging, running: 1 build with logs" in found.stdout
    assert "✓ Deleted the deployment help/w2/main-staging" in found.stdout
    assert list_names(line) == {"help/w2/main", "other/other/main"}
    assert len(line.router.routes) > 0


def test_a_project_goes_with_its_deployments(line: CommandLine) -> None:
    found = line.run_json("delete", "project", "help/w2", "-y")
    assert found["deleted"] == "project help/w2"
    assert {item["name"] for item in found["deployments"]} == {"help/w2/main", "help/w2/main-staging"}
    assert list_names(line) == {"other/other/main"}
    assert [project.slug for project in line.storage.projects.list()] == ["other"]


def test_a_team_goes_with_its_projects(line: CommandLine) -> None:
    found = line.run("delete", "team", "help", "--yes")
    assert "This deletes the team help with help/w2:" in found.stdout
    assert [team.slug for team in line.storage.teams.list()] == ["other"]


@pytest.mark.parametrize("kind", ["deployment", "project", "team"])
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["words", "json"])
def test_where_nobody_can_be_asked_nothing_goes_without_yes(line: CommandLine, kind: str, more: list[str]) -> None:
    name = {"deployment": "w2", "project": "w2", "team": "help"}[kind]
    found = line.run("delete", kind, name, *more)
    assert found.exit_code == 2
    assert "Add --yes" in found.output
    assert len(list_names(line)) == 3


@pytest.mark.parametrize(("answer", "left"), [(True, 2), (False, 3)], ids=["agreed", "declined"])
def test_on_a_terminal_it_is_asked(line: CommandLine, monkeypatch: pytest.MonkeyPatch, answer: bool, left: int) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    class Sys:
        stdin = Terminal()

    monkeypatch.setattr(delete, "sys", Sys)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: answer)
    found = line.run("delete", "deployment", "w2/main-staging")
    assert found.exit_code == (0 if answer else 1)
    assert ("Nothing was deleted." in found.stderr) is not answer
    assert len(list_names(line)) == left


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rm", "w2"], "delete deployment|project|team NAME"),
        (["projects", "delete", "w2"], "delete deployment|project|team NAME"),
        (["status"], "ps`"),
        (["delete", "w2", "--yes"], "delete deployment w2` or"),
    ],
    ids=["rm", "projects", "status", "kind"],
)
def test_what_people_type_instead_is_answered_with_the_command(
    line: CommandLine, arguments: list[str], words: str
) -> None:
    found = line.run(*arguments)
    assert found.exit_code == 2
    assert words in " ".join(found.stderr.split())
