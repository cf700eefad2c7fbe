"""A panel that is attacked: by slow clients, guessers, pages of others, and whoever holds a token that is too small."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest
from fixtures.panel import RunningPanel, run_panel, seed

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.adapters.storage.sql import SqliteAdminStorage
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import Deployment

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class World:
    """A panel with two teams, and an SDK on the same home."""

    panel: RunningPanel
    admin: MastraAdmin
    ours: Any
    theirs: Any

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Send a request; return status, body and headers."""
        connection = HTTPConnection("127.0.0.1", self.panel.port, timeout=30)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, sent | headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        found = json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text
        connection.close()
        return answer.status, found, dict(answer.headers)

    def sign_in(self, token: str) -> str:
        """Return the cookie of a session."""
        status, _, headers = self.ask("GET", f"/?token={token}")
        assert status == 303
        return headers["Set-Cookie"].split(";")[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = open_home(tmp_path_factory.mktemp("attacks") / "home").path
    storage = SqliteAdminStorage(home / "admin.db")
    storage.init()
    ours = seed(storage, home)
    origins = {"MASTRA_ADMIN_PANEL_CORS_ORIGINS": "https://tools.example.com"}
    with MastraAdmin(home) as admin, run_panel(home, **origins) as run:
        other = admin.teams.create("Secret plans")
        theirs = storage.projects.create(type(ours.project)(other.id, "Hidden", "hidden"))
        yield World(run, admin, ours, theirs)
    storage.close()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_session_of_a_reader_changes_nothing(world: World) -> None:
    made = world.admin.tokens.create("reader", scopes=["read"])
    cookie = world.sign_in(made.secret)
    asked = {"Cookie": cookie, "Origin": world.panel.url}
    assert world.ask("GET", "/api/teams", Cookie=cookie)[0] == 200
    for method, path, body in (
        ("POST", "/api/teams", {"name": "Mine"}),
        ("POST", "/api/members", {"team": "search", "email": "a@b.de"}),
        ("POST", "/api/tokens", {"name": "more", "scopes": ["admin"]}),
        ("DELETE", f"/api/teams/{world.ours.team.id}", None),
        ("GET", "/api/tokens", None),
    ):
        status, answer, _ = world.ask(method, path, body, **asked)
        assert (status, answer["error"]["code"]) == (403, "forbidden"), path


def test_revoking_a_token_ends_its_sessions_at_once(world: World) -> None:
    made = world.admin.tokens.create("short", scopes=["read"])
    cookie = world.sign_in(made.secret)
    assert world.ask("GET", "/", Cookie=cookie)[0] == 200
    world.admin.tokens.revoke(made.token)
    assert world.ask("GET", "/", Cookie=cookie)[0] == 401
    assert world.ask("GET", "/api/teams", Cookie=cookie)[0] == 401
    assert world.ask("GET", "/api/teams", **bearer(made.secret))[0] == 401


def test_a_team_is_told_nothing_of_others(world: World) -> None:
    made = world.admin.tokens.create("team", scopes=["admin"], team="search")
    asked = bearer(made.secret)
    for path in ("/api/teams", "/api/projects", "/api/deployments", "/api/builds", "/api/overview", "/api/tokens"):
        status, answer, _ = world.ask("GET", path, **asked)
        assert status == 200, (path, answer)
        assert "hidden" not in json.dumps(answer).lower(), path
        assert "secret plans" not in json.dumps(answer).lower(), path
    for path in ("/api/projects/hidden", f"/api/projects/{world.theirs.id}", f"/api/teams/{world.theirs.team_id}"):
        status, answer, _ = world.ask("GET", path, **asked)
        assert status == 404, path
        assert answer["error"]["hint"] == ""
    assert world.ask("POST", "/api/teams", {"name": "More"}, **asked)[0] == 403
    status, answer, _ = world.ask("POST", "/api/tokens", {"name": "wide", "scopes": ["admin"]}, **asked)
    assert (status, answer["token"]["owner"]) == (201, "search")
    status, _, _ = world.ask("POST", "/api/tokens", {"name": "x", "team": world.theirs.team_id}, **asked)
    assert status == 404


def test_what_is_done_is_done_in_the_members_name(world: World) -> None:
    world.admin.members.add("search", "ana@example.com", role="owner")
    made = world.admin.tokens.create("ana", team="search", member="ana@example.com")
    body = {"team": "search", "email": "bob@example.com"}
    status, answer, headers = world.ask("POST", "/api/members", body, **bearer(made.secret))
    assert (status, answer["member"]["role"]) == (201, "member")
    assert world.admin.events.list(object_type="member", limit=1)[0].actor == "ana@example.com"
    world.admin.members.change_role("ana@example.com", "viewer", force=True)
    assert world.ask("DELETE", headers["Location"], **bearer(made.secret))[0] == 403
    world.admin.members.remove("ana@example.com", force=True)
    assert world.ask("GET", "/api/teams", **bearer(made.secret))[0] == 401


def test_a_secret_is_told_once(world: World) -> None:
    _, made, headers = world.ask("POST", "/api/tokens", {"name": "once"}, **world.panel.headers)
    assert made["secret"].startswith("mat_")
    _, shown, _ = world.ask("GET", headers["Location"], **world.panel.headers)
    assert made["secret"] not in json.dumps(shown)
    _, renamed, _ = world.ask("PATCH", headers["Location"], {"name": "again"}, **world.panel.headers)
    assert renamed["token"]["name"] == "again"
    assert world.ask("DELETE", headers["Location"], **world.panel.headers)[0] == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403, id="image"),
        pytest.param({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403, id="app-on-another-port"),
        pytest.param(
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403, id="frame"
        ),
        pytest.param(
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200, id="link"
        ),
        pytest.param({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200, id="own-page"),
    ],
)
def test_pages_of_others_read_nothing_with_our_cookie(world: World, headers: dict[str, str], status: int) -> None:
    cookie = world.sign_in(world.panel.token)
    assert world.ask("GET", "/api/teams", Cookie=cookie, **headers)[0] == status


