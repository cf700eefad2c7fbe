"""The example that ships with the package: a copy of one's own, and a project made from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.errors import Conflict, SourceError
from mastra_admin_sdk.services.projects.example import copy_example, find_example

HEART = "src/mastra/agents/weather-agent.ts"


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with MastraAdmin(tmp_path / "home", source_paths=[str(tmp_path)]) as made:
        yield made


def test_a_copy_is_whole_and_without_what_builds_left(tmp_path: Path) -> None:
    target = copy_example(tmp_path / "mine")
    assert (target / HEART).read_bytes() == (find_example() / HEART).read_bytes()
    names = {path.name for path in target.iterdir()}
    assert {"package.json", "package-lock.json", "tsconfig.json", "README.md", "src"} <= names
    assert not names & {"node_modules", ".mastra"}
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_copy_that_was_changed_stays_as_it_is(tmp_path: Path) -> None:
    target = copy_example(tmp_path / "mine")
    (target / HEART).write_text("changed")
    assert copy_example(target) == target
    assert (target / HEART).read_text() == "changed"


def test_what_else_is_in_a_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(Conflict, match="there is something else"):
        copy_example(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert (copy_example(tmp_path / "empty") / "package.json").is_file()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=r"can't be written to .*/file/mine: "):
        copy_example(tmp_path / "file" / "mine")


def test_a_project_is_made_from_it_once(admin: MastraAdmin, tmp_path: Path) -> None:
    made = admin.projects.create_example(tmp_path / "mine")
    assert (made.slug, made.source_config["path"]) == ("weather-agent", str(tmp_path / "mine"))
    assert admin.teams.get(made.team_id).name == "Demo"
    assert admin.projects.create_example(tmp_path / "mine").id == made.id
    assert len(admin.projects.list()) == 1


def test_what_up_deployed_is_built_from_the_copy_from_then_on(admin: MastraAdmin, tmp_path: Path) -> None:
    deployed = admin.projects.create(admin.teams.create("Demo"), source=str(find_example()))
    made = admin.projects.create_example(tmp_path / "mine")
    assert (made.id, made.source_config["path"]) == (deployed.id, str(tmp_path / "mine"))


def test_another_project_of_its_name_is_not_taken_over(admin: MastraAdmin, tmp_path: Path) -> None:
    admin.projects.create_example(tmp_path / "mine")
    with pytest.raises(Conflict, match="weather-agent"):
        admin.projects.create_example(tmp_path / "other")
    assert admin.projects.create_example(tmp_path / "other", team="Search").source_config["path"].endswith("other")


def test_the_command_says_where_it_is_and_what_comes_next(command_line: CommandLine, tmp_path: Path) -> None:
    found = command_line.run("example", str(tmp_path / "my agent"))
    assert found.exit_code == 0, found.output
    assert f"The example agent is in {tmp_path}/my agent" in found.stdout
    assert f"deploy '{tmp_path}/my agent'" in found.stdout
    assert (tmp_path / "my agent" / HEART).is_file()
