"""``/metrics``: who may read it, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.lines import make_chunk, make_span, new_trace, now
from fixtures.panel import BASE, TOKEN, Seeded, end_build, make_build, make_fake_admin, seed
from flask.testing import FlaskClient
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from mastra_admin_panel import create_app
from mastra_admin_panel.api import metrics
from mastra_admin_panel.context import EXTENSION
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import BuildStatus, Route, ServerUsage
from mastra_admin_sdk.ports.router import Traffic

PANEL = {"Authorization": f"Bearer {TOKEN}"}
OWNER = {"team": "search", "project": "weather", "deployment": "main"}


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home", FakeObservabilityStore()) as made:
        yield made


@pytest.fixture
def seeded(admin: MastraAdmin) -> Seeded:
    return seed(admin.storage, admin.home.path)


@pytest.fixture
def client(admin: MastraAdmin) -> FlaskClient:
    return create_app(admin, token=TOKEN).test_client()


def scrape(client: FlaskClient, headers: dict[str, str] = PANEL, base: str = BASE) -> TestResponse:
    return client.get("/metrics", base_url=base, headers=headers)


def read(answer: TestResponse) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return each sample of a scrape by its name and labels; none comes twice."""
    assert answer.status_code == 200, answer.text
    samples = [one for family in text_string_to_metric_families(answer.text) for one in family.samples]
    found = {(one.name, frozenset(one.labels.items())): one.value for one in samples}
    assert len(found) == len(samples)
    return found


