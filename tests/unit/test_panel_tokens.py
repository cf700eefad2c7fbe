"""The token that opens a panel."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mastra_admin_panel.tokens import derive_session_key, is_token, load_token
from mastra_admin_sdk.errors import SecretError
from mastra_admin_sdk.home import Home, open_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


def test_a_token_is_made_once_and_only_its_user_can_read_it(home: Home) -> None:
    token = load_token(home)
    path = home.run / "panel-token"
    assert len(token) >= 43
    assert load_token(home) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in home.run.iterdir()] == ["panel-token"]


def test_a_token_that_others_could_read_is_closed_to_them(home: Home) -> None:
    load_token(home)
    path = home.run / "panel-token"
    path.chmod(0o644)
    load_token(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_short_token_is_refused(home: Home) -> None:
    (home.run / "panel-token").write_text("guess\n")
    with pytest.raises(SecretError, match="too short"):
        load_token(home)


def test_a_token_that_cant_be_read_says_so(home: Home) -> None:
    (home.run / "panel-token").mkdir()
    with pytest.raises(SecretError, match="can't be read"):
        load_token(home)


def test_only_the_same_token_is_the_token() -> None:
    assert is_token("a" * 43, "a" * 43)
    assert not is_token("a" * 42, "a" * 43)
    assert not is_token("", "a" * 43)
    assert not is_token("\udcff é", "a" * 43)


def test_a_new_token_ends_all_sessions() -> None:
    assert derive_session_key("a" * 43) != derive_session_key("b" * 43)