def test_pages_of_configured_origins_use_a_token_and_never_a_cookie(world: World) -> None:
    origin = {"Origin": "https://tools.example.com"}
    status, _, headers = world.ask("OPTIONS", "/api/teams", **origin, **{"Access-Control-Request-Method": "POST"})
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, "https://tools.example.com")
    assert "Access-Control-Allow-Credentials" not in headers
    status, _, headers = world.ask("POST", "/api/teams", {"name": "Tools"}, **origin, **world.panel.headers)
    assert (status, headers["Access-Control-Allow-Origin"]) == (201, "https://tools.example.com")
    cookie = world.sign_in(world.panel.token)
    assert world.ask("POST", "/api/teams", {"name": "No"}, **origin, Cookie=cookie)[0] == 403
    for other in ("https://tools.example.com.evil.example", "http://tools.example.com", "null"):
        status, _, headers = world.ask("GET", "/api/teams", Origin=other, **world.panel.headers)
        assert "Access-Control-Allow-Origin" not in headers, other


def test_whoever_guesses_is_slowed_down_and_locks_nobody_out(world: World) -> None:
    statuses = [world.ask("GET", "/api/teams", **bearer(f"mat_{number:043}"))[0] for number in range(15)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert world.ask("GET", f"/?token={'x' * 43}")[0] == 429
    assert world.ask("GET", "/api/teams", **world.panel.headers)[0] == 200
    assert world.sign_in(world.panel.token)


def test_a_client_that_drips_holds_no_thread(world: World) -> None:
    heads = (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        f"POST /api/teams HTTP/1.1\r\nHost: 127.0.0.1:{world.panel.port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {world.panel.token}\r\nContent-Length: 1000\r\n\r\n".encode(),
    )
    sockets = [socket.create_connection(("127.0.0.1", world.panel.port)) for _ in heads]
    started = time.monotonic()
    for connection, head in zip(sockets, heads, strict=True):
        connection.sendall(head)
        connection.settimeout(0.2)
    ended: set[socket.socket] = set()
    while len(ended) < len(sockets) and time.monotonic() - started < 45:
        for connection in sockets:
            if connection in ended:
                continue
            try:
                connection.sendall(b"x")
                if connection.recv(1000) is not None:
                    ended.add(connection)
            except TimeoutError:
                continue
            except OSError:
                ended.add(connection)
    assert len(ended) == len(sockets)
    assert time.monotonic() - started > 15
    for connection in sockets:
        connection.close()
    assert world.ask("GET", "/health")[0] == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        pytest.param("http://evil.example", 403, id="stranger"),
        pytest.param("https://tools.example.com", 403, id="configured-for-the-api"),
        pytest.param(None, 403, id="no-origin"),
        pytest.param("own", 101, id="own-page"),
    ],
)
def test_websockets_with_a_cookie_are_for_our_own_pages(world: World, origin: str | None, status: int) -> None:
    cookie = world.sign_in(world.panel.token)
    headers = {
        "Cookie": cookie,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **({"Origin": world.panel.url if origin == "own" else origin} if origin else {}),
    }
    connection = HTTPConnection("127.0.0.1", world.panel.port, timeout=30)
    connection.request("GET", f"/api/builds/{world.ours.build.id}/logs/ws", headers=headers)
    assert connection.getresponse().status == status
    connection.close()


