"""What docs/git.md shows is run as it stands there, on a repository of the test's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fixtures.docs import check_command, read_page
from fixtures.projects import make_repository
from fixtures.quick import write_source
from fixtures.repositories import publish

from mastra_admin_sdk.admin import MastraAdmin

PAGE = read_page("git")
URL = "https://git.example.com/team/agents.git"


@pytest.mark.slow
def test_the_first_samples_run_in_the_order_they_stand_in(admin: MastraAdmin, tmp_path: Path) -> None:
    (tmp_path / "git").mkdir()
    work = tmp_path / "git" / "agents"
    write_source(work / "packages" / "weather", name="weather", version="1.2")
    make_repository(work)
    remote = publish(tmp_path / "git", work)
    remote.push("HEAD:refs/tags/v1.2.0")
    remote.commit({"packages/weather/settings.json": json.dumps({"version": "feature"})}, "feature/x")
    admin.teams.create("Search")
    names: dict[str, Any] = {"admin": admin}
    exec(PAGE.samples[0].replace(URL, f"file://{remote.bare}".replace(" ", "%20")), names)
    versions = {
        live.branch: live.request("GET", "/").json()["version"] for live in admin.deployments.list(names["project"])
    }
    assert versions == {"main": "1.2", "feature/x": "feature"}


def test_the_other_sample_runs() -> None:
    names: dict[str, Any] = {}
    exec(PAGE.samples[1], names)
    assert "agents" in names["source"].describe()


@pytest.mark.parametrize("line", PAGE.commands, ids=lambda line: " ".join(line.split()[:2]))
def test_commands_and_their_options_exist(line: str) -> None:
    check_command(line)
