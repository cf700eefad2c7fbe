"""What docs/triggers.md shows is run as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.cli.main import cli
from mastra_admin_sdk.settings import SETTINGS

TEXT = (Path(__file__).parents[2] / "docs" / "triggers.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.S)
COMMANDS = re.findall(r"^mastra-admin (.*)$", TEXT, re.M)


@pytest.mark.slow
def test_the_trigger_samples_run_in_the_order_they_stand_in(admin: MastraAdmin) -> None:
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    names = {"admin": admin, "project": project}
    for sample in PYTHON:
        exec(compile(sample, "docs/triggers.md", "exec"), names)
    assert len(PYTHON) == 4
    assert names["build"].status == "superseded"  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", COMMANDS)
def test_trigger_commands_and_their_options_exist(line: str) -> None:
    words = shlex.split(line)
    command: click.Command = cli
    while words and isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_parser(click.Context(command)).parse_args(words)


@pytest.mark.parametrize(("name", "value"), re.findall(r"`(\w+_\w+)`[^`(]*\((\d+)\)", TEXT))
def test_trigger_settings_have_the_defaults_that_are_said(name: str, value: str) -> None:
    found = {setting.name: setting.default for setting in SETTINGS}
    assert found[name] == float(value)