def test_it_says_whether_it_can_work_and_nothing_else(world: World) -> None:
    status, answer, _ = world.ask("GET", "/ready")
    assert (status, answer) == (200, {"ok": True, "checks": {"database": True, "home": True}})


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\x00", "\u202eevil", "x" * 5000])
def test_text_that_nobody_can_read_is_refused_and_breaks_nothing(world: World, text: str) -> None:
    for path, body in (
        ("/api/teams", {"name": text}),
        ("/api/tokens", {"name": text}),
        ("/api/members", {"team": "search", "email": text + "@b.de"}),
        ("/api/members", {"team": text, "email": "a@b.de"}),
    ):
        status, answer, _ = world.ask("POST", path, body, **world.panel.headers)
        assert status in {400, 404, 422}, (path, status, answer)


def test_the_panel_starts_with_no_token_that_could_be_guessed(world: World) -> None:
    with pytest.raises(InvalidInput, match="32"):
        create_app(world.admin, token="short")


def test_a_schedule_or_member_of_another_team_is_as_one_that_isnt_there(world: World) -> None:
    deployment = world.admin.storage.deployments.create(Deployment(world.theirs.id, "main", "main"))
    schedule = world.admin.schedules.create(deployment, cron="0 3 * * *")
    member = world.admin.members.add(world.theirs.team_id, "eve@example.com", role="member")
    asked = bearer(world.admin.tokens.create("looks", scopes=["admin"], team="search").secret)
    for noun, hidden in (("schedules", schedule.id), ("members", member.id)):
        missing = str(uuid.uuid4())
        for method in ("GET", "DELETE"):
            status, answer, _ = world.ask(method, f"/api/{noun}/{hidden}", **asked)
            assert status == 404
            none = world.ask(method, f"/api/{noun}/{missing}", **asked)[1]
            assert json.dumps(answer).replace(hidden, "") == json.dumps(none).replace(missing, "")


def test_nobody_tells_the_panel_below_which_path_it_is(world: World) -> None:
    """A header of the client would lead its sign-in to another host, token and all."""
    connection = socket.create_connection(("127.0.0.1", world.panel.port), timeout=10)
    head = f"GET //evil.example/x?token={world.panel.token} HTTP/1.1\r\nHost: 127.0.0.1:{world.panel.port}\r\n"
    with connection:
        connection.sendall(f"{head}SCRIPT_NAME: //evil.example\r\nConnection: close\r\n\r\n".encode())
        answer = connection.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 303")
    assert "\r\nLocation: /evil.example/x\r\n" in answer


def test_a_crowd_that_drips_keeps_nobody_out_for_long(world: World) -> None:
    crowd = [socket.create_connection(("127.0.0.1", world.panel.port)) for _ in range(400)]
    try:
        for connection in crowd:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        started = time.monotonic()
        assert world.ask("GET", "/health")[0] == 200
        assert time.monotonic() - started < 12
    finally:
        for connection in crowd:
            connection.close()
