"""Environment variables at rest and on their way to a server."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest

from mastra_admin_sdk.errors import InvalidInput, SecretError
from mastra_admin_sdk.models import EnvVar
from mastra_admin_sdk.services.environment.secrets import SecretBox, change_env, merge_env, open_env, read_or_make_key


def test_values_come_back_and_are_not_readable_at_rest(tmp_path: Path) -> None:
    box = SecretBox("", tmp_path / "secret.key")
    encrypted = box.encrypt("hunter22")
    assert "hunter22" not in encrypted
    assert SecretBox("", tmp_path / "secret.key").decrypt(encrypted) == "hunter22"


def test_the_key_file_is_private_and_differs_between_homes(tmp_path: Path) -> None:
    first, second = read_or_make_key(tmp_path / "a"), read_or_make_key(tmp_path / "b")
    assert first != second
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        keys = pool.map(read_or_make_key, [tmp_path / "secret.key"] * 8)
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_another_key_is_told_with_what_to_restore(tmp_path: Path) -> None:
    encrypted = SecretBox("", tmp_path / "a").encrypt("x")
    with pytest.raises(SecretError, match="backup"):
        SecretBox("", tmp_path / "b").decrypt(encrypted)


def test_rubbish_as_a_key_is_refused_without_repeating_it(tmp_path: Path) -> None:
    with pytest.raises(SecretError) as caught:
        SecretBox("hunter22", tmp_path / "a").encrypt("x")
    assert "hunter22" not in str(caught.value)


def test_reprs_show_no_value(tmp_path: Path) -> None:
    box = SecretBox("", tmp_path / "a")
    variable = EnvVar("KEY", box.encrypt("hunter22"))
    assert variable.encrypted_value not in repr(variable)
    assert box._key_file.read_text().strip() not in repr(box)


def test_changes_set_replace_and_remove(tmp_path: Path) -> None:
    box = SecretBox("", tmp_path / "a")
    first = change_env(box, (), {"B": "1", "A": "2"}, secret=True)
    second = change_env(box, first, {"B": None, "C": "3"}, secret=False)
    everything, plain, redact = open_env(box, second)
    assert everything == {"A": "2", "C": "3"}
    assert plain == {"C": "3"}
    assert redact == ("2",)


def test_later_lists_win_when_merged() -> None:
    merged = merge_env([EnvVar("A", "1"), EnvVar("B", "1")], [EnvVar("B", "2")])
    assert [(var.key, var.encrypted_value) for var in merged] == [("A", "1"), ("B", "2")]


@pytest.mark.parametrize("key", ["", "1A", "A-B", "A=B", "A\nB", "Ä"], ids=str.encode)
def test_names_that_no_environment_carries_are_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        change_env(SecretBox("", tmp_path / "a"), (), {key: "x"}, secret=True)


def test_a_nul_in_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="NUL"):
        change_env(SecretBox("", tmp_path / "a"), (), {"A": "x\0y"}, secret=True)
