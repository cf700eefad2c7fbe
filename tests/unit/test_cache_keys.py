"""What decides under which key installed packages are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mastra_admin_sdk.adapters.runner.local.cache.keys import (
    Installer,
    list_install_scripts,
    list_members_with_scripts,
    make_output_key,
    make_tree_key,
)

NPM = Installer("npm", "11.0.0", "24.0.0")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    write_package(root, name="app", dependencies={"zod": "^4.0.0"}, scripts={"build": "mastra build"})
    (root / "package-lock.json").write_text('{"lockfileVersion": 3}')
    return root


def write_package(folder: Path, **fields: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps(fields))


def change_package(folder: Path, **fields: Any) -> None:
    write_package(folder, **{**json.loads((folder / "package.json").read_text()), **fields})


def test_a_key_is_the_same_in_every_folder_and_at_every_time(project: Path, tmp_path: Path) -> None:
    """Coolify 11387: with volatile values in the key nothing was ever used again."""
    key = make_tree_key(project, NPM)
    moved = project.rename(tmp_path / "elsewhere")
    (moved / "src").mkdir()
    (moved / "src" / "index.ts").write_text("export {};")
    assert key is not None
    assert make_tree_key(moved, NPM) == key


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: (root / "package-lock.json").write_text("{}"), id="lock-file"),
        pytest.param(lambda root: change_package(root, dependencies={"zod": "^4.1.0"}), id="dependencies"),
        pytest.param(lambda root: change_package(root, overrides={"zod": "4.0.0"}), id="overrides"),
        pytest.param(lambda root: change_package(root, scripts={"postinstall": "x"}), id="install-script"),
        pytest.param(lambda root: (root / ".npmrc").write_text("legacy-peer-deps=true"), id="npmrc"),
        pytest.param(lambda root: (root / "patches").mkdir() or (root / "patches/a").write_text("x"), id="patch"),
    ],
)
def test_what_changes_an_install_changes_the_key(project: Path, change: Callable[[Path], object]) -> None:
    before = make_tree_key(project, NPM)
    change(project)
    assert make_tree_key(project, NPM) not in {before, None}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: change_package(root, description="new"), id="description"),
        pytest.param(lambda root: change_package(root, scripts={"build": "other", "test": "x"}), id="other-scripts"),
        pytest.param(lambda root: (root / ".npmrc").write_text("//r.example/:_authToken=${TOKEN}\n"), id="token"),
    ],
)
def test_what_changes_no_install_keeps_the_key(project: Path, change: Callable[[Path], object]) -> None:
    before = make_tree_key(project, NPM)
    change(project)
    assert make_tree_key(project, NPM) == before


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Installer("pnpm", "11.0.0", "24.0.0"), id="manager"),
        pytest.param(Installer("npm", "11.0.1", "24.0.0"), id="manager-version"),
        pytest.param(Installer("npm", "11.0.0", "24.0.1"), id="node"),
    ],
)
def test_other_tools_have_keys_of_their_own(project: Path, other: Installer) -> None:
    assert make_tree_key(project, other) != make_tree_key(project, NPM)


def test_the_settings_of_the_user_count(project: Path, tmp_path: Path) -> None:
    settings = tmp_path / "npmrc"
    settings.write_text("omit=optional\n")
    assert make_tree_key(project, NPM, configuration=[settings]) != make_tree_key(project, NPM)


def test_without_a_lock_file_there_is_no_key(project: Path) -> None:
    (project / "package-lock.json").unlink()
    assert make_tree_key(project, NPM) is None


def test_packages_beside_the_project_are_linked_by_npm_and_copied_by_others(project: Path) -> None:
    change_package(project, dependencies={"tools": "file:./tools"})
    assert make_tree_key(project, NPM) is not None
    assert make_tree_key(project, Installer("yarn", "1.22.0", "24.0.0")) is None


def test_every_member_of_a_workspace_counts(project: Path) -> None:
    change_package(project, workspaces=["packages/*"])
    write_package(project / "packages" / "tools", name="tools")
    before = make_tree_key(project, NPM)
    write_package(project / "packages" / "tools", name="tools", dependencies={"zod": "4.0.0"})
    assert make_tree_key(project, NPM) != before


def test_members_whose_install_does_something_are_named(project: Path) -> None:
    change_package(project, workspaces=["packages/*"], scripts={"prepare": "husky"})
    write_package(project / "packages" / "app", name="app", scripts={"postinstall": "x"})
    write_package(project / "packages" / "tools", name="tools", scripts={"prepare": "tsc"})
    assert list_members_with_scripts(project, project / "packages" / "app") == ["packages/tools/package.json"]


def test_install_scripts_come_in_their_order() -> None:
    package = {"scripts": {"prepare": "c", "postinstall": "b", "preinstall": "a", "test": "x"}}
    assert list_install_scripts(package) == ("preinstall", "postinstall", "prepare")


def test_an_output_goes_by_its_packages_its_project_and_what_is_added(tmp_path: Path) -> None:
    write_package(tmp_path, dependencies={"@mastra/core": "1.71.0"})
    key = make_output_key(tmp_path, "base", "")
    assert key is not None
    assert make_output_key(tmp_path, "another", "") != key
    assert make_output_key(tmp_path, "base", "@mastra/observability@1.17.9") != key
    write_package(tmp_path, dependencies={"@mastra/core": "1.71.0", "zod": "4.0.0"})
    assert make_output_key(tmp_path, "base", "") != key
    write_package(tmp_path, dependencies={"tools": "file:./workspace-module/tools.tgz"})
    assert make_output_key(tmp_path, "base", "") is None
