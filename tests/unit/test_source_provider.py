"""LocalProjectSource: metadata, cache, references, and what it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fixtures.projects import make_repository, write_files, write_project

from mastra_admin_sdk.adapters.source.local import LocalProjectSource, copier, make_project_id
from mastra_admin_sdk.errors import InvalidInput, NotFound, SourceError
from mastra_admin_sdk.models import PackageManager, SourceProject


def test_metadata_is_read(tmp_path: Path) -> None:
    folder = write_project(
        tmp_path,
        "folder",
        name="@team/weather",
        devDependencies={"mastra": "^1", "@mastra/observability": "^1"},
        engines={"node": ">=22"},
        files={"pnpm-lock.yaml": "", ".env": "A=1", ".env.local": "", "src/.env": ""},
    )
    commit = make_repository(folder, "develop")
    assert LocalProjectSource(tmp_path).list_projects()[0] == SourceProject(
        id=make_project_id(str(folder)),
        name="@team/weather",
        path=str(folder),
        version="1.0.0",
        package_manager=PackageManager.PNPM,
        has_lockfile=True,
        mastra_version="^1.71.0",
        has_mastra_cli=True,
        has_observability=True,
        node_range=">=22",
        env_files=(".env", ".env.local"),
        git_branch="develop",
        git_commit=commit,
        git_dirty=False,
    )


def test_the_version_is_the_locked_then_the_installed_then_the_range(tmp_path: Path) -> None:
    folder = write_project(tmp_path, "agent")
    source = LocalProjectSource(tmp_path)
    assert source.get_project("agent").mastra_version == "^1.71.0"
    write_files(folder / "node_modules/@mastra/core", {"package.json": '{"version": "1.71.2"}'})
    assert source.get_project("agent").mastra_version == "1.71.2"
    lock = {"packages": {"node_modules/@mastra/core": {"version": "1.71.9"}}}
    write_files(folder, {"package-lock.json": json.dumps(lock, indent=2)})
    assert source.get_project("agent").mastra_version == "1.71.9"


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 1}', "\0"], ids=["broken", "list", "number", "null"])
def test_broken_side_files_do_not_hide_a_project(tmp_path: Path, content: str) -> None:
    folder = write_project(tmp_path, "agent", files={"package-lock.json": content})
    write_files(folder / "node_modules/@mastra/core", {"package.json": content})
    assert LocalProjectSource(tmp_path).get_project("agent").mastra_version == "^1.71.0"


def test_a_scan_is_remembered_for_thirty_seconds(tmp_path: Path) -> None:
    now = [100.0]
    source = LocalProjectSource(tmp_path, clock=lambda: now[0])
    write_project(tmp_path, "first")
    first = source.scan()
    write_project(tmp_path, "second")
    now[0] += 29.9
    assert source.scan() is first
    now[0] += 0.1
    assert len(source.scan().projects) == 2
    write_project(tmp_path, "third")
    assert len(source.list_projects(refresh=True)) == 3
    assert len(source.list_projects()) == 3


def test_a_project_is_read_afresh_although_the_scan_is_remembered(tmp_path: Path) -> None:
    write_project(tmp_path, "agent")
    source = LocalProjectSource(tmp_path)
    source.scan()
    write_project(tmp_path, "agent", version="2.0.0")
    assert source.get_project("agent").version == "2.0.0"
    assert source.get_project(make_project_id(str(tmp_path / "agent"))).version == "2.0.0"


def test_a_folder_name_is_a_reference_too(tmp_path: Path) -> None:
    write_project(tmp_path, "folder", name="@team/agent")
    source = LocalProjectSource(tmp_path)
    assert source.get_project("folder") == source.get_project("@team/agent")


def test_a_name_goes_before_a_folder_name(tmp_path: Path) -> None:
    write_project(tmp_path, "one", name="two")
    write_project(tmp_path, "two", name="three")
    assert LocalProjectSource(tmp_path).get_project("two").path == str(tmp_path / "one")


def test_paths_are_absolute_relative_or_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, "deep/down/agent")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "deep")
    source = LocalProjectSource("~/deep")
    expected = source.list_projects()[0]
    for reference in ("~/deep/down/agent", "./down/agent", "down/agent", f"{tmp_path}/deep/../deep/down/agent/"):
        assert source.get_project(reference) == expected
    monkeypatch.chdir(tmp_path)
    assert source.get_project("down/agent") == expected


def test_a_path_outside_of_the_searched_folders_works(tmp_path: Path) -> None:
    write_project(tmp_path, "elsewhere")
    (tmp_path / "base").mkdir()
    assert LocalProjectSource(tmp_path / "base").get_project(str(tmp_path / "elsewhere")).name == "elsewhere"


def test_a_link_to_a_project_has_the_id_of_where_it_lies(tmp_path: Path) -> None:
    folder = write_project(tmp_path, "agent")
    (tmp_path / "link").symlink_to("agent")
    source = LocalProjectSource(tmp_path)
    assert source.get_project(str(tmp_path / "link")).id == make_project_id(str(folder))
    assert len(source.list_projects()) == 1


def test_a_path_that_is_no_project_says_why(tmp_path: Path) -> None:
    write_files(tmp_path / "broken", {"package.json": "{"})
    (tmp_path / "bare").mkdir()
    source = LocalProjectSource(tmp_path)
    with pytest.raises(NotFound, match="broken"):
        source.get_project(str(tmp_path / "broken"))
    with pytest.raises(NotFound, match=r"no package\.json that names @mastra/core"):
        source.get_project(str(tmp_path / "bare"))


def test_a_skipped_folder_of_that_name_is_named(tmp_path: Path) -> None:
    write_files(tmp_path / "weather", {"package.json": "{"})
    with pytest.raises(NotFound, match=r"weather: its package\.json is broken"):
        LocalProjectSource(tmp_path).get_project("weather")


def test_no_paths_means_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, "agent")
    monkeypatch.chdir(tmp_path)
    source = LocalProjectSource()
    monkeypatch.chdir("/")
    assert source.scan().searched == (str(tmp_path),)
    assert [project.name for project in source.list_projects()] == ["agent"]


@pytest.mark.parametrize("path", ["", "a\0b", "\udcff"], ids=["empty", "null-byte", "no-unicode"])
def test_a_base_that_is_no_path_is_invalid(path: str) -> None:
    with pytest.raises(InvalidInput):
        LocalProjectSource([path])


def test_a_negative_depth_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        LocalProjectSource(tmp_path, max_depth=-1)


def test_a_copy_into_itself_is_refused_except_into_the_home(tmp_path: Path) -> None:
    folder = write_project(tmp_path, "agent", files={"home/secret.key": "k"})
    source = LocalProjectSource(tmp_path)
    with pytest.raises(InvalidInput, match="into itself"):
        source.copy(source.get_project("agent"), folder / "copy")
    assert not (folder / "copy").exists()
    source = LocalProjectSource(tmp_path, home=folder / "home")
    copy = source.copy(source.get_project("agent"), folder / "home" / "workspace")
    assert sorted(os.listdir(copy.path)) == ["package.json"]


def test_a_target_that_is_a_file_or_a_link_is_refused(tmp_path: Path) -> None:
    write_project(tmp_path, "agent")
    write_files(tmp_path, {"file": ""})
    (tmp_path / "link").symlink_to("nowhere")
    source = LocalProjectSource(tmp_path)
    for target in ("file", "link"):
        with pytest.raises(InvalidInput, match="isn't a folder"):
            source.copy(source.get_project("agent"), tmp_path / target)


def test_a_copy_that_fails_says_where_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, "agent")
    source = LocalProjectSource(tmp_path)
    project = source.get_project("agent")

    def fill_the_disk(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copier.os, "write", fill_the_disk)
    with pytest.raises(SourceError) as caught:
        source.copy(project, tmp_path / "copy")
    monkeypatch.undo()
    assert "package.json: no space left" in caught.value.message
    assert "disk space" in caught.value.hint


def test_a_project_that_became_something_else_is_refused(tmp_path: Path) -> None:
    folder = write_project(tmp_path, "agent")
    source = LocalProjectSource(tmp_path)
    project = source.get_project("agent")
    write_files(folder, {"package.json": "{}"})
    with pytest.raises(SourceError, match="any more"):
        source.validate_access(project)
    write_files(folder, {"package.json": "{"})
    with pytest.raises(SourceError, match="broken"):
        source.copy(project, tmp_path / "copy")


def test_it_shows_where_it_looks(tmp_path: Path) -> None:
    source = LocalProjectSource([tmp_path / "a", tmp_path / "b", tmp_path / "a"])
    assert repr(source) == f"LocalProjectSource(['{tmp_path}/a', '{tmp_path}/b'])"
    assert source.describe() == f"local folders {tmp_path}/a, {tmp_path}/b (3 deep)"
