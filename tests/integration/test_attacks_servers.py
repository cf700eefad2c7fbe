"""Servers that crash and artifacts with surprises, while something else is going on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.quick import is_replaced, wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import RequestFailed
from mastra_admin_sdk.services.objects import LiveDeployment

pytestmark = pytest.mark.slow


def ask(live: LiveDeployment) -> str | None:
    try:
        return str(live.request("GET", "/", timeout=5).json()["version"])
    except RequestFailed:
        return None


def test_a_server_that_crashes_during_a_build_is_back_before_the_build_ends(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    admin = open_admin()
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    first = live.process
    assert first is not None
    admin.start()
    write_source(source, version="v2", build_seconds=60)
    build = live.redeploy(wait=False)
    wait_until(lambda: "build" in build.refresh().phases, what="the build")
    live.request("GET", "/exit")
    wait_until(lambda: is_replaced(live, first), what="another server")
    wait_until(lambda: ask(live) == "v1", what="an answer")
    wait_until(lambda: live.refresh().status == "running", what="the state")
    assert build.refresh().status == "building"
    build.cancel()
    wait_until(lambda: build.refresh().record.is_final, what="the end of the build")
    assert ask(live) == "v1"


def test_a_stopped_deployment_serves_nothing_old_while_it_is_built_anew(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    admin = open_admin()
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app")).stop()
    write_source(source, version="v2", build_seconds=3)
    admin.start()
    seen = set()
    build = live.redeploy(wait=False)
    while not build.refresh().record.is_final:
        seen.add(ask(live))
    assert "v1" not in seen
    assert ask(live) == "v2"


def test_a_link_that_leads_nowhere_keeps_no_server_from_starting(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    (source / "nowhere.txt").symlink_to("missing.txt")
    (source / "loop").symlink_to(".")
    admin = open_admin()
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    assert ask(live) == "v1"
    live.redeploy()
    assert ask(live) == "v1"
