"""What every project source promises, held against the fake, folders, and repositories."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest
from fakes.source import FakeProjectSource
from fixtures.projects import commit_all, make_repository, write_files, write_project

from mastra_admin_sdk.adapters.source.git import GitProjectSource
from mastra_admin_sdk.adapters.source.local.provider import LocalProjectSource
from mastra_admin_sdk.errors import BuildCancelled, InvalidInput, NotFound, SourceError
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import SourceProject
from mastra_admin_sdk.ports.source import ProjectSource, SourceCopy


class World(Protocol):
    """A source, and ways to change what it finds."""

    source: ProjectSource

    def add(self, folder: str, files: Mapping[str, str] | None = None, *, name: str | None = None) -> None: ...
    def add_broken(self, folder: str) -> None: ...
    def write(self, folder: str, name: str, text: str) -> None: ...
    def remove(self, folder: str) -> None: ...
    def find(self, folder: str) -> SourceProject: ...


class FakeWorld:
    def __init__(self) -> None:
        self.source = FakeProjectSource()
        self.add_broken = self.source.add_broken
        self.write = self.source.write
        self.remove = self.source.remove

    def add(self, folder: str, files: Mapping[str, str] | None = None, *, name: str | None = None) -> None:
        self.source.add(folder, files, name=name or folder)

    def find(self, folder: str) -> SourceProject:
        return self.source.get_project(f"{self.source.root}/{folder}")


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

    def find(self, folder: str) -> SourceProject:
        return self.source.get_project(str(self.root / folder))


class GitWorld(LocalWorld):
    """A repository a project; what is written is committed."""

    source: ProjectSource  # type: ignore[assignment]

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.source = GitProjectSource(open_home(home))

    def add(self, folder: str, files: Mapping[str, str] | None = None, *, name: str | None = None) -> None:
        kept = {path: text for path, text in (files or {}).items() if not path.startswith(".git/")}
        make_repository(write_project(self.root, folder, files=kept, name=name or folder))

    def write(self, folder: str, name: str, text: str) -> None:
        write_files(self.root / folder, {name: text})
        commit_all(self.root / folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "agents").mkdir()
    return tmp_path / "agents"


@pytest.fixture(params=["fake", "local"])
def world(request: pytest.FixtureRequest, root: Path) -> World:
    """A source that is searched."""
    return FakeWorld() if request.param == "fake" else LocalWorld(root)


@pytest.fixture(params=["fake", "local", "git"])
def any_world(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> World:
    """Any source, also one whose projects have to be named."""
    if request.param == "git":
        return GitWorld(root, tmp_path / "home")
    return FakeWorld() if request.param == "fake" else LocalWorld(root)


def fetch(world: World, project: SourceProject, target: Path) -> SourceCopy:
    return world.source.fetch(world.source.describe_project(project), None, target)


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


def test_access_to_a_project_that_went_away_is_a_source_error(any_world: World, tmp_path: Path) -> None:
    any_world.add("weather")
    project = any_world.find("weather")
    any_world.source.validate_access(project)
    config = any_world.source.describe_project(project)
    any_world.remove("weather")
    with pytest.raises(SourceError, match="weather"):
        any_world.source.validate_access(project)
    with pytest.raises(SourceError, match="weather"):
        any_world.source.get_project_path(project, tmp_path / "one")
    with pytest.raises(SourceError, match="weather"):
        any_world.source.fetch(config, None, tmp_path / "two")
    with pytest.raises(SourceError, match="weather"):
        any_world.source.read_revision(config, None)


def test_without_a_target_a_project_is_where_it_lies(world: World) -> None:
    world.add("weather")
    project = world.source.get_project("weather")
    assert world.source.get_project_path(project) == Path(project.path)


def test_with_a_target_a_project_is_copied(any_world: World, tmp_path: Path) -> None:
    any_world.add("weather", {"src/mastra/index.ts": "export {}\n"})
    target = tmp_path / "deep" / "copy"
    assert any_world.source.get_project_path(any_world.find("weather"), target) == target
    assert (target / "src/mastra/index.ts").read_text() == "export {}\n"


def test_a_copy_leaves_out_excluded_folders_and_env_files(any_world: World, tmp_path: Path) -> None:
    left_out = [
        "node_modules/x/index.js",
        ".git/description",
        "dist/a.js",
        ".next/a",
        ".mastra/output/a",
        ".env",
        ".env.local",
    ]
    any_world.add("weather", dict.fromkeys([*left_out, "src/.env.test", "src/env.ts"], "SECRET=1"))
    project = any_world.find("weather")
    copy = fetch(any_world, project, tmp_path / "copy")
    copied = sorted(str(path.relative_to(copy.path)) for path in copy.path.rglob("*") if path.is_file())
    assert copied == sorted(copy.entries) == ["package.json", "src/env.ts"]
    assert (copy.files, copy.bytes) == (2, sum((copy.path / name).stat().st_size for name in copied))
    assert copy.subdir == ""
    assert project.env_files == (".env", ".env.local")


def test_entries_are_the_hashes_of_contents(any_world: World, tmp_path: Path) -> None:
    any_world.add("weather", {"src/a.ts": "a", "b.ts": ""})
    copy = fetch(any_world, any_world.find("weather"), tmp_path / "copy")
    assert copy.entries["src/a.ts"] == hashlib.sha256(b"a").hexdigest()
    assert copy.entries["b.ts"] == hashlib.sha256(b"").hexdigest()


def test_equal_sources_have_equal_hashes_and_others_do_not(any_world: World, tmp_path: Path) -> None:
    any_world.add("weather", {"a.ts": "1", ".env": "A=1"})
    project = any_world.find("weather")
    first = fetch(any_world, project, tmp_path / "1").hash
    any_world.write("weather", ".env", "A=2")
    assert fetch(any_world, project, tmp_path / "2").hash == first
    any_world.write("weather", "a.ts", "2")
    changed = fetch(any_world, project, tmp_path / "3").hash
    any_world.write("weather", "b.ts", "")
    assert len({first, changed, fetch(any_world, project, tmp_path / "4").hash}) == 3


def test_the_revision_changes_with_the_source_and_with_nothing_else(any_world: World) -> None:
    any_world.add("weather", {"a.ts": "1"})
    config = any_world.source.describe_project(any_world.find("weather"))
    first = any_world.source.read_revision(config, None)
    assert any_world.source.read_revision(config, None) == first
    any_world.write("weather", "a.ts", "22")
    assert any_world.source.read_revision(config, None) != first


def test_a_copy_goes_into_an_empty_folder_only(any_world: World, tmp_path: Path) -> None:
    any_world.add("weather")
    project = any_world.find("weather")
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    write_files(full, {"precious.txt": "mine"})
    assert fetch(any_world, project, empty).path == empty
    with pytest.raises(InvalidInput, match="empty"):
        fetch(any_world, project, full)
    assert [path.name for path in full.iterdir()] == ["precious.txt"]


def test_a_copy_that_is_cancelled_ends_with_what_the_check_raised(any_world: World, tmp_path: Path) -> None:
    any_world.add("weather", {f"src/{number}.ts": "" for number in range(10)})
    config = any_world.source.describe_project(any_world.find("weather"))

    def cancel() -> None:
        raise BuildCancelled("enough")

    with pytest.raises(BuildCancelled, match="enough"):
        any_world.source.fetch(config, None, tmp_path / "copy", cancel)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("reference", ["", "  ", "a\0b"], ids=["empty", "blank", "null-byte"])
def test_nothing_names_nothing(any_world: World, reference: str) -> None:
    with pytest.raises(InvalidInput):
        any_world.source.get_project(reference)


def test_only_addresses_are_recognized_without_a_look(any_world: World) -> None:
    assert not any_world.source.recognizes("weather")
    is_git = isinstance(any_world.source, GitProjectSource)
    assert any_world.source.recognizes("https://host.example/team/agents.git") is is_git


def test_it_describes_itself_in_one_line(any_world: World) -> None:
    assert any_world.source.describe()
    assert "\n" not in any_world.source.describe()
