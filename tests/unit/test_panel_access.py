"""Who gets into a panel, and how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.panel import BASE, TOKEN, make_fake_admin
from flask.testing import FlaskClient

from mastra_admin_panel import create_app

PAGES = ["/", "/builds/x", "/nothing"]
DATA = ["/api/overview", "/api/teams", "/api/projects", "/api/deployments", "/api/builds", "/api/builds/x", "/api/no"]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    with make_fake_admin(tmp_path / "home") as admin:
        yield create_app(admin, token=TOKEN, hosts=("panel.example.com",)).test_client()


def sign_in(client: FlaskClient) -> None:
    assert client.get(f"/?token={TOKEN}", base_url=BASE).status_code == 303


@pytest.mark.parametrize("path", PAGES)
def test_pages_ask_to_sign_in(client: FlaskClient, path: str) -> None:
    answer = client.get(path, base_url=BASE)
    assert answer.status_code == 401
    assert "Sign in" in answer.text
    assert f'name="next" value="{path}"' in answer.text


@pytest.mark.parametrize("path", DATA)
def test_data_asks_for_a_token(client: FlaskClient, path: str) -> None:
    answer = client.get(path, base_url=BASE)
    assert answer.status_code == 401
    assert answer.json["error"]["code"] == "unauthorized"
    assert "Bearer" in answer.json["error"]["hint"]


def test_health_needs_no_token_and_tells_nothing(client: FlaskClient) -> None:
    answer = client.get("/health", base_url=BASE)
    assert (answer.status_code, answer.json) == (200, {"ok": True})


def test_the_link_becomes_a_session_and_the_token_leaves_the_address(client: FlaskClient) -> None:
    answer = client.get(f"/builds/x?token={TOKEN}&after=3", base_url=BASE)
    assert (answer.status_code, answer.location) == (303, "/builds/x?after=3")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/", base_url=BASE).status_code == 200


def test_a_link_leads_nowhere_else(client: FlaskClient) -> None:
    answer = client.get(f"//evil.example/x?token={TOKEN}", base_url=BASE)
    assert answer.location is None or not answer.location.startswith(("//", "http"))


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param("//evil.example", id="no-scheme"),
        pytest.param("https://evil.example", id="address"),
        pytest.param("/\\evil.example", id="backslash"),
        pytest.param("/\t/evil.example", id="tab"),
    ],
)
def test_signing_in_leads_nowhere_else(client: FlaskClient, wanted: str) -> None:
    form = {"token": TOKEN, "next": wanted}
    answer = client.post("/sign-in", data=form, base_url=BASE, headers={"Origin": BASE})
    assert answer.status_code == 303
    assert not answer.location.startswith(("//", "/\\", "/\t", "http"))


def test_a_wrong_token_opens_nothing(client: FlaskClient) -> None:
    for wrong in ("", "x" * 43, TOKEN[:-1], TOKEN + "x"):
        answer = client.get("/", query_string={"token": wrong}, base_url=BASE)
        assert answer.status_code == 401
        assert "isn't valid" in answer.text.replace("&#39;", "'")
    assert client.get("/", base_url=BASE).status_code == 401


def test_the_form_signs_in_and_goes_on_to_what_was_wanted(client: FlaskClient) -> None:
    form = {"token": TOKEN, "next": "/builds/x"}
    answer = client.post("/sign-in", data=form, base_url=BASE, headers={"Origin": BASE})
    assert (answer.status_code, answer.location) == (303, "/builds/x")
    refused = client.post("/sign-in", data={"token": "no"}, base_url=BASE, headers={"Origin": BASE})
    assert refused.status_code == 401


def test_signing_out_ends_the_session(client: FlaskClient) -> None:
    sign_in(client)
    assert client.post("/sign-out", base_url=BASE, headers={"Origin": BASE}).status_code == 303
    assert client.get("/", base_url=BASE).status_code == 401


def test_a_session_of_another_token_is_none(client: FlaskClient, tmp_path: Path) -> None:
    sign_in(client)
    cookie = client.get_cookie("mastra_admin_panel_3001", domain="127.0.0.1")
    assert cookie is not None
    with make_fake_admin(tmp_path / "other") as admin:
        other = create_app(admin, token="u" * 43).test_client()
        other.set_cookie(cookie.key, cookie.value, domain="127.0.0.1")
        assert other.get("/", base_url=BASE).status_code == 401


def test_programs_use_a_bearer_token(client: FlaskClient) -> None:
    assert client.get("/api/teams", base_url=BASE, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    for wrong in ("Bearer x", "Bearer", f"Basic {TOKEN}", TOKEN):
        assert client.get("/api/teams", base_url=BASE, headers={"Authorization": wrong}).status_code == 401


def test_data_isnt_opened_by_a_token_in_the_address(client: FlaskClient) -> None:
    assert client.get(f"/api/teams?token={TOKEN}", base_url=BASE).status_code == 401


@pytest.mark.parametrize("path", ["/", "/api/teams", "/health", "/sign-in", "/static/panel.css"])
def test_a_rebound_name_gets_nothing(client: FlaskClient, path: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = client.get(path, base_url="http://evil.example:3001", headers=headers)
    assert answer.status_code == 403
    assert "host" in answer.text


def test_a_configured_name_is_answered(client: FlaskClient) -> None:
    assert client.get("/health", base_url="https://panel.example.com").status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("http://evil.example", id="stranger"),
        pytest.param("http://127.0.0.1:4101", id="deployed-app"),
        pytest.param("null", id="null"),
        pytest.param(None, id="none"),
    ],
)
def test_pages_of_others_change_nothing(client: FlaskClient, origin: str | None) -> None:
    sign_in(client)
    headers = {"Origin": origin} if origin else {}
    assert client.post("/sign-out", base_url=BASE, headers=headers).status_code == 403
    assert client.get("/", base_url=BASE).status_code == 200


@pytest.mark.parametrize("origin", [pytest.param("http://evil.example", id="stranger"), pytest.param(None, id="none")])
def test_pages_of_others_open_no_websocket(client: FlaskClient, origin: str | None) -> None:
    sign_in(client)
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", **({"Origin": origin} if origin else {})}
    answer = client.get("/api/builds/x/logs/ws", base_url=BASE, headers=headers)
    assert answer.status_code == 403
    assert answer.json["error"]["code"] == "origin_not_allowed"


def test_a_link_on_another_site_arrives_with_its_session(client: FlaskClient) -> None:
    answer = client.get("/builds/x", base_url=BASE, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text


@pytest.mark.parametrize("path", ["/", "/sign-in", "/api/teams", "/health", "/nothing", "/static/panel.css"])
def test_every_answer_carries_the_safety_headers(client: FlaskClient, path: str) -> None:
    answer = client.get(path, base_url=BASE, buffered=True)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "no-cache" in answer.headers["Cache-Control"]
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_options_never_show_the_token(tmp_path: Path) -> None:
    with make_fake_admin(tmp_path / "home") as admin:
        app = create_app(admin, token=TOKEN)
        assert TOKEN not in repr(app.extensions["mastra_admin_panel"])
