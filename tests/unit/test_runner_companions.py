"""Versions that belong to a core: asked for ahead, kept, and given up."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from mastra_admin_sdk.adapters.runner.local.cache.matches import MatchCache
from mastra_admin_sdk.adapters.runner.local.companions import Companions, read_locked_version
from mastra_admin_sdk.errors import BuildError
from mastra_admin_sdk.ports.checks import CancelCheck

ANSWER = json.dumps(
    {
        "version": "1.17.9",
        "devDependencies": {"@mastra/core": "1.71.0"},
        "peerDependencies": {"@mastra/core": ">=1.0.0 <2.0.0-0"},
    }
)
PACKAGE = "@mastra/observability"


class Registry:
    """Answers, and remembers what it was asked."""

    def __init__(self, answer: str = ANSWER) -> None:
        self.answer, self.asked, self.fetched = answer, [], []  # type: ignore[var-annotated]

    def ask(self, package: str, cancel: CancelCheck) -> str:
        self.asked.append((package, threading.current_thread() is threading.main_thread()))
        return self.answer

    def fetch(self, package: str, cancel: CancelCheck) -> None:
        self.fetched.append(package)


def open_companions(registry: Registry, folder: Path) -> Companions:
    return Companions(MatchCache(folder / "matches"), registry.ask, lambda: None, registry.fetch)


def test_what_is_asked_ahead_is_asked_once_in_a_thread_and_fetched(tmp_path: Path) -> None:
    registry = Registry()
    companions = open_companions(registry, tmp_path)
    companions.ask_ahead(PACKAGE, "1.71.0")
    assert companions.find(PACKAGE, "1.71.0") == "1.17.9"
    companions.close()
    assert registry.asked == [(PACKAGE, False)]
    assert registry.fetched == ["@mastra/observability@1.17.9"]


def test_an_answer_is_kept_for_other_builds(tmp_path: Path) -> None:
    open_companions(Registry(), tmp_path).find(PACKAGE, "1.71.0")
    registry = Registry()
    later = open_companions(registry, tmp_path)
    later.ask_ahead(PACKAGE, "1.71.0")
    assert later.find(PACKAGE, "1.71.0") == "1.17.9"
    later.close()
    assert registry.asked == []


def test_another_core_than_was_expected_is_asked_for(tmp_path: Path) -> None:
    registry = Registry()
    companions = open_companions(registry, tmp_path)
    companions.ask_ahead(PACKAGE, "1.70.0")
    assert companions.find(PACKAGE, "1.71.0") == "1.17.9"
    companions.close()
    assert len(registry.asked) == 2


def test_what_went_wrong_in_the_thread_is_told_to_who_asks(tmp_path: Path) -> None:
    companions = open_companions(Registry("no JSON"), tmp_path)
    companions.ask_ahead(PACKAGE, "1.71.0")
    with pytest.raises(BuildError, match="can't be read"):
        companions.find(PACKAGE, "1.71.0")
    companions.close()


def test_what_is_not_needed_any_more_is_ended(tmp_path: Path) -> None:
    registry = Registry()
    begun = threading.Event()

    def ask(package: str, cancel: CancelCheck) -> str:
        begun.set()
        while True:
            cancel()

    registry.ask = ask  # type: ignore[method-assign]
    companions = open_companions(registry, tmp_path)
    companions.ask_ahead(PACKAGE, "1.71.0")
    assert begun.wait(5)
    companions.close()
    assert not any(thread.name == "mastra-admin-view" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('{"packages": {"node_modules/@mastra/core": {"version": "1.71.0"}}}', "1.71.0"),
        ('{"packages": {}}', None),
        ('{"dependencies": {}}', None),
        ("no JSON", None),
    ],
    ids=["locked", "other-packages", "old-format", "broken"],
)
def test_the_lock_file_tells_the_core_before_it_is_installed(tmp_path: Path, text: str, version: str | None) -> None:
    (tmp_path / "package-lock.json").write_text(text)
    assert read_locked_version(tmp_path, "@mastra/core") == version
