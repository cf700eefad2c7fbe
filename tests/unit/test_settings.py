"""Settings: who wins, what is refused, what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from mastra_admin_sdk.errors import SettingError
from mastra_admin_sdk.settings import SETTINGS, load_settings


def test_precedence_is_argument_environment_file_default(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("router_port = 1\npanel_port = 2\nbuild_concurrency = 3\n")
    environment = {
        "MASTRA_ADMIN_HOME": str(tmp_path),
        "MASTRA_ADMIN_PANEL_PORT": "20",
        "MASTRA_ADMIN_ROUTER_PORT": "10",
    }
    found = load_settings({"router_port": 100}, environment)
    assert (found.router_port, found.panel_port, found.build_concurrency, found.log_keep) == (100, 20, 3, 5)
    origins = [found.origin(name) for name in ("router_port", "panel_port", "build_concurrency", "log_keep")]
    assert origins == ["argument", "environment", "settings.toml", "default"]


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        pytest.param({"router_prot": 1}, {}, "router_port", id="misspelt-argument"),
        pytest.param({}, {"MASTRA_ADMIN_ROUTER_PORT": "x"}, "router_port", id="wrong-kind"),
        pytest.param({"build_concurrency": True}, {}, "build_concurrency", id="bool-for-a-number"),
    ],
)
def test_mistakes_are_named(
    arguments: dict[str, object], environment: dict[str, str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=words):
        load_settings({"home": str(tmp_path), **arguments}, environment)


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("router_port = = 1")
    with pytest.raises(SettingError, match=r"settings\.toml"):
        load_settings({"home": str(tmp_path)}, {})


def test_the_repr_hides_secrets(tmp_path: Path) -> None:
    found = load_settings({"home": str(tmp_path), "database_url": "postgresql://u:hunter22@h/d"}, {})
    assert "hunter22" not in repr(found)
    assert "***" in repr(found)


def test_a_wrong_secret_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings({"home": str(tmp_path), "secret_key": True}, {})
    assert "True" not in caught.value.message


def test_every_setting_has_a_sentence_of_help_and_a_default_of_its_type() -> None:
    for setting in SETTINGS:
        assert setting.help.endswith("."), setting.name
        assert isinstance(setting.default, setting.type), setting.name


@pytest.mark.parametrize(("name", "value"), [("build_concurrency", 0), ("health_timeout", -1), ("log_keep", "1e400")])
def test_values_that_would_stop_everything_are_refused(name: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=name):
        load_settings({"home": str(tmp_path), name: value}, {})
