"""A phase that takes too long is ended; the error names the setting that limits it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fixtures.quick import wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import ServerUnhealthy

pytestmark = pytest.mark.slow


def test_a_server_that_is_never_healthy_is_ended_after_health_timeout(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    admin = open_admin(health_timeout=2.0)
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    live = admin.deploy(project)
    (source / "index.mjs").write_text("console.log('I only wait'); setInterval(() => {}, 1000)")
    with pytest.raises(ServerUnhealthy) as caught:
        live.redeploy()
    assert "within 2 s" in caught.value.message
    assert "MASTRA_ADMIN_HEALTH_TIMEOUT" in caught.value.hint
    assert any("I only wait" in line for line in caught.value.evidence["log_tail"])
    assert live.request("GET", "/").json()["version"] == "v1"


def test_a_request_that_never_ends_delays_the_end_of_the_old_server_by_drain_timeout(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    admin = open_admin(drain_timeout=2.0)
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    live = admin.deploy(project)
    former = live.process
    assert former is not None
    with ThreadPoolExecutor() as pool:
        # POST: a GET would be asked again of the new server when the old one ends.
        endless = pool.submit(live.request, "POST", "/slow?ms=40000", timeout=60)
        wait_until(lambda: admin.router.count_requests(former.host, former.port), what="the request")
        write_source(source, version="v2")
        build = live.redeploy()
        assert live.request("GET", "/").json()["version"] == "v2"
        assert endless.exception(timeout=30) is not None
    assert 2.0 <= build.phases["drain"] < 20.0
    assert any("still open" in line.text for line in build.logs())