def value(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return found[f"mastra_admin_{name}", frozenset(labels.items())]


# --- who may ----------------------------------------------------------------------------------------------------------


def test_strangers_get_nothing(client: FlaskClient) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        answer = scrape(client, headers)
        assert answer.status_code == 401
        assert "mastra_admin_" not in answer.text
        assert answer.json["error"]["code"]


def test_a_token_of_the_scope_read_is_enough_under_any_name(client: FlaskClient, admin: MastraAdmin) -> None:
    for scope in ("read", "admin"):
        secret = admin.tokens.create(f"prometheus {scope}", scopes=[scope]).secret
        headers = {"Authorization": f"Bearer {secret}"}
        assert scrape(client, headers, "http://panel.internal:3001").status_code == 200
        assert client.get("/api/overview", base_url="http://panel.internal:3001", headers=headers).status_code == 403


def test_other_tokens_are_not(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    ingest = admin.tokens.create("app", scopes=["ingest"])
    bound = admin.tokens.create("one", scopes=["read"], project=seeded.project)
    revoked = admin.tokens.create("old", scopes=["read"])
    admin.tokens.revoke(revoked.token)
    for made, status in ((ingest, 403), (bound, 403), (revoked, 401)):
        assert scrape(client, {"Authorization": f"Bearer {made.secret}"}).status_code == status


def test_the_panels_own_token_is_good_under_the_panels_own_names(client: FlaskClient) -> None:
    assert scrape(client).status_code == 200
    assert scrape(client, PANEL, "http://evil.example:3001").status_code == 403


def test_whoever_is_signed_in_may_look(client: FlaskClient) -> None:
    client.get(f"/?token={TOKEN}", base_url=BASE)
    assert scrape(client, {}).status_code == 200


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_an_empty_home_has_all_its_metrics(client: FlaskClient) -> None:
    answer = scrape(client)
    assert answer.content_type.startswith("text/plain; version=")
    families = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"mastra_admin_deployment_up", "mastra_admin_builds", "mastra_admin_server_memory_bytes"} <= families
    found = read(answer)
    assert value(found, "ingestion_lag_seconds") == 0.0
    assert value(found, "role_held", role="supervisor") == 0.0
    assert value(found, "role_held", role="alerter") == 0.0


def test_deployments_servers_traces_and_builds_are_in_it(
    client: FlaskClient, admin: MastraAdmin, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = ServerUsage(3 * 2**20, 17, 2, 11, 4.5)
    monkeypatch.setattr(admin.runner, "measure", lambda identity: usage)
    monkeypatch.setattr(admin.runner, "is_healthy", lambda identity: True)
    admin.storage.processes.update(seeded.process.id, restarts=2)
    failed = make_build(admin.storage, admin.home.path, seeded.deployment)
    end_build(admin.storage, failed, BuildStatus.FAILED)
    host, other = "weather.search.localhost", "weather.example.com"
    admin.storage.routes.put(Route(other, "127.0.0.1", 4101, seeded.deployment.id))
    router: Any = admin.router
    router.start()
    router.traffic = [Traffic(host, 200, 10, 3.0), Traffic(other, 200, 2, 1.0), Traffic(host, 502, 1, 0.5)]
    router.traffic.append(Traffic("nobody.localhost", 200, 9, 9.0))
    owner = {"deploymentId": seeded.deployment.id}
    span = make_span("ended", new_trace(), "s", now() - timedelta(minutes=1), 250, **owner)
    admin.observability.insert([make_chunk(span)])
    found = read(scrape(client))
    assert value(found, "deployment_up", **OWNER) == 1.0
    assert value(found, "deployment_status", **OWNER, status="running") == 1.0
    assert value(found, "servers_healthy", **OWNER) == 1.0
    assert value(found, "server_memory_bytes", **OWNER, replica="0") == 3 * 2**20
    assert value(found, "server_cpu_seconds_total", **OWNER, replica="0") == 4.5
    assert value(found, "server_restarts_total", **OWNER, replica="0") == 2.0
    assert value(found, "requests_in_progress", **OWNER) == 0.0
    assert value(found, "requests_total", **OWNER, status="200") == 12.0
    assert value(found, "requests_seconds_total", **OWNER, status="502") == 0.5
    assert value(found, "recent_traces", **OWNER) == 1.0
    assert value(found, "recent_trace_duration_seconds", **OWNER, quantile="0.95") == 0.25
    assert value(found, "builds", **OWNER, status="succeeded") == 1.0
    assert value(found, "builds_seconds", **OWNER, status="failed") == pytest.approx(24, abs=1)
    assert value(found, "deployment_lag_seconds", **OWNER) == 0.0


def test_alerts_that_fire_are_in_it(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    admin.alerts.create('od"d\\name\n'.strip().replace("\n", ""), kind="lag", threshold=60)
    admin.alerts.create("gone", kind="down", threshold=1)
    admin.storage.processes.update(seeded.process.id, stats={"healthy": False})
    admin.alerts.check()
    found = read(scrape(client))
    assert value(found, "alert_firing", alert="gone", kind="down") == 1.0
    assert value(found, "alert_firing", alert='od"d\\name', kind="lag") == 0.0


def test_the_panels_own_requests_are_counted_by_route(client: FlaskClient) -> None:
    for path in ("/health", "/health", "/made-up/1", "/made-up/2"):
        client.get(path, base_url=BASE, headers=PANEL)
    found = read(scrape(client))
    assert value(found, "panel_request_seconds_count", method="GET", route="/health", status="200") == 2.0
    assert value(found, "panel_request_seconds_count", method="GET", route="none", status="404") == 2.0


def test_open_metrics_are_given_to_who_asks(client: FlaskClient, seeded: Seeded) -> None:
    answer = scrape(client, {**PANEL, "Accept": "application/openmetrics-text;version=1.0.0"})
    assert answer.content_type.startswith("application/openmetrics-text")
    assert list(openmetrics.text_string_to_metric_families(answer.text))


def test_nothing_is_registered_globally(client: FlaskClient) -> None:
    before = list(prometheus_client.REGISTRY.collect())
    scrape(client)
    scrape(client)
    names = {family.name for family in before}
    assert {family.name for family in prometheus_client.REGISTRY.collect()} == names
    assert not any(name.startswith("mastra_admin") for name in names)


def test_a_scrape_does_not_wait_for_ever_for_another(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "WAIT_SECONDS", 0.01)
    with client.application.extensions[EXTENSION].scraping:
        assert scrape(client).status_code == 503
    assert scrape(client).status_code == 200
