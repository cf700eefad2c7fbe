"""Which package manager is used, in which version, and where it comes from."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from mastra_admin_sdk.adapters.runner.local.commands import Command, make_manager_environment
from mastra_admin_sdk.adapters.runner.local.managers import Manager, describe_manager, open_manager
from mastra_admin_sdk.adapters.runner.local.managers_choice import choose_manager, parse_declared
from mastra_admin_sdk.adapters.runner.local.toolchain import choose_toolchain
from mastra_admin_sdk.errors import CommandFailed, ToolMissing
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import PackageManager

NPM, PNPM, YARN, BUN = PackageManager.NPM, PackageManager.PNPM, PackageManager.YARN, PackageManager.BUN
NOTHING: dict[str, str] = {"PATH": "/nowhere"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "a home")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    return folder


class Registry:
    """Installs what a command asks for as a folder with a program; counts how often."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, command: Command, folder: Path) -> None:
        package = command.argv[-1]
        self.asked.append(package)
        name, _, version = package.rpartition("@")
        place = folder / "node_modules" / name
        (place / "bin").mkdir(parents=True)
        programs = {kind.value: "bin/run.cjs" for kind in PackageManager}
        (place / "package.json").write_text(json.dumps({"version": version, "bin": programs}))
        (place / "bin" / "run.cjs").touch()
        (place / "bin" / "bun").touch()


def open_for(kind: PackageManager, root: Path, home: Home, registry: Any, path: str = "/nowhere") -> Manager:
    environment = {"PATH": path}
    tools = choose_toolchain(home, environment)
    return open_manager(
        kind, root, tools=tools, home=home, environment=environment, execute=registry, cancel=lambda: None
    )


def put_on_path(folder: Path, name: str, version: str) -> str:
    folder.mkdir()
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    return str(folder)


# --- which version ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "lock", "head", "expected"),
    [
        pytest.param(PNPM, "pnpm-lock.yaml", "lockfileVersion: 5.4\n", "7.33.7", id="pnpm-7"),
        pytest.param(PNPM, "pnpm-lock.yaml", "lockfileVersion: '6.0'\n", "8.15.9", id="pnpm-8"),
        pytest.param(PNPM, "pnpm-lock.yaml", "lockfileVersion: '9.0'\n", "10.34.9", id="pnpm-10"),
        pytest.param(PNPM, "pnpm-lock.yaml", "lockfileVersion: '10.0'\n", "12.21.0", id="pnpm-of-a-later-format"),
        pytest.param(PNPM, "pnpm-lock.yaml", "not a lock file", "10.34.9", id="pnpm-unreadable"),
        pytest.param(PNPM, None, "", "10.34.9", id="pnpm-unlocked"),
        pytest.param(YARN, "yarn.lock", "# yarn lockfile v1\n", "1.22.22", id="yarn-classic"),
        pytest.param(YARN, "yarn.lock", "__metadata:\n  version: 6\n", "3.8.7", id="yarn-3"),
        pytest.param(YARN, "yarn.lock", "# x\n__metadata:\n  version: 8\n  cacheKey: 10\n", "4.12.0", id="yarn-4"),
        pytest.param(
            YARN, "yarn.lock", '__metadata:\n  version: 8\n\n"a":\n  checksum: 0f3c\n', "4.0.2", id="yarn-4.0"
        ),
        pytest.param(YARN, "yarn.lock", "__metadata:\n  version: 10\n", "4.18.1", id="yarn-4-of-a-later-format"),
        pytest.param(YARN, None, "", "1.22.22", id="yarn-unlocked"),
        pytest.param(BUN, "bun.lock", '{"lockfileVersion": 1}', "1.4.5", id="bun"),
        pytest.param(NPM, "package-lock.json", "{}", "", id="npm-of-node"),
    ],
)
def test_a_version_is_chosen_that_reads_the_lock_file(
    kind: PackageManager, lock: str | None, head: str, expected: str
) -> None:
    assert choose_manager(kind, None, lock, head).version == expected


