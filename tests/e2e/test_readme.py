"""What the README shows is run as it stands there."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from fixtures.homes import look_from_outside
from fixtures.quick import find_free_port, find_port_range

from mastra_admin_sdk.cli.main import cli
from mastra_admin_sdk.settings import SETTINGS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.S)
COMMANDS = re.findall(r"^mastra-admin (.*)$", TEXT, re.M)


@pytest.mark.slow
@pytest.mark.mastra
@pytest.mark.timeout(900)
def test_the_notebook_samples_run_in_the_order_they_stand_in(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "MASTRA_ADMIN_HOME": str(home),
        "MASTRA_ADMIN_ROUTER_PORT": str(find_free_port()),
        "MASTRA_ADMIN_SERVER_PORTS": find_port_range(),
        "MASTRA_ADMIN_SOURCE_PATHS": str(ROOT / "notebooks"),
        "MASTRA_ADMIN_DRAIN_TIMEOUT": "5",
    }
    # A trace is awaited where a person would take a moment to type the next line; at the end all is stopped.
    waiting = "import time\nwhile admin.traces(project=project).empty:\n    time.sleep(0.1)\n"
    awaited = PYTHON[0].replace("admin.spans(", waiting + "admin.spans(")
    code = "\n".join([awaited, PYTHON[1], "admin.down()", "admin.close()"])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert look_from_outside(home)["processes"] == []


def test_the_other_python_samples_name_what_there_is() -> None:
    names = {setting.name for setting in SETTINGS}
    for sample in PYTHON[2:]:
        tree = ast.parse(sample)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        exec(compile(ast.Module(list(imports), []), "README.md", "exec"), {})
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert {str(keyword.arg) for call in calls for keyword in call.keywords} <= names


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line.split()[0])
def test_commands_and_their_options_exist(line: str) -> None:
    words = shlex.split(line, comments=True)
    command: click.Command = cli
    while words and isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_parser(click.Context(command)).parse_args(words)
