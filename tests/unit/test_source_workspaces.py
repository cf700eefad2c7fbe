"""Which monorepo a project belongs to, and what that changes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from fixtures.projects import make_repository, write_files, write_project

from mastra_admin_sdk.adapters.source.local import DEFAULT_EXCLUDE, LocalProjectSource
from mastra_admin_sdk.adapters.source.local.workspaces import (
    find_workspace,
    is_member,
    list_patterns,
    parse_pnpm_packages,
)
from mastra_admin_sdk.errors import SourceError
from mastra_admin_sdk.models import PackageManager


def write_monorepo(root: Path, **manifest: object) -> Path:
    """Write a root with the packages ``packages/app`` (a Mastra project) and ``packages/tools``; return the app."""
    workspaces = {"workspaces": ["packages/*"], **manifest}
    write_files(root, {"package.json": json.dumps({"name": "root", "private": True, **workspaces})})
    write_files(root / "packages/tools", {"package.json": '{"name": "tools"}', "dist/index.js": "1", "src/a.ts": "1"})
    return write_project(root, "packages/app", files={"src/mastra/index.ts": "1"})


@pytest.mark.parametrize(
    ("relative", "patterns", "expected"),
    [
        ("packages/app", ["packages/*"], True),
        ("packages/app", ["./packages/*/"], True),
        ("packages/a/b", ["packages/*"], False),
        ("packages/a/b", ["packages/**"], True),
        ("app", ["**"], True),
        ("a/b/c", ["a/**/c"], True),
        ("a/c", ["a/**/c"], True),
        ("apps/web", ["{apps,packages}/*"], True),
        ("apps/web", ["packages/{a,b}", "app?/w*"], True),
        ("packages/app", ["packages/*", "!packages/app"], False),
        ("packages/app", ["!packages/app", "packages/*"], False),
        ("packages/app", ["!**"], False),
        ("packages/app", [], False),
        ("packages/app", [""], False),
        ("packages/app", ["packages/[a-c]*"], True),
        ("packages/app", ["packages/(app)"], False),
    ],
    ids=[
        "star",
        "dots-and-slashes",
        "star-is-one-level",
        "two-stars",
        "everything",
        "stars-between",
        "stars-for-nothing",
        "braces",
        "question-mark",
        "refused",
        "refused-first",
        "refused-all",
        "nothing",
        "empty",
        "brackets",
        "no-regex",
    ],
)
def test_patterns(relative: str, patterns: list[str], expected: bool) -> None:
    assert is_member(relative, patterns) is expected


@pytest.mark.parametrize("pattern", ["*a" * 240, "{a,b}" * 60, "**/" * 160 + "b", "[" * 400], ids=lambda text: text[:5])
def test_hostile_patterns_take_no_time(pattern: str) -> None:
    started = time.monotonic()
    assert not is_member("/".join(["a" * 250] * 15), [pattern] * 3)
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    "field",
    [["packages/*"], {"packages": ["packages/*"], "nohoist": ["**"]}, ["packages/*", 7, None]],
    ids=["list", "object", "with-rubbish"],
)
def test_package_json_patterns(field: object) -> None:
    assert list_patterns({"workspaces": field}) == ["packages/*"]


@pytest.mark.parametrize("field", [None, 7, "packages/*", {}, {"packages": 7}], ids=repr)
def test_rubbish_is_no_pattern(field: object) -> None:
    assert list_patterns({"workspaces": field}) == []


@pytest.mark.parametrize(
    "text",
    [
        "packages:\n  - packages/*\n  - '!**/test/**'\n",
        "# top\ncatalog:\n  a: ^18\npackages: # all\n- \"packages/*\"  # those\n\n# not\n- '!**/test/**'\nx: 1\n",
        "packages: ['packages/*', \"!**/test/**\"]\n",
        "packages: [\n  packages/*, # one\n  '!**/test/**'\n]\n",
        "\"packages\":\r\n  - 'packages/*'\r\n  - '!**/test/**'\r\n",
    ],
    ids=["block", "comments", "flow", "flow-in-lines", "windows"],
)
def test_pnpm_patterns(text: str) -> None:
    assert parse_pnpm_packages(text) == ["packages/*", "!**/test/**"]


@pytest.mark.parametrize("text", ["", "packages:", "packages: {}", "packages: 7", "other:\n  - x", "\0", "packages: ["])
def test_pnpm_files_without_packages(text: str) -> None:
    assert parse_pnpm_packages(text) == []


def test_a_package_takes_manager_lock_file_and_version_from_its_root(tmp_path: Path) -> None:
    app = write_monorepo(tmp_path / "mono")
    lock = {"packages": {"node_modules/@mastra/core": {"version": "1.71.9"}}}
    write_files(tmp_path / "mono", {"package-lock.json": json.dumps(lock, indent=2)})
    project = LocalProjectSource(tmp_path).get_project(str(app))
    assert project.workspace_root == str(tmp_path / "mono")
    assert (project.package_manager, project.has_lockfile) == (PackageManager.NPM, True)
    assert project.mastra_version == "1.71.9"


@pytest.mark.parametrize(
    ("files", "manager", "has_lockfile"),
    [
        ({"pnpm-workspace.yaml": "packages: ['packages/*']"}, PackageManager.PNPM, False),
        ({"pnpm-workspace.yaml": "packages: ['packages/*']", "pnpm-lock.yaml": ""}, PackageManager.PNPM, True),
        ({"yarn.lock": ""}, PackageManager.YARN, True),
        ({"bun.lock": ""}, PackageManager.BUN, True),
        ({}, PackageManager.NPM, False),
    ],
    ids=["pnpm-without-lock", "pnpm", "yarn", "bun", "npm-without-lock"],
)
def test_each_package_manager(
    tmp_path: Path, files: dict[str, str], manager: PackageManager, has_lockfile: bool
) -> None:
    app = write_monorepo(tmp_path / "mono")
    write_files(app, {"package-lock.json": "{}"})  # a stray one of the package doesn't count
    write_files(tmp_path / "mono", files)
    project = LocalProjectSource(tmp_path).get_project(str(app))
    assert (project.package_manager, project.has_lockfile) == (manager, has_lockfile)


def test_what_the_root_does_not_list_stands_alone(tmp_path: Path) -> None:
    write_monorepo(tmp_path / "mono")
    alone = write_project(tmp_path / "mono", "examples/agent")
    project = LocalProjectSource(tmp_path).get_project(str(alone))
    assert project.workspace_root is None


def test_a_repository_of_its_own_is_not_part_of_what_lies_around_it(tmp_path: Path) -> None:
    app = write_monorepo(tmp_path / "mono")
    make_repository(app)
    assert LocalProjectSource(tmp_path).get_project(str(app)).workspace_root is None


def test_a_repository_around_both_is_no_border(tmp_path: Path) -> None:
    app = write_monorepo(tmp_path / "mono")
    make_repository(tmp_path / "mono")
    assert LocalProjectSource(tmp_path).get_project(str(app)).workspace_root == str(tmp_path / "mono")


def test_a_root_in_the_home_folder_of_the_user_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = write_monorepo(tmp_path / "me")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert find_workspace(str(app)) is None


def test_a_root_in_a_folder_that_all_may_write_is_none(tmp_path: Path) -> None:
    app = write_monorepo(tmp_path / "mono")
    (tmp_path / "mono").chmod(0o1777)
    assert find_workspace(str(app)) is None


def test_a_root_many_levels_up_is_none(tmp_path: Path) -> None:
    write_files(tmp_path, {"package.json": '{"workspaces": ["**"]}'})
    near, far = write_project(tmp_path, "a/b/c/d/e/near"), write_project(tmp_path, "a/b/c/d/e/f/far")
    assert find_workspace(str(near)) is not None
    assert find_workspace(str(far)) is None


@pytest.mark.parametrize("content", ["{", "[]", '{"workspaces": "all"}'], ids=["broken", "list", "no-list"])
def test_a_broken_root_is_none(tmp_path: Path, content: str) -> None:
    app = write_monorepo(tmp_path / "mono")
    write_files(tmp_path / "mono", {"package.json": content})
    assert find_workspace(str(app)) is None


def test_the_whole_monorepo_is_copied(tmp_path: Path) -> None:
    app = write_monorepo(tmp_path / "mono")
    write_files(tmp_path / "mono", {".env": "A=1", "packages/tools/.env": "A=1", "node_modules/x/index.js": ""})
    source = LocalProjectSource(tmp_path)
    copy = source.fetch({"path": str(app)}, None, tmp_path / "copy")
    assert copy.subdir == "packages/app"
    assert sorted(copy.entries) == [
        "package.json",
        "packages/app/package.json",
        "packages/app/src/mastra/index.ts",
        "packages/tools/package.json",
        "packages/tools/src/a.ts",
    ]
    assert {entry.path for entry in copy.skipped} == {".env", "packages/tools/.env"}


def test_a_sibling_dist_is_copied_when_it_is_not_excluded(tmp_path: Path) -> None:
    app = write_monorepo(tmp_path / "mono")
    exclude = tuple(name for name in DEFAULT_EXCLUDE if name != "dist")
    copy = LocalProjectSource(tmp_path, exclude=exclude).fetch({"path": str(app)}, None, tmp_path / "copy")
    assert "packages/tools/dist/index.js" in copy.entries


def test_links_between_packages_stay_and_links_out_do_not(tmp_path: Path) -> None:
    app = write_monorepo(tmp_path / "mono")
    write_files(tmp_path, {"secret": "s"})
    (app / "tools").symlink_to("../tools/src")
    (app / "secret").symlink_to("../../../secret")
    copy = LocalProjectSource(tmp_path).fetch({"path": str(app)}, None, tmp_path / "copy")
    assert (copy.path / "packages/app/tools/a.ts").read_text() == "1"
    assert "packages/app/secret" not in copy.entries


def test_the_revision_covers_the_whole_monorepo(tmp_path: Path) -> None:
    app = write_monorepo(tmp_path / "mono")
    source = LocalProjectSource(tmp_path)
    first = source.read_revision({"path": str(app)}, None)
    assert source.read_revision({"path": str(app)}, None) == first
    write_files(tmp_path / "mono/packages/tools", {"src/a.ts": "22"})
    second = source.read_revision({"path": str(app)}, None)
    write_files(tmp_path / "mono/packages/tools", {"dist/index.js": "22", ".env": "A=2"})
    assert first != second == source.read_revision({"path": str(app)}, None)


def test_a_project_that_is_gone_is_a_source_error(tmp_path: Path) -> None:
    source = LocalProjectSource(tmp_path)
    config = {"path": str(tmp_path / "gone"), "project_id": "x"}
    with pytest.raises(SourceError):
        source.read_revision(config, None)
    with pytest.raises(SourceError):
        source.fetch(config, None, tmp_path / "copy")
