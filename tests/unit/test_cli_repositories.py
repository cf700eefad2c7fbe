"""Repositories on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.cli import CommandLine
from fixtures.repositories import Remote, make_remote


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return make_remote(tmp_path, name="weather-agent")


def test_a_project_is_created_from_a_repository(command_line: CommandLine, remote: Remote) -> None:
    found = command_line.run("projects", "create", "--git", str(remote.bare), "--team", "Help", "--name", "Wetter")
    assert found.exit_code == 0, found.output
    assert "Created help/wetter from" in found.output
    assert "deploy help/wetter" in found.output
    listed = command_line.run_json("projects")
    assert [(item["name"], item["type"], item["source"]) for item in listed["projects"]] == [
        ("help/wetter", "git", str(remote.bare))
    ]
    assert "help/wetter  /" in command_line.run("projects").output


def test_a_url_is_deployed_and_found_again(command_line: CommandLine, remote: Remote) -> None:
    first = command_line.run_json("deploy", str(remote.bare), "--no-wait")
    again = command_line.run_json("deploy", f"file://{remote.bare}#main", "--no-wait", "--ref", "main")
    assert first["deployment"]["name"] == again["deployment"]["name"] == "default/weather-agent/main"
    remote.commit({}, "feature")
    feature = command_line.run_json("deploy", f"{remote.bare}#feature", "--no-wait")
    assert feature["deployment"]["branch"] == "feature"
    assert len(command_line.run_json("projects")["projects"]) == 1


def test_a_repository_that_cannot_be_read_is_told(command_line: CommandLine, tmp_path: Path) -> None:
    found = command_line.run("projects", "create", "--git", str(tmp_path / "nowhere"))
    assert found.exit_code == 3
    assert "no repository" in found.output


def test_a_ref_of_a_folder_is_refused(command_line: CommandLine) -> None:
    command_line.source.add("plain")
    found = command_line.run("deploy", "plain", "--ref", "v1", "--no-wait")
    assert found.exit_code == 2
    assert "folder as it lies" in found.output


def test_creating_needs_a_source(command_line: CommandLine) -> None:
    assert command_line.run("projects", "create").exit_code == 2
    command_line.source.add("plain")
    assert command_line.run_json("projects", "create", "plain")["type"] == "local"
