"""What docs/domains.md shows is run as it stands there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from fixtures.quick import find_free_port

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.cli.main import cli
from mastra_admin_sdk.ports.router import MAX_TARGETS
from mastra_admin_sdk.settings import SETTINGS

TEXT = (Path(__file__).parents[2] / "docs" / "domains.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.S)
COMMANDS = re.findall(r"^mastra-admin ([^#\n]*)", TEXT, re.M)


@pytest.mark.slow
def test_the_samples_run_in_the_order_they_stand_in(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin(router_https_port=find_free_port())
    names = {"admin": admin, "project": admin.projects.create(admin.teams.create("Search"), source="quick-app")}
    urls = []
    for sample in PYTHON:
        exec(compile(sample, "docs/domains.md", "exec"), names)
        urls.append(names["live"].urls[-1])  # type: ignore[attr-defined]
    http, https = admin.settings.router_port, admin.settings.router_https_port
    assert urls[:2] == [f"http://agents.example.com:{http}", f"https://agents.example.com:{https}"]
    assert str(admin.router.endpoint.ca_file).endswith("caddy/data/caddy/pki/authorities/local/root.crt")
    assert Path(str(admin.router.endpoint.ca_file)).is_file()


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_their_options_exist(line: str) -> None:
    words = shlex.split(line)
    command: click.Command = cli
    while words and isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_parser(click.Context(command)).parse_args(words)


def test_settings_and_numbers_that_are_named_are_those_in_force() -> None:
    found = {setting.name: setting for setting in SETTINGS}
    named = set(re.findall(r"`(router_\w+)`", TEXT))
    assert named == {"router_port", "router_https_port", "router_tls"}
    assert found["router_https_port"].default == 8443
    assert set(re.findall(r"MASTRA_ADMIN_\w+", TEXT)) <= {setting.env for setting in SETTINGS}
    assert f"up to {MAX_TARGETS} servers" in TEXT
