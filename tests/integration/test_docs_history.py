"""What docs/environment.md and docs/history.md show is run as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.docs import read_page
from fixtures.quick import write_source

from mastra_admin_sdk.admin import MastraAdmin

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["environment", "history"])
def test_samples_run_in_the_order_they_stand_in(admin: MastraAdmin, source: Path, name: str) -> None:
    write_source(source, name="weather-agent")
    (source / ".env").write_text("API_URL=http://x\n")
    (source / ".env.production").write_text("DB=1\n")
    project = admin.projects.create(admin.teams.create("Search"), source=str(source))
    live = admin.deploy(project)
    (source / "new.txt").write_text("new")
    live.redeploy()
    read_page(name).run_all({"admin": admin})
