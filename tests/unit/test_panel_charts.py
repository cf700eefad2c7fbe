"""Charts, usage, alerts and settings: their API and their pages, on fakes."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.charted import ANSWERS, make_charted_admin
from fixtures.panel import BASE, TOKEN, Seeded
from flask.testing import FlaskClient

from mastra_admin_panel import create_app
from mastra_admin_panel.viewmodels.settings import TABS
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.display.charts.script import find_script

RULE = {"name": "errors", "kind": "error_rate", "threshold": 0.1}


@pytest.fixture
def charted(tmp_path: Path) -> Iterator[tuple[MastraAdmin, Seeded]]:
    admin, seeded = make_charted_admin(tmp_path / "home")
    with admin:
        yield admin, seeded


@pytest.fixture
def admin(charted: tuple[MastraAdmin, Seeded]) -> MastraAdmin:
    return charted[0]


@pytest.fixture
def client(admin: MastraAdmin) -> FlaskClient:
    return sign_in(admin)


def sign_in(admin: MastraAdmin, token: str = TOKEN) -> FlaskClient:
    client = create_app(admin, token=TOKEN).test_client()
    client.environ_base.update(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def call(client: FlaskClient, path: str, status: int = 200, *, method: str = "GET", body: Any = None) -> Any:
    answer = client.open(path, base_url=BASE, method=method, **({"json": body} if body is not None else {}))
    assert answer.status_code == status, answer.text
    return answer.get_json() if answer.is_json else answer.text


# --- charts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["latency", "requests", "errors", "tokens", "cost", "builds"])
def test_each_chart_is_answered_with_both_themes_and_a_table(client: FlaskClient, name: str) -> None:
    chart = call(client, f"/api/charts/{name}")["chart"]
    assert chart["name"] == name
    assert set(chart["themes"]) == {"light", "dark"}
    assert len(chart["themes"]["dark"]["data"]) == len(chart["figure"]["data"])
    if not chart["empty"]:
        assert all(len(row) == len(chart["table"]["columns"]) for row in chart["table"]["rows"])


def test_charts_take_the_filters_of_telemetry(client: FlaskClient, charted: tuple[MastraAdmin, Seeded]) -> None:
    query = f"by=agent&since=7d&timezone=Europe/Berlin&deployment={charted[1].deployment.id}"
    chart = call(client, f"/api/charts/requests?{query}")["chart"]
    assert {trace["name"] for trace in chart["figure"]["data"]} == {"weather", "search"}
    assert call(client, "/api/charts/requests?since=nix", 422)["error"]["code"] == "invalid_input"
    assert call(client, "/api/charts/requests?by=nix", 422)["error"]["details"]["fields"]["by"]
    call(client, "/api/charts/requests?project=nothing", 404)


def test_a_trace_is_a_chart(client: FlaskClient, admin: MastraAdmin) -> None:
    trace = str(admin.spans(limit=1)["trace_id"].iloc[0])
    assert len(call(client, f"/api/charts/traces/{trace}")["chart"]["table"]["rows"]) == 2
    call(client, f"/api/charts/traces/{'0' * 32}", 404)


def test_the_script_is_sent_packed_and_kept_for_good(client: FlaskClient) -> None:
    script = find_script()
    path = f"/plotly/{script.version}/plotly.min.js"
    answer = client.get(path, base_url=BASE, headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.data) == script.read()
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert client.get(path, base_url=BASE).data == script.read()
    call(client, "/plotly/0.0.1/plotly.min.js", 404)


# --- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["", "model", "agent", "project", "deployment", "day"])
def test_usage_has_sums_charts_and_a_table(client: FlaskClient, by: str) -> None:
    page = call(client, f"/usage?by={by}&since=7d")
    assert re.search(rf"<dt>Requests</dt>\s*<dd>{ANSWERS}</dd>", page)
    assert page.count("data-chart=") == 5
    assert 'data-chart="/api/charts/latency?since=7d' in page
    assert "No cost is known" in page
    assert "usage-table" in page


def test_usage_of_nothing_says_what_to_do(client: FlaskClient) -> None:
    assert "Choose a longer time" in call(client, "/usage?since=1s")
    call(client, "/usage?project=nothing", 404)
    call(client, "/usage?since=nix", 422)


# --- alerts -----------------------------------------------------------------------------------------------------------


def test_rules_are_made_changed_and_deleted(client: FlaskClient, charted: tuple[MastraAdmin, Seeded]) -> None:
    body = {**RULE, "deployment": charted[1].deployment.id, "webhook": "https://example.com/hook/secret", "after": "2m"}
    made = call(client, "/api/alerts", 201, method="POST", body=body)["alert"]
    assert made["deployment"] == "search/weather/main"
    assert made["webhook"] is True
    path = f"/api/alerts/{made['id']}"
    changed = call(client, path, method="PATCH", body={"threshold": 0.5, "enabled": False, "webhook": None})["alert"]
    assert (changed["threshold"], changed["enabled"], changed["webhook"]) == (0.5, False, False)
    assert call(client, "/api/alerts")["alerts"] == [changed]
    call(client, "/api/alerts", 409, method="POST", body=RULE)
    call(client, "/api/alerts", 422, method="POST", body={**RULE, "name": "x", "threshold": 7})
    call(client, f"{path}/test", 422, method="POST")
    call(client, path, 204, method="DELETE")
    call(client, path, 404)


def test_the_page_of_alerts_tells_states_and_hides_webhooks(client: FlaskClient, admin: MastraAdmin) -> None:
    assert "Create the first alert" in call(client, "/alerts")
    admin.alerts.create("<b>errors", kind="error_rate", threshold=0.1, webhook="https://example.com/hook/secret")
    page = call(client, "/alerts")
    assert "no data yet" in page
    assert "Error rate from 10 % in 5 min" in page
    assert "Nobody evaluates alerts" in page
    assert "hook/secret" not in page
    assert "<b>errors" not in page
    admin.alerts.check()
    states = call(client, "/api/alerts/states")["states"]
    assert {state["alert"] for state in states} == {"<b>errors"}
    messages = call(client, "/api/alerts/messages")["messages"]
    assert all(message["alert"] == "<b>errors" for message in messages)


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_of_settings_opens(client: FlaskClient, tab: str) -> None:
    page = call(client, f"/settings?tab={tab}")
    assert 'aria-current="page">' + TABS[tab] in page
    assert "<script>" not in page
    assert 'style="' not in page


def test_secrets_that_are_set_are_not_told(tmp_path: Path) -> None:
    from fixtures.panel import make_fake_admin

    with make_fake_admin(tmp_path / "home") as admin:
        admin.settings._values["git_credentials"] = "https://me:hunter2@example.com"  # type: ignore[attr-defined]
        client = sign_in(admin)
        for path in ("/settings?tab=all", "/api/settings", "/settings"):
            assert "hunter2" not in json.dumps(call(client, path))


def test_what_is_no_longer_kept_is_shown_before_it_goes(client: FlaskClient, admin: MastraAdmin) -> None:
    orphan = admin.home.artifacts / "6f1c3f0e-0000-4000-8000-000000000000"
    orphan.mkdir(parents=True)
    preview = call(client, "/api/gc", method="POST", body={"dry_run": True})["collection"]
    assert preview["dry_run"] is True
    assert orphan.exists()
    call(client, "/api/gc", method="POST", body={"dry_run": False})
    disk = call(client, "/api/disk")["disk"]
    assert disk["bytes"] == sum(part["bytes"] for part in disk["parts"])


def test_the_doctor_says_how_to_mend(client: FlaskClient) -> None:
    answer = call(client, "/api/doctor")
    assert answer["ok"] is all(check["ok"] for check in answer["checks"])
    assert all(check["hint"] for check in answer["checks"] if not check["ok"])


# --- what a principal may not do isn't offered ------------------------------------------------------------------------


def test_a_reader_sees_but_is_offered_nothing_to_change(admin: MastraAdmin) -> None:
    admin.alerts.create("errors", kind="error_rate", threshold=0.1)
    reader = sign_in(admin, admin.tokens.create("reader", scopes=["read"]).secret)
    for path in ("/usage", "/alerts", "/settings?tab=members", "/settings?tab=retention"):
        page = call(reader, path)
        assert "data-api=" not in page, path
    call(reader, "/settings?tab=doctor", 403)
    call(reader, "/settings?tab=tokens", 403)
    call(reader, "/api/alerts", 403, method="POST", body=RULE)
    call(reader, "/api/gc", 403, method="POST", body={"dry_run": True})


def test_who_is_bound_to_a_team_sees_its_own_alone(admin: MastraAdmin, charted: tuple[MastraAdmin, Seeded]) -> None:
    other = admin.teams.create("Others")
    admin.alerts.create("home", kind="lag", threshold=60)
    admin.alerts.create("theirs", kind="error_rate", threshold=0.1, deployment="weather")
    ours = sign_in(admin, admin.tokens.create("a", scopes=["admin"], team=charted[1].team).secret)
    others = sign_in(admin, admin.tokens.create("b", scopes=["admin"], team=other).secret)
    assert [rule["name"] for rule in call(ours, "/api/alerts")["alerts"]] == ["theirs"]
    assert call(others, "/api/alerts")["alerts"] == []
    call(others, "/api/alerts/theirs", 404)
    call(ours, "/api/alerts", 403, method="POST", body={**RULE, "name": "all"})
    call(ours, "/api/settings", 403)
    call(ours, "/settings?tab=about", 403)
    assert "Members" in call(ours, "/settings")
    chart = call(others, "/api/charts/requests")["chart"]
    assert chart["empty"]
    assert not call(ours, "/api/charts/requests")["chart"]["empty"]
    assert call(others, "/api/charts/builds")["chart"]["empty"] == "No build yet."
