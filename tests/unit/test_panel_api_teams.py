"""``/api/teams``: the noun that the others are written after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import BASE, TOKEN, make_fake_admin, seed
from flask.testing import FlaskClient

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin

Call = Callable[..., Any]


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home") as made:
        yield made


def sign_in(admin: MastraAdmin, token: str = TOKEN) -> Call:
    client: FlaskClient = create_app(admin, token=TOKEN).test_client()

    def call(method: str, path: str, status: int, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        answer = client.open(path, method=method.upper(), base_url=BASE, headers=headers, **options)
        assert answer.status_code == status, answer.text
        return answer

    return call


@pytest.fixture
def call(admin: MastraAdmin) -> Call:
    return sign_in(admin)


def test_a_team_is_made_shown_renamed_and_deleted(call: Call) -> None:
    made = call("post", "/api/teams", 201, json={"name": "Search"})
    team = made.json["team"]
    assert (team["name"], team["slug"]) == ("Search", "search")
    assert made.headers["Location"] == f"/api/teams/{team['id']}"
    assert call("get", made.headers["Location"], 200).json == {"team": team}
    assert call("get", "/api/teams/search", 200).json == {"team": team}
    renamed = call("patch", "/api/teams/search", 200, json={"name": "Find"}).json["team"]
    assert (renamed["name"], renamed["slug"]) == ("Find", "search")
    assert renamed["updated_at"] >= team["updated_at"]
    assert call("patch", "/api/teams/search", 200, json={}).json["team"] == renamed
    assert call("delete", "/api/teams/search", 204).data == b""
    call("get", "/api/teams/search", 404)


def test_a_second_team_of_a_slug_is_a_conflict(call: Call) -> None:
    call("post", "/api/teams", 201, json={"name": "Search"})
    error = call("post", "/api/teams", 409, json={"name": "Search"}).json["error"]
    assert error["code"] == "conflict"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "name", id="missing"),
        pytest.param({"name": ""}, "name", id="empty"),
        pytest.param({"name": "a\0"}, "name", id="nul"),
        pytest.param({"name": "Search", "slug": 3}, "slug", id="number"),
        pytest.param({"name": "Search", "colour": "red"}, "colour", id="unknown"),
    ],
)
def test_a_team_that_cannot_be_made_says_which_field(call: Call, body: dict[str, Any], field: str) -> None:
    error = call("post", "/api/teams", 422, json=body).json["error"]
    assert (error["code"], list(error["details"]["fields"])) == ("invalid_input", [field])


def test_a_name_that_the_sdk_refuses_is_one_of_input(call: Call) -> None:
    assert call("post", "/api/teams", 422, json={"name": "  "}).json["error"]["code"] == "invalid_input"


def test_teams_are_read_in_pages(admin: MastraAdmin, call: Call) -> None:
    for number in range(5):
        admin.teams.create(f"Team {number}")
    seen, cursor = [], ""
    for _ in range(3):
        page = call("get", f"/api/teams?limit=2{cursor}", 200).json
        seen += [team["name"] for team in page["teams"]]
        cursor = f"&cursor={page['next']}"
    assert (seen, page["next"]) == ([f"Team {number}" for number in (4, 3, 2, 1, 0)], None)


def test_a_cursor_of_somewhere_else_is_refused(call: Call) -> None:
    error = call("get", "/api/teams?cursor=abcd", 422).json["error"]
    assert list(error["details"]["fields"]) == ["cursor"]


def test_a_change_of_what_was_changed_meanwhile_is_refused(admin: MastraAdmin, call: Call) -> None:
    admin.teams.create("Search")
    etag = call("get", "/api/teams/search", 200).headers["ETag"]
    call("get", "/api/teams/search", 304, headers={"If-None-Match": etag})
    call("patch", "/api/teams/search", 200, json={"name": "Find"}, headers={"If-Match": etag})
    call("patch", "/api/teams/search", 412, json={"name": "Look"}, headers={"If-Match": etag})
    call("delete", "/api/teams/search", 412, headers={"If-Match": etag})
    assert admin.teams.get("search").name == "Find"


def test_a_token_of_a_team_sees_that_one_alone(admin: MastraAdmin) -> None:
    seeded = seed(admin.storage, admin.home.path)
    other = admin.teams.create("Other")
    token = admin.tokens.create("ci", scopes=["admin"], team=seeded.team)
    call = sign_in(admin, token.secret)
    assert [team["slug"] for team in call("get", "/api/teams", 200).json["teams"]] == ["search"]
    call("get", "/api/teams/other", 404)
    call("delete", f"/api/teams/{other.id}", 404)
    call("post", "/api/teams", 403, json={"name": "Third"})
    call("patch", "/api/teams/search", 200, json={"name": "Find"})


def test_a_reader_changes_nothing(admin: MastraAdmin) -> None:
    admin.teams.create("Search")
    call = sign_in(admin, admin.tokens.create("ci", scopes=["read"]).secret)
    call("get", "/api/teams/search", 200)
    for method, path in [("post", "/api/teams"), ("patch", "/api/teams/search"), ("delete", "/api/teams/search")]:
        call(method, path, 403, json={"name": "x"})