def test_a_yarn_project_with_settings_of_yarn_2_and_no_lock_file_gets_yarn_4() -> None:
    assert choose_manager(YARN, None, None, "", is_berry=True).is_modern_yarn


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("pnpm@10.4.1", (PNPM, "10.4.1"), id="plain"),
        pytest.param("yarn@4.5.0+sha512.0f3c2e", (YARN, "4.5.0"), id="with-a-hash"),
        pytest.param("bun@1.2.0-canary.1", (BUN, "1.2.0-canary.1"), id="pre-release"),
        pytest.param("pnpm@latest", None, id="tag"),
        pytest.param("pnpm@^10", None, id="range"),
        pytest.param("pnpm@https://example.com/pnpm.tgz", None, id="address"),
        pytest.param("deno@2.0.0", None, id="something-else"),
        pytest.param(7, None, id="no-text"),
    ],
)
def test_package_json_names_a_version_or_does_not(text: object, expected: object) -> None:
    assert parse_declared(text) == expected


def test_the_version_that_package_json_names_goes_before_the_lock_file() -> None:
    wanted = choose_manager(PNPM, "pnpm@9.1.0", "pnpm-lock.yaml", "lockfileVersion: 5.4")
    assert (wanted.version, wanted.source) == ("9.1.0", "packageManager in package.json")


def test_what_is_not_followed_is_told(root: Path, home: Home) -> None:
    (root / "package.json").write_text('{"packageManager": "yarn@1.22.0"}')
    (root / "pnpm-lock.yaml").write_text("lockfileVersion: '9.0'")
    (root / "package-lock.json").write_text("{}")
    notes = open_for(PNPM, root, home, Registry()).notes
    assert any("'yarn@1.22.0'" in note for note in notes)
    assert any(note.startswith("package-lock.json isn't used") for note in notes)


# --- where it comes from ----------------------------------------------------------------------------------------------


def test_npm_is_the_one_that_belongs_to_node_unless_another_is_named(root: Path, home: Home) -> None:
    registry = Registry()
    own = open_for(NPM, root, home, registry)
    assert (own.origin, own.bin, registry.asked) == ("Node", None, [])
    (root / "package.json").write_text('{"packageManager": "npm@9.9.4"}')
    named = open_for(NPM, root, home, registry)
    assert (named.origin, named.name, registry.asked) == ("registry", "npm@9.9.4", ["npm@9.9.4"])
    assert named.bin
    assert (named.bin / "npm").is_file()


def test_a_program_on_path_is_used_when_its_major_version_is_right(root: Path, home: Home, tmp_path: Path) -> None:
    path = put_on_path(tmp_path / "bin", "pnpm", "10.1.0")
    (root / "package.json").write_text('{"packageManager": "pnpm@10.4.1"}')
    found = open_for(PNPM, root, home, Registry(), path)
    assert (found.origin, found.name, found.program) == ("PATH", "pnpm@10.1.0", (f"{path}/pnpm",))


@pytest.mark.parametrize("version", ["9.15.0", "rubbish"])
def test_a_program_on_path_of_another_major_version_is_passed_over(
    root: Path, home: Home, tmp_path: Path, version: str
) -> None:
    path = put_on_path(tmp_path / "bin", "pnpm", version)
    (root / "package.json").write_text('{"packageManager": "pnpm@10.4.1+sha512.abc"}')
    assert open_for(PNPM, root, home, Registry(), path).name == "pnpm@10.4.1"


def test_what_was_brought_once_is_used_again_and_known_before(root: Path, home: Home) -> None:
    registry = Registry()
    tools = choose_toolchain(home, NOTHING)
    before = describe_manager(PNPM, root, tools=tools, home=home, environment=NOTHING)
    first, second = (open_for(PNPM, root, home, registry) for _ in range(2))
    assert before == first.name == second.name == "pnpm@10.34.9"
    assert registry.asked == ["pnpm@10.34.9"]
    assert first == second
    assert Path(first.program[-1]).is_relative_to(home.cache / "tools" / "pnpm@10.34.9")


