"""What docs/security.md shows is run as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.docs import check_command, read_page
from fixtures.panel import make_fake_admin

from mastra_admin_sdk.models import MemberRole, TokenScope

PAGE = read_page("security")


def test_the_samples_run(tmp_path: Path) -> None:
    with make_fake_admin(tmp_path) as admin:
        admin.teams.create("Search")
        PAGE.run_all({"admin": admin})
        assert admin.tokens.list()[0].revoked_at is not None


@pytest.mark.parametrize("line", PAGE.commands)
def test_commands_and_their_options_exist(line: str) -> None:
    check_command(line)


def test_every_scope_and_role_is_told() -> None:
    assert [scope for scope in TokenScope if f"`{scope}`" not in PAGE.text] == []
    assert [role for role in MemberRole if f"`{role}`" not in PAGE.text] == []
