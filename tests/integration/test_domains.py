"""Domains of real deployments, through the real router."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from fixtures.quick import find_free_port, wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.adapters.router.caddy import LocalRouter
from mastra_admin_sdk.errors import RequestFailed, RouterError
from mastra_admin_sdk.services.deployments.requests import request

pytestmark = pytest.mark.slow

DOMAIN = "agents.example.com"


def test_a_domain_with_a_certificate_follows_its_deployment(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    admin = open_admin(router_https_port=find_free_port())
    endpoint = admin.router.endpoint
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    live.set_domains([DOMAIN], tls="internal")
    assert live.urls[-1] == f"https://{DOMAIN}:{endpoint.https_port}"
    assert request(endpoint.secured, DOMAIN, "GET", "/").json()["version"] == "v1"
    assert request(endpoint, DOMAIN, "GET", "/x", check=False).headers["Location"] == f"{live.urls[-1]}/x"
    write_source(source, version="v2")
    live.redeploy()
    assert request(endpoint.secured, DOMAIN, "GET", "/").json()["version"] == "v2"
    admin.router.stop()
    live.restart()
    assert request(endpoint.secured, DOMAIN, "GET", "/").json()["version"] == "v2"
    live.set_domains([])
    with pytest.raises(RequestFailed):
        request(endpoint, DOMAIN, "GET", "/")


def test_a_killed_router_comes_back_with_domains_certificates_and_all_servers(
    open_admin: Callable[..., MastraAdmin],
) -> None:
    admin = open_admin(router_https_port=find_free_port())
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    live.scale(2)
    live.set_domains([DOMAIN], tls="internal")
    before = admin.router.list_routes()
    assert {len(route.targets) for route in before} == {2}
    router = cast(LocalRouter, admin.router)
    os.kill(router._client.find_pid() or 0, signal.SIGKILL)
    admin.start()
    wait_until(lambda: admin.router.list_routes() == before, what="the routes")
    answers = [request(admin.router.endpoint.secured, DOMAIN, "GET", "/").json()["pid"] for _ in range(4)]
    assert len(set(answers)) == 2


def test_the_switch_is_checked_on_the_real_route(
    admin: MastraAdmin, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A router that goes on leading to the old server is found out, and the old server stays."""
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    old = live.process
    assert old is not None
    targets = cast(LocalRouter, admin.router)._process.targets
    write = targets.write

    def write_half(key: str, wanted: list[str]) -> None:
        write(key, [f"{old.host}:{old.port}"])
        (targets._folder / key / "all").write_text("\n".join(wanted))

    monkeypatch.setattr(targets, "write", write_half)
    write_source(source, version="v2")
    with pytest.raises(RouterError, match=f"was answered by {old.host}:{old.port} right after the switch"):
        live.redeploy()
    monkeypatch.undo()
    assert live.request("GET", "/").json()["version"] == "v1"
    assert live.refresh().process == old
