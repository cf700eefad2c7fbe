"""What docs/keeping.md shows is run as it stands there."""

from __future__ import annotations

import pytest
from fixtures.docs import check_command, check_defaults, read_page

from mastra_admin_sdk import MastraAdmin

PAGE = read_page("keeping")


@pytest.mark.slow
def test_the_samples_run_in_the_order_they_stand_in(admin: MastraAdmin) -> None:
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    PAGE.run_all({"admin": admin, "project": project})
    assert len(PAGE.samples) >= 5


@pytest.mark.parametrize("line", PAGE.commands)
def test_commands_and_their_options_exist(line: str) -> None:
    check_command(line)


def test_settings_that_are_named_exist_with_the_defaults_that_are_said() -> None:
    check_defaults(PAGE)
