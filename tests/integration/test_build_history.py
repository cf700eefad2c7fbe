"""What is kept of builds, on real servers: rows, manifests, comparisons, and where each action came from."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.quick import write_source

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput

pytestmark = pytest.mark.slow

SECRET = "sesame-open-sesame"


def test_two_deploys_are_rows_and_can_be_compared(open_admin: Callable[..., MastraAdmin], source: Path) -> None:
    admin = open_admin()
    project = admin.projects.create(admin.teams.create("Search"), source=str(source))
    (source / ".env").write_text(f"API_KEY={SECRET}\n")
    admin.projects.import_env(project, ".env")
    with admin.acting(actor="ana"):
        live = admin.deploy(project)
    write_source(source, version="v2")
    (source / "prompt.txt").write_text("be brief")
    admin.projects.set_env(project, {"API_KEY": f"{SECRET}-2"})
    admin.projects.set_env(project, {"MODE": "x"}, secret=False)
    with admin.acting(actor="bob", origin="webhook"):
        live.redeploy()

    frame = admin.builds.frame(project=project)
    assert list(frame.number) == [2, 1]
    assert list(frame.actor) == ["bob", "ana"]
    assert list(frame.env_version) == ["3.0", "1.0"]
    assert (frame.total_s > 0).all()
    assert (frame.source_files >= 3).all()
    assert live.expected_seconds().keys() >= {"copy", "build", "health"}

    diff = admin.diff("quick-app#1", "quick-app#2")
    assert dict(zip(diff.files.path, diff.files.change, strict=True)) == {
        "prompt.txt": "added",
        "settings.json": "changed",
    }
    assert dict(zip(diff.env.key, diff.env.change, strict=True)) == {"API_KEY": "changed", "MODE": "added"}
    assert "no listing" in diff.missing["agents"]
    assert live.builds[0].env == {"API_KEY": "***", "MODE": "x"}

    events = admin.events.frame(action="queue")
    assert list(events.origin) == ["webhook", "sdk"]
    assert list(events.actor) == ["bob", "ana"]
    assert set(events.pid) == {os.getpid()}
    assert set(admin.events.frame(action="live").origin) == {"background"}

    for path in admin.home.manifests.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    admin.deployments.delete(live.record)
    assert not list(admin.home.manifests.iterdir())


def test_variables_too_large_together_are_refused_before_anything_is_built(admin: MastraAdmin, source: Path) -> None:
    project = admin.projects.create(admin.teams.create("Search"), source=str(source))
    with pytest.raises(InvalidInput, match="too large together"):
        admin.projects.set_env(project, {f"BIG_{number}": "x" * 120_000 for number in range(20)})


def test_a_server_starts_with_as_many_variables_as_are_allowed(admin: MastraAdmin, source: Path) -> None:
    project = admin.projects.create(admin.teams.create("Search"), source=str(source))
    values: dict[str, str | None] = {f"BIG_{number}": f"{number}" + "x" * 120_000 for number in range(16)}
    admin.projects.set_env(project, values)
    live = admin.deploy(project)
    seen = live.request("GET", "/env").json()
    assert {name: seen[name] for name in values} == values
