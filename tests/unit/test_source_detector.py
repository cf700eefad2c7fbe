"""What a package.json and the names beside it say."""

from __future__ import annotations

from typing import Any

import pytest

from mastra_admin_sdk.adapters.source.local.detector import detect_project, find_locked_version
from mastra_admin_sdk.adapters.source.local.names import choose_name, clean_text, show_path, show_reference
from mastra_admin_sdk.models import PackageManager

CORE = {"dependencies": {"@mastra/core": "^1.71.0"}}


@pytest.mark.parametrize("key", ["dependencies", "devDependencies"])
def test_a_project_names_mastra_core(key: str) -> None:
    found = detect_project({key: {"@mastra/core": "~1.2"}}, [])
    assert found is not None
    assert found.mastra_range == "~1.2"


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"dependencies": {"mastra": "1"}},
        {"peerDependencies": {"@mastra/core": "1"}},
        {"dependencies": ["@mastra/core"]},
        {"dependencies": "@mastra/core", "devDependencies": None},
    ],
    ids=["empty", "cli-only", "peer-only", "list", "text"],
)
def test_anything_else_is_none(manifest: dict[str, Any]) -> None:
    assert detect_project(manifest, []) is None


@pytest.mark.parametrize(
    ("field", "names", "manager", "lockfile"),
    [
        (None, [], "npm", None),
        (None, ["package-lock.json"], "npm", "package-lock.json"),
        (None, ["npm-shrinkwrap.json"], "npm", "npm-shrinkwrap.json"),
        (None, ["bun.lockb", "package-lock.json"], "bun", "bun.lockb"),
        (None, ["bun.lock", "bun.lockb"], "bun", "bun.lock"),
        (None, ["yarn.lock", "bun.lock"], "yarn", "yarn.lock"),
        (None, ["package-lock.json", "yarn.lock", "pnpm-lock.yaml"], "pnpm", "pnpm-lock.yaml"),
        ("pnpm@9.1.0+sha512.abc", ["package-lock.json"], "pnpm", None),
        ("yarn@4.0.0", ["yarn.lock"], "yarn", "yarn.lock"),
        ("npm", ["yarn.lock"], "npm", None),
        ("cargo@1", ["yarn.lock"], "yarn", "yarn.lock"),
        (7, ["bun.lock"], "bun", "bun.lock"),
    ],
    ids=[
        *("nothing", "npm", "shrinkwrap", "bun-binary", "bun", "yarn-before-bun", "pnpm-before-all", "field-first"),
        *("field-with-lock", "field-without-version", "unknown-field", "number-field"),
    ],
)
def test_the_package_manager(field: object, names: list[str], manager: str, lockfile: str | None) -> None:
    found = detect_project({**CORE, "packageManager": field}, names)
    assert found is not None
    assert (found.package_manager, found.lockfile) == (PackageManager(manager), lockfile)


def test_cli_observability_and_engines_are_seen() -> None:
    found = detect_project(
        {
            "version": "2.0.0",
            "dependencies": {"@mastra/core": "latest", "@mastra/observability": "^1"},
            "devDependencies": {"mastra": "^1"},
            "engines": {"node": ">=22.13"},
        },
        [],
    )
    assert found is not None
    assert (found.has_mastra_cli, found.has_observability, found.node_range) == (True, True, ">=22.13")
    assert (found.version, found.mastra_range) == ("2.0.0", "latest")


def test_fields_of_the_wrong_kind_read_as_nothing() -> None:
    found = detect_project({"version": {}, "engines": [], "devDependencies": {"@mastra/core": None}}, [])
    assert found is not None
    assert (found.version, found.node_range, found.mastra_range) == (None, None, None)


@pytest.mark.parametrize(
    ("lockfile", "text"),
    [
        ("package-lock.json", '{"packages": {"node_modules/@mastra/core": {\n "version": "1.71.0"}}}'),
        ("package-lock.json", '{"dependencies": {"@mastra/core": {\n "version": "1.71.0"}}}'),
        (
            "pnpm-lock.yaml",
            "importers:\n  .:\n    dependencies:\n      '@mastra/core':\n        specifier: ^1.0.0\n"
            "        version: 1.71.0(zod@4.0.0)\n",
        ),
        ("yarn.lock", '"@mastra/core@^1.0.0", "@mastra/core@^1.2.0":\n  version "1.71.0"\n'),
        ("yarn.lock", '"@mastra/core@npm:^1.0.0":\n  version: 1.71.0\n'),
        ("bun.lock", '{"packages": {"@mastra/core": ["@mastra/core@1.71.0", "", {}]}}'),
    ],
    ids=["npm-3", "npm-1", "pnpm", "yarn-1", "yarn-berry", "bun"],
)
def test_a_lock_file_pins_the_version(lockfile: str, text: str) -> None:
    assert find_locked_version(lockfile, text) == "1.71.0"


@pytest.mark.parametrize("lockfile", ["package-lock.json", "pnpm-lock.yaml", "bun.lockb", "else"])
def test_a_lock_file_that_says_nothing_pins_nothing(lockfile: str) -> None:
    assert find_locked_version(lockfile, "{}") is None


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("weather", "weather"),
        ("@scope/weather", "@scope/weather"),
        ("../../etc", "folder"),
        ("a\nb", "folder"),
        ("<script>", "folder"),
        ("", "folder"),
        ("x" * 300, "folder"),
        (42, "folder"),
        (None, "folder"),
    ],
    ids=["plain", "scoped", "upward", "newline", "markup", "empty", "long", "number", "none"],
)
def test_a_name_is_one_that_npm_takes_or_the_folder(wanted: object, name: str) -> None:
    assert choose_name(wanted, "/some/folder") == name


def test_odd_folder_names_are_shown_printable() -> None:
    assert choose_name(None, "/some/a\nb\udcff") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert choose_name(None, "/") == "root"
    assert show_path("/a\n\x1b[31m/\udcff/größe") == "/a\\n\\x1b[31m/\\xff/größe"
    assert show_reference("a\nb") == r"'a\nb'"
    assert clean_text("1.0\x1b[31m\n") == "1.0[31m"