def test_two_builds_that_want_the_same_bring_it_once(root: Path, home: Home) -> None:
    registry = Registry()
    threads = [threading.Thread(target=open_for, args=(BUN, root, home, registry)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(registry.asked) == 1
    assert registry.asked[0].startswith("@oven/bun-linux-")


def test_a_folder_that_lost_its_program_is_brought_again(root: Path, home: Home) -> None:
    registry = Registry()
    Path(open_for(PNPM, root, home, registry).program[-1]).unlink()
    open_for(PNPM, root, home, registry)
    assert len(registry.asked) == 2


def test_an_install_that_fails_leaves_nothing_and_says_what_to_do(root: Path, home: Home) -> None:
    def fail(command: Command, folder: Path) -> None:
        (folder / "half").mkdir()
        raise CommandFailed("npm install failed", command=["npm"], exit_code=1, log_tail=["ENOTFOUND"])

    with pytest.raises(ToolMissing, match=r"pnpm@10\.34\.9 \(by no lock file\)") as caught:
        open_for(PNPM, root, home, fail)
    assert caught.value.evidence["log_tail"] == ["ENOTFOUND"]
    assert not [path for path in (home.cache / "tools").iterdir() if path.name.startswith("pnpm") and path.is_dir()]


def test_yarn_2_and_later_is_a_package_of_another_name(root: Path, home: Home) -> None:
    (root / "yarn.lock").write_text("__metadata:\n  version: 8\n")
    registry = Registry()
    assert open_for(YARN, root, home, registry).is_modern_yarn
    assert registry.asked == ["@yarnpkg/cli-dist@4.12.0"]


def test_a_yarn_that_the_project_brings_along_is_used(root: Path, home: Home) -> None:
    release = root / ".yarn" / "releases" / "yarn-4.5.0.cjs"
    release.parent.mkdir(parents=True)
    release.write_text("// yarn")
    (root / ".yarnrc.yml").write_text("nodeLinker: node-modules\nyarnPath: .yarn/releases/yarn-4.5.0.cjs\n")
    found = open_for(YARN, root, home, Registry())
    assert (found.origin, found.name) == ("project", "yarn@4.5.0")
    assert Path(found.program[-1]).read_text() == "// yarn"
    assert home.path in Path(found.program[-1]).parents


@pytest.mark.parametrize("place", ["../outside.cjs", ".yarn/releases/not-there.cjs"])
def test_a_yarn_outside_of_the_project_is_not_run(root: Path, home: Home, place: str) -> None:
    (root.parent / "outside.cjs").write_text("// not ours")
    (root / ".yarnrc.yml").write_text(f"yarnPath: {place}\n")
    assert open_for(YARN, root, home, Registry()).origin == "registry"


# --- what it is told --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PNPM, YARN, BUN])
def test_caches_lie_in_the_home(kind: PackageManager) -> None:
    told = make_manager_environment(kind, 1, Path("/home/cache"), {})
    assert any(value.startswith("/home/cache/") for value in told.values())


def test_modern_yarn_makes_node_modules_and_hears_of_the_proxy() -> None:
    told = make_manager_environment(YARN, 4, Path("/c"), {"https_proxy": "http://p:1"})
    assert told["YARN_NODE_LINKER"] == "node-modules"
    assert told["YARN_HTTPS_PROXY"] == "http://p:1"


@pytest.mark.parametrize(("major", "method"), [(7, "copy"), (10, "clone-or-copy")])
def test_pnpm_never_links_its_store_into_a_build(major: int, method: str) -> None:
    assert make_manager_environment(PNPM, major, Path("/c"), {})["npm_config_package_import_method"] == method


def test_a_launcher_brings_what_a_caller_without_an_environment_does_not_pass_on(root: Path, home: Home) -> None:
    environment = {"PATH": "/nowhere", "SSL_CERT_FILE": "/ca.pem", "HTTPS_PROXY": "http://ada:secret@proxy"}
    tools = choose_toolchain(home, environment)
    made = open_manager(
        PNPM, root, tools=tools, home=home, environment=environment, execute=Registry(), cancel=lambda: None
    )
    assert made.bin
    for text in ((made.bin / "pnpm").read_text(), (tools.bin / "npm").read_text()):
        assert "export SSL_CERT_FILE=/ca.pem" in text
        assert "secret" not in text
