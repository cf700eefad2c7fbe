"""What every project source promises, held against the fake and the real one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest
from fakes.source import FakeProjectSource
from fixtures.projects import write_files, write_project

from mastra_admin_sdk.adapters.source.local.provider import LocalProjectSource
from mastra_admin_sdk.errors import InvalidInput, NotFound, SourceError
from mastra_admin_sdk.ports.source import ProjectSource


class World(Protocol):
    """A source, and ways to change what it finds."""

    source: ProjectSource

    def add(self, folder: str, files: Mapping[str, str] | None = None, *, name: str | None = None) -> None: ...
    def add_broken(self, folder: str) -> None: ...
    def write(self, folder: str, name: str, text: str) -> None: ...
    def remove(self, folder: str) -> None: ...


class FakeWorld:
    def __init__(self) -> None:
        self.source = FakeProjectSource()
        self.add_broken = self.source.add_broken
        self.write = self.source.write
        self.remove = self.source.remove

    def add(self, folder: str, files: Mapping[str, str] | None = None, *, name: str | None = None) -> None:
        self.source.add(folder, files, name=name or folder)


class LocalWorld:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = LocalProjectSource([root])

    def add(self, folder: str, files: Mapping[str, str] | None = None, *, name: str | None = None) -> None:
        write_project(self.root, folder, files=files, name=name or folder)

    def add_broken(self, folder: str) -> None:
        write_files(self.root / folder, {"package.json": "{"})

    def write(self, folder: str, name: str, text: str) -> None:
        write_files(self.root / folder, {name: text})

    def remove(self, folder: str) -> None:
        shutil.rmtree(self.root / folder)


@pytest.fixture(params=["fake", "local"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    root = tmp_path / "agents"
    root.mkdir()
    return FakeWorld() if request.param == "fake" else LocalWorld(root)


def test_projects_are_listed_by_name(world: World) -> None:
    for folder in ("zebra", "ant", "moth"):
        world.add(folder)
    assert [project.name for project in world.source.list_projects()] == ["ant", "moth", "zebra"]


def test_nothing_to_find_is_an_empty_list(world: World) -> None:
    assert list(world.source.list_projects()) == []
    assert world.source.scan().searched


def test_refresh_sees_what_was_just_added(world: World) -> None:
    world.add("first")
    world.source.list_projects()
    world.add("second")
    assert [project.name for project in world.source.list_projects(refresh=True)] == ["first", "second"]


def test_a_broken_project_is_skipped_with_a_reason(world: World) -> None:
    world.add("sound")
    world.add_broken("broken")
    listing = world.source.scan()
    assert [project.name for project in listing.projects] == ["sound"]
    assert [Path(skipped.path).name for skipped in listing.skipped] == ["broken"]
    assert "package.json" in listing.skipped[0].reason


def test_a_project_is_found_by_id_name_and_path(world: World) -> None:
    world.add("weather")
    project = world.source.list_projects()[0]
    for reference in (project.id, project.name, project.path):
        assert world.source.get_project(reference) == project


def test_a_project_added_after_a_search_is_found(world: World) -> None:
    world.source.list_projects()
    world.add("late")
    assert world.source.get_project("late").name == "late"


def test_ids_are_stable_and_differ(world: World) -> None:
    world.add("one")
    world.add("two")
    first = [project.id for project in world.source.list_projects()]
    assert len(set(first)) == 2
    assert [project.id for project in world.source.list_projects(refresh=True)] == first


def test_an_unknown_name_names_near_ones_and_where_it_looked(world: World) -> None:
    world.add("weather-agent")
    with pytest.raises(NotFound) as caught:
        world.source.get_project("wether-agent")
    assert "weather-agent" in caught.value.hint
    assert caught.value.evidence["searched"] == list(world.source.scan().searched)


def test_a_name_that_two_projects_have_is_refused_with_their_paths(world: World) -> None:
    world.add("one", name="twin")
    world.add("two", name="twin")
    with pytest.raises(InvalidInput) as caught:
        world.source.get_project("twin")
    for project in world.source.list_projects():
        assert project.path in str(caught.value)


@pytest.mark.parametrize("reference", ["", "  ", "a\0b"], ids=["empty", "blank", "null-byte"])
def test_what_names_nothing_is_invalid(world: World, reference: str) -> None:
    with pytest.raises(InvalidInput):
        world.source.get_project(reference)


@pytest.mark.parametrize(
    "reference",
    ["../../etc", "/etc/passwd", "a\nb", "\x1b[31mred", "x; rm -rf /", "-rf", "\udcff", "x" * 100_000, "[", "*"],
    ids=["upward", "file", "newline", "escape", "shell", "option", "surrogate", "long", "bracket", "star"],
)
def test_hostile_references_are_not_found_and_shown_safely(world: World, reference: str) -> None:
    world.add("weather")
    with pytest.raises(NotFound) as caught:
        world.source.get_project(reference)
    assert "\x1b" not in caught.value.message


def test_access_to_a_project_that_went_away_is_a_source_error(world: World) -> None:
    world.add("weather")
    project = world.source.get_project("weather")
    world.source.validate_access(project)
    world.remove("weather")
    for use in (world.source.validate_access, world.source.get_project_path):
        with pytest.raises(SourceError, match="weather"):
            use(project)


def test_without_a_target_a_project_is_where_it_lies(world: World) -> None:
    world.add("weather")
    project = world.source.get_project("weather")
    assert world.source.get_project_path(project) == Path(project.path)


def test_with_a_target_a_project_is_copied(world: World, tmp_path: Path) -> None:
    world.add("weather", {"src/mastra/index.ts": "export {}\n"})
    target = tmp_path / "deep" / "copy"
    assert world.source.get_project_path(world.source.get_project("weather"), target) == target
    assert (target / "src/mastra/index.ts").read_text() == "export {}\n"


def test_a_copy_leaves_out_excluded_folders_and_env_files(world: World, tmp_path: Path) -> None:
    left_out = [
        "node_modules/x/index.js",
        ".git/HEAD",
        "dist/a.js",
        ".next/a",
        ".mastra/output/a",
        ".env",
        ".env.local",
    ]
    world.add("weather", dict.fromkeys([*left_out, "src/.env.test", "src/env.ts"], "SECRET=1"))
    project = world.source.get_project("weather")
    copy = world.source.copy(project, tmp_path / "copy")
    copied = sorted(str(path.relative_to(copy.path)) for path in copy.path.rglob("*") if path.is_file())
    assert copied == ["package.json", "src/env.ts"]
    assert (copy.files, copy.bytes) == (2, sum((copy.path / name).stat().st_size for name in copied))
    assert project.env_files == (".env", ".env.local")


def test_equal_sources_have_equal_hashes_and_others_do_not(world: World, tmp_path: Path) -> None:
    world.add("weather", {"a.ts": "1", ".env": "A=1"})
    project = world.source.get_project("weather")
    first = world.source.copy(project, tmp_path / "1").hash
    world.write("weather", ".env", "A=2")
    assert world.source.copy(project, tmp_path / "2").hash == first
    world.write("weather", "a.ts", "2")
    changed = world.source.copy(project, tmp_path / "3").hash
    world.write("weather", "b.ts", "")
    assert len({first, changed, world.source.copy(project, tmp_path / "4").hash}) == 3


def test_a_copy_goes_into_an_empty_folder_only(world: World, tmp_path: Path) -> None:
    world.add("weather")
    project = world.source.get_project("weather")
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    write_files(full, {"precious.txt": "mine"})
    assert world.source.copy(project, empty).path == empty
    with pytest.raises(InvalidInput, match="empty"):
        world.source.copy(project, full)
    assert [path.name for path in full.iterdir()] == ["precious.txt"]


def test_it_describes_itself_in_one_line(world: World) -> None:
    assert world.source.describe()
    assert "\n" not in world.source.describe()
