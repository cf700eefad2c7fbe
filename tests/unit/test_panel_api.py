"""The JSON API."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import BASE, TOKEN, Seeded, end_build, make_build, make_fake_admin, seed, write_log
from flask.testing import FlaskClient

from mastra_admin_panel import create_app
from mastra_admin_panel.problems import find_status
from mastra_admin_sdk import MastraAdmin, errors
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import BuildStatus, EnvVar


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home") as made:
        yield made


@pytest.fixture
def seeded(admin: MastraAdmin) -> Seeded:
    return seed(admin.storage, admin.home.path)


@pytest.fixture
def client(admin: MastraAdmin) -> FlaskClient:
    client = create_app(admin, token=TOKEN).test_client()
    client.environ_base.update(HTTP_AUTHORIZATION=f"Bearer {TOKEN}", HTTP_HOST="127.0.0.1:3001")
    return client


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    answer = client.get(path, base_url=BASE)
    assert answer.status_code == status, answer.text
    return answer.json


def test_making_an_app_starts_no_thread(admin: MastraAdmin) -> None:
    before = threading.active_count()
    create_app(admin, token=TOKEN)
    assert threading.active_count() == before


def test_lists_have_their_name_and_a_cursor(client: FlaskClient, seeded: Seeded) -> None:
    assert get(client, "/api/teams")["teams"][0]["slug"] == "search"
    assert get(client, "/api/projects")["projects"][0]["source_path"] == "/srv/agents/weather"
    deployment = get(client, "/api/deployments")["deployments"][0]
    assert (deployment["status"], deployment["url"]) == ("running", "http://weather.search.localhost:8080")
    shown = get(client, f"/api/deployments/{deployment['id']}")["deployment"]
    assert shown["local_url"] == "http://127.0.0.1:4101"
    assert get(client, "/api/builds") == {
        "builds": [get(client, f"/api/builds/{seeded.build.id}")["build"]],
        "next": None,
    }


def test_lists_are_filtered(client: FlaskClient, seeded: Seeded) -> None:
    assert get(client, "/api/projects?team=search")["projects"]
    assert get(client, "/api/deployments?project=weather")["deployments"]
    assert get(client, "/api/builds?deployment=weather&limit=1")["builds"]
    error = get(client, "/api/projects?team=serach", 404)["error"]
    assert error["code"] == "not_found"
    assert "search" in error["hint"]


def test_phases_come_in_the_order_they_run(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    mixed = {"route": 0.1, "build": 9.0, "copy": 0.2, "extra": 1.0, "install": 12.0}
    build = make_build(admin.storage, admin.home.path, seeded.deployment)
    end_build(admin.storage, build, BuildStatus.FAILED, phases=mixed)
    phases = get(client, f"/api/builds/{build.id}")["build"]["phases"]
    assert list(phases) == ["copy", "install", "build", "route", "extra"]


def test_a_build_says_why_it_failed_and_what_to_do(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    problem = {"code": "command_failed", "message": "no", "hint": "Mend it.", "details": {"exit_code": 1}}
    build = make_build(admin.storage, admin.home.path, seeded.deployment)
    end_build(admin.storage, build, BuildStatus.FAILED, error_message="no", error=problem)
    shown = get(client, f"/api/builds/{build.id}")["build"]
    assert shown["error"] == problem
    assert shown["is_final"] is True
    assert 23 < shown["seconds"] < 30


def test_lines_are_read_in_pages(client: FlaskClient, seeded: Seeded) -> None:
    write_log(seeded.build, [f"line {number}" for number in range(3, 8)])
    first = get(client, f"/api/builds/{seeded.build.id}/logs?limit=4")
    assert [line[0] for line in first["lines"]] == [1, 2, 3, 4]
    assert (first["first"], first["last"], first["next"], first["previous"]) == (1, 7, 4, None)
    second = get(client, f"/api/builds/{seeded.build.id}/logs?after={first['next']}")
    assert [line[3] for line in second["lines"]] == ["line 5", "line 6", "line 7"]
    assert (second["next"], second["previous"], second["is_final"]) == (None, 5, True)
    last = get(client, f"/api/builds/{seeded.build.id}/logs?before=8&limit=2")
    assert [line[0] for line in last["lines"]] == [6, 7]
    assert get(client, f"/api/builds/{seeded.build.id}/logs?after=99")["lines"] == []


def test_a_log_is_searched_as_it_is_seen(client: FlaskClient, seeded: Seeded) -> None:
    address = f"/api/builds/{seeded.build.id}/logs/search"
    assert [line[0] for line in get(client, f"{address}?q=BUILD successful")["lines"]] == [2]
    assert get(client, f"{address}?q=BUILD&case=true") == {"lines": [], "next": None, "process": None}
    assert [line[0] for line in get(client, f"{address}?q=in [0-9]%2Bs$&regex=true")["lines"]] == [1]
    answer = client.get(f"{address}?q=(&regex=true", base_url=BASE)
    assert (answer.status_code, list(answer.json["error"]["details"]["fields"])) == (422, ["q"])


def test_the_log_of_a_deployment_is_that_of_its_server(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    path = admin.home.server_logs / f"{seeded.process.id}.log"
    admin.storage.processes.update(seeded.process.id, log_path=str(path))
    with LineLog(path) as log:
        log.write("listening")
    for address in (f"/api/deployments/{seeded.deployment.id}", f"/api/processes/{seeded.process.id}"):
        page = get(client, f"{address}/logs")
        assert [line[2:] for line in page["lines"]] == [["out", "listening"]]
        assert (page["process"], page["is_final"]) == (seeded.process.id, False)
        assert [line[0] for line in get(client, f"{address}/logs/search?q=listen")["lines"]] == [1]
        assert client.get(f"{address}/log.txt", base_url=BASE).text == "listening\n"


def test_a_log_can_be_had_as_text(client: FlaskClient, seeded: Seeded) -> None:
    answer = client.get(f"/api/builds/{seeded.build.id}/log.txt", base_url=BASE)
    assert answer.mimetype == "text/plain"
    assert answer.text == "added 308 packages in 12s\n\x1b[32mBuild successful\x1b[0m\n"


def test_a_build_without_a_log_yet_has_no_lines(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    build = make_build(admin.storage, admin.home.path, seeded.deployment)
    assert get(client, f"/api/builds/{build.id}/logs")["lines"] == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("-1", id="negative"),
        pytest.param("x", id="text"),
        pytest.param("", id="empty"),
        pytest.param("1e3", id="exponent"),
        pytest.param("1_0", id="underscore"),
        pytest.param("٣", id="other-digits"),
        pytest.param("9" * 40, id="huge"),
    ],
)
def test_a_bad_number_names_its_field(client: FlaskClient, seeded: Seeded, value: str) -> None:
    answer = client.get(f"/api/builds/{seeded.build.id}/logs", query_string={"after": value}, base_url=BASE)
    assert answer.status_code == 422
    assert list(answer.json["error"]["details"]["fields"]) == ["after"]


def test_the_overview_holds_all_of_it(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    make_build(admin.storage, admin.home.path, seeded.deployment)
    found = get(client, "/api/overview")
    deployment = found["teams"][0]["projects"][0]["deployments"][0]
    assert deployment["build"]["number"] == 1
    assert deployment["active_build"]["status"] == "queued"
    assert deployment["answers"] is False
    assert found["counts"] == {"running": 1}
    assert found["is_supervised"] is False
    assert [build["deployment"] for build in found["builds"]] == ["search/weather/main"] * 2
    assert found["lag"] == {"files": 0, "bytes": 0, "seconds": 0.0}
    assert {"trouble", "since", "lines", "rejected", "dropped", "dropped_reason"} <= set(found["ingestion"])


def test_an_overview_that_hasnt_changed_is_not_sent_again(client: FlaskClient, seeded: Seeded) -> None:
    first = client.get("/api/overview", base_url=BASE)
    tag = first.headers["ETag"]
    again = client.get("/api/overview", base_url=BASE, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")


def test_an_overview_that_has_changed_is(admin: MastraAdmin, seeded: Seeded) -> None:
    from mastra_admin_panel.glance import Glance

    glance = Glance(admin, fresh_seconds=0)
    tag = glance.look().etag
    assert glance.look().etag == tag
    make_build(admin.storage, admin.home.path, seeded.deployment)
    assert glance.look().etag != tag


def test_many_viewers_cost_one_look(admin: MastraAdmin, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    original = admin.overview
    monkeypatch.setattr(admin, "overview", lambda **options: looks.append(1) or original(**options))
    client = create_app(admin, token=TOKEN).test_client()
    for _ in range(20):
        client.get("/api/overview", base_url=BASE, headers={"Authorization": f"Bearer {TOKEN}"})
    assert len(looks) <= 2


def test_no_answer_holds_a_variable(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    variable = EnvVar("OPENAI_API_KEY", "gAAAAA-encrypted")
    admin.storage.projects.set_env(seeded.project.id, [variable])
    admin.storage.deployments.set_env(seeded.deployment.id, [variable])
    make_build(admin.storage, admin.home.path, seeded.deployment, env_snapshot=(variable,))
    for path in ("/api/overview", "/api/projects", "/api/deployments", "/api/builds", "/"):
        assert "gAAAAA" not in client.get(path, base_url=BASE).text


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        pytest.param("/api/nothing", "get", 404, "not_found", id="unknown-path"),
        pytest.param("/api/builds/nothing", "get", 404, "not_found", id="unknown-build"),
        pytest.param("/api/builds/a%23b", "get", 422, "invalid_input", id="bad-reference"),
        pytest.param("/api/builds?limit=0", "get", 422, "invalid_input", id="bad-parameter"),
        pytest.param("/api/teams", "delete", 405, "method_not_allowed", id="wrong-method"),
        pytest.param("/api/builds/x/logs/ws", "get", 400, "bad_request", id="not-a-websocket"),
    ],
)
def test_errors_have_one_shape(client: FlaskClient, path: str, method: str, status: int, code: str) -> None:
    answer = client.open(path, method=method, base_url=BASE)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "message", "hint", "details"}


def test_an_unexpected_error_tells_nothing_of_itself(
    client: FlaskClient, admin: MastraAdmin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(admin.teams, "list", fail)
    answer = client.get("/api/teams", base_url=BASE)
    assert (answer.status_code, answer.json["error"]["code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text
    assert "GET /api/teams failed" in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(errors.InvalidInput("x"), 422, id="invalid"),
        pytest.param(errors.NotFound("x"), 404, id="not-found"),
        pytest.param(errors.StaleState("x"), 409, id="conflict"),
        pytest.param(errors.StorageError("x"), 503, id="storage"),
        pytest.param(errors.EngineUnavailable("x"), 503, id="engine"),
        pytest.param(errors.QueryError("x"), 400, id="query"),
        pytest.param(errors.NoFreePort("x"), 503, id="ports"),
        pytest.param(errors.RequestFailed("x"), 502, id="server"),
        pytest.param(errors.ForkedProcess("x"), 500, id="fork"),
    ],
)
def test_each_error_has_its_status(error: errors.MastraAdminError, status: int) -> None:
    assert find_status(error) == status
