"""Which members of a workspace have to be built before a project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mastra_admin_sdk.adapters.runner.local.siblings import Sibling, list_unbuilt


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "a workspace"


def add(root: Path, place: str, *uses: str, build: bool = True, **fields: Any) -> Path:
    """Write a member, and link what it uses as package managers do: at the root."""
    folder = root / place
    folder.mkdir(parents=True, exist_ok=True)
    name = f"@acme/{folder.name}"
    scripts = {"build": "tsc"} if build else {}
    needs = {f"@acme/{used}": "workspace:*" for used in uses}
    (folder / "package.json").write_text(
        json.dumps({"name": name, "scripts": scripts, "dependencies": needs, "main": "./dist/index.js", **fields})
    )
    link = root / "node_modules" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(folder)
    return folder


def names(root: Path, project: Path) -> list[str]:
    return [sibling.name for sibling in list_unbuilt(project, root)]


def test_what_others_need_is_built_first_and_everything_once(root: Path) -> None:
    add(root, "packages/base")
    add(root, "packages/tools", "base")
    add(root, "packages/prompts", "base", "tools")
    add(root, "packages/unrelated")
    project = add(root, "apps/agent", "prompts", "tools")
    assert names(root, project) == ["@acme/base", "@acme/tools", "@acme/prompts"]


def test_a_member_is_told_with_what_is_missing(root: Path) -> None:
    shared = add(root, "packages/shared")
    project = add(root, "apps/agent", "shared")
    assert list_unbuilt(project, root) == (Sibling("@acme/shared", shared.resolve(), "dist/index.js"),)


def test_members_that_depend_on_each_other_are_no_endless_task(root: Path) -> None:
    add(root, "packages/one", "two")
    add(root, "packages/two", "one")
    project = add(root, "apps/agent", "one")
    assert sorted(names(root, project)) == ["@acme/one", "@acme/two"]


@pytest.mark.parametrize(
    ("fields", "files", "expected"),
    [
        pytest.param({}, [], True, id="no-output"),
        pytest.param({}, ["dist/index.js"], False, id="built"),
        pytest.param({"main": "./dist/index"}, ["dist/index.js"], False, id="no-suffix"),
        pytest.param({"build": False}, [], False, id="no-build-script"),
        pytest.param({"main": "./src/index.ts"}, ["src/index.ts"], False, id="used-from-its-source"),
        pytest.param({"main": None, "exports": {".": {"import": "./dist/a.js"}}}, [], True, id="exports"),
        pytest.param({"main": None, "exports": {"./*": "./dist/*.js"}}, ["dist/x.js"], False, id="pattern"),
        pytest.param({"main": None, "exports": {"./*": "./dist/*.js"}}, [], True, id="pattern-without-folder"),
        pytest.param(
            {"main": None, "exports": {".": {"types": "./dist/a.d.ts", "default": "./a.js"}}},
            ["a.js"],
            False,
            id="only-types-are-missing",
        ),
        pytest.param({"main": None}, [], True, id="says-nothing-and-has-no-dist"),
        pytest.param({"main": None}, ["dist/x.js"], False, id="says-nothing-and-has-a-dist"),
    ],
)
def test_a_member_needs_a_build_or_not(root: Path, fields: dict[str, Any], files: list[str], expected: bool) -> None:
    folder = add(root, "packages/shared", **fields)
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert bool(names(root, add(root, "apps/agent", "shared"))) == expected


def test_packages_from_the_registry_and_links_out_of_the_workspace_are_left_alone(root: Path, tmp_path: Path) -> None:
    project = add(root, "apps/agent", "installed", "elsewhere")
    (root / "node_modules/@acme/installed").mkdir()
    outside = add(tmp_path / "another", "elsewhere")
    (root / "node_modules/@acme/elsewhere").symlink_to(outside)
    stored = add(root, "node_modules/.pnpm/stored")
    (project / "node_modules/@acme").mkdir(parents=True)
    (project / "node_modules/@acme/installed").symlink_to(stored)
    assert names(root, project) == []


def test_a_project_without_a_workspace_has_none(root: Path) -> None:
    assert names(root, add(root, ".")) == []
