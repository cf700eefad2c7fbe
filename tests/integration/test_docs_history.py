"""What docs/environment.md and docs/history.md show is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fixtures.quick import write_source

from mastra_admin_sdk.admin import MastraAdmin

DOCS = Path(__file__).parents[2] / "docs"

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
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    samples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert samples
    exec(compile("\n".join(samples), f"docs/{name}.md", "exec"), {"admin": admin})
