"""Which Node is picked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mastra_admin_sdk.adapters.runner.local.toolchain import choose_toolchain, find_wheel
from mastra_admin_sdk.errors import ToolMissing
from mastra_admin_sdk.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "it's a home")


def make_node(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    program = folder / "node"
    program.write_text(f"#!/bin/sh\necho v{version}\n")
    program.chmod(0o755)
    (folder / "npm-cli.js").touch()
    (folder / "npm").symlink_to("npm-cli.js")
    return program


def test_the_systems_node_is_taken_when_it_fits(home: Home, tmp_path: Path) -> None:
    node = make_node(tmp_path / "bin", "22.15.0")
    tools = choose_toolchain(home, {"PATH": str(node.parent)}, node_range=">=22")
    assert (tools.node, tools.version, tools.origin) == (node, "22.15.0", "system")
    assert tools.npm == (str(node), str(tmp_path / "bin" / "npm-cli.js"))


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        pytest.param("20.20.2", None, id="too-old-for-tracing"),
        pytest.param("22.14.0", ">=22", id="just-too-old"),
        pytest.param("23.1.0", "^24", id="not-what-the-project-asks-for"),
    ],
)
def test_a_node_that_does_not_fit_is_passed_over(home: Home, tmp_path: Path, version: str, wanted: str | None) -> None:
    node = make_node(tmp_path / "bin", version)
    assert choose_toolchain(home, {"PATH": str(node.parent)}, node_range=wanted).origin == "wheel"


def test_a_later_node_on_the_path_may_fit(home: Home, tmp_path: Path) -> None:
    old, new = make_node(tmp_path / "old", "18.0.0"), make_node(tmp_path / "new", "22.20.0")
    tools = choose_toolchain(home, {"PATH": f"{old.parent}:{new.parent}"})
    assert tools.node == new


def test_a_program_called_node_that_does_not_run_is_passed_over(home: Home, tmp_path: Path) -> None:
    node = make_node(tmp_path / "bin", "22.15.0")
    node.write_text("#!/bin/sh\necho no version is set >&2\nexit 126\n")
    assert choose_toolchain(home, {"PATH": str(node.parent)}).origin == "wheel"


def test_when_none_fits_the_error_says_what_was_found(home: Home, tmp_path: Path) -> None:
    node = make_node(tmp_path / "bin", "20.20.2")
    with pytest.raises(ToolMissing, match=r"asks for 20\.x, tracing for >=22\.15\.0; found 20\.20\.2 \(.*bin/node\)"):
        choose_toolchain(home, {"PATH": str(node.parent)}, node_range="20.x")


def test_a_node_that_a_person_chose_beats_engines_and_it_is_noted(home: Home, tmp_path: Path) -> None:
    node = make_node(tmp_path / "bin", "24.1.0")
    tools = choose_toolchain(home, {}, node=str(node), node_range="20.x")
    assert tools.origin == "setting"
    assert any("20.x" in note for note in tools.notes)


def test_a_node_that_a_person_chose_and_that_is_not_there_is_named(home: Home) -> None:
    with pytest.raises(ToolMissing, match="/no/such/node"):
        choose_toolchain(home, {}, node="/no/such/node")


def test_engines_that_are_no_range_are_ignored_and_it_is_noted(home: Home) -> None:
    tools = choose_toolchain(home, {}, node_range="lts/*")
    assert tools.origin == "wheel"
    assert any("lts/*" in note for note in tools.notes)


@pytest.mark.parametrize("tool", ["node", "npm", "npx"])
def test_the_launchers_run_from_path_in_a_home_with_quotes_and_spaces(home: Home, tool: str) -> None:
    tools = choose_toolchain(home, {})
    environment = {"PATH": f"{tools.bin}:/usr/bin:/bin", "HOME": os.environ["HOME"]}
    program = ["/usr/bin/env", tool, "--version"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip().lstrip("v")[0].isdigit()


def test_the_wheel_brings_a_node() -> None:
    assert find_wheel()
