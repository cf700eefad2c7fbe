"""What docs/domains.md shows is run as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.docs import check_command, check_defaults, read_page
from fixtures.quick import find_free_port

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.ports.router import MAX_TARGETS

PAGE = read_page("domains")


@pytest.mark.slow
def test_the_samples_run_in_the_order_they_stand_in(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin(router_https_port=find_free_port())
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    urls = [names["live"].urls[-1] for names in PAGE.run({"admin": admin, "project": project})]
    http, https = admin.settings.router_port, admin.settings.router_https_port
    assert urls[:2] == [f"http://agents.example.com:{http}", f"https://agents.example.com:{https}"]
    assert str(admin.router.endpoint.ca_file).endswith("caddy/data/caddy/pki/authorities/local/root.crt")
    assert Path(str(admin.router.endpoint.ca_file)).is_file()


@pytest.mark.parametrize("line", PAGE.commands)
def test_commands_and_their_options_exist(line: str) -> None:
    check_command(line)


def test_settings_and_numbers_that_are_named_are_those_in_force() -> None:
    assert set(re.findall(r"`(router_\w+)`", PAGE.text)) == {"router_port", "router_https_port", "router_tls"}
    check_defaults(PAGE, besides=["set_domains"])
    assert f"up to {MAX_TARGETS} servers" in PAGE.text
