"""What docs/annotating.md, docs/privacy.md and docs/exporting.md show is run as it stands there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.docs import Page, check_command, check_defaults, find_settings, read_page
from fixtures.recorded import make_run, record, recorded_admin

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.models import Project, SourceType, Team
from mastra_admin_sdk.policy import patterns, read_policy
from mastra_admin_sdk.ports.columns import ANNOTATION_PREFIX
from mastra_admin_sdk.services.collector.conventions import OWN_RECORD
from mastra_admin_sdk.services.exports import service
from mastra_admin_sdk.settings import load_settings

PAGES = [read_page(name) for name in ("annotating", "privacy", "exporting")]
named = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


@pytest.fixture
def admin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MastraAdmin]:
    monkeypatch.chdir(tmp_path)
    with recorded_admin(tmp_path) as opened:
        team = opened.storage.teams.create(Team("Search", "search"))
        project = opened.storage.projects.create(Project(team.id, "weather-agent", "weather-agent", SourceType.LOCAL))
        runs = [*make_run(user="u-4711"), *make_run(user="u-1", thread="t-1"), *make_run(user="u-2")]
        record(opened, runs, project_id=project.id)
        yield opened


@named
@pytest.mark.slow  # an engine starts for each page
def test_the_samples_run(page: Page, admin: MastraAdmin) -> None:
    names = page.run_all({"admin": admin})
    if page.name == "privacy":
        assert names["deleted"].spans == 3
    if page.name == "annotating":
        assert set(names["written"]["outcome"]) == {"written"}
    if page.name == "exporting":
        assert len(names["frame"]) == 9
        assert len(names["llm"]) == 3


@named
def test_commands_and_their_options_exist(page: Page) -> None:
    assert page.commands
    for line in page.commands:
        check_command(line)


@named
def test_settings_that_are_named_exist(page: Page) -> None:
    check_defaults(page)
    known = find_settings()
    assert not set(re.findall(r"`(telemetry_[a-z_]+)`", page.text)) - set(known)


def test_the_settings_that_are_shown_are_understood() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGES[1].text, re.DOTALL)
    settings = load_settings(tomllib.loads(text), {})
    assert read_policy(settings).sample == 0.25
    own = read_policy(settings, ("weather-agent",))
    assert (own.sample, own.keep_errors, own.fields) == (1.0, True, ("email", "user.name", "input"))
    assert len(own.patterns) == 2


def test_numbers_and_names_are_those_of_the_code() -> None:
    annotating, privacy, exporting = (page.text for page in PAGES)
    assert f"`{ANNOTATION_PREFIX}`" in annotating
    assert f"{patterns.MOST_STEPS:,} ways" in privacy
    assert f"({patterns.MOST_STEPS_AFTER_TEXT:,} if it begins with" in privacy
    assert f"repeats {patterns.REPEATS} times at most" in privacy
    assert f"{service.ROWS_AT_ONCE:,} spans are\nread at a time" in exporting
    assert f"`{OWN_RECORD}`" in exporting
