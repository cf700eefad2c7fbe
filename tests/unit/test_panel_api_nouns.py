"""The nouns of the API: projects, deployments, builds, processes, variables, schedules, sources, events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import BASE, TOKEN, Seeded, end_build, make_build, make_fake_admin, seed

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import Artifact, BuildStatus

Call = Callable[..., Any]


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home") as made:
        yield made


@pytest.fixture
def seeded(admin: MastraAdmin) -> Seeded:
    return seed(admin.storage, admin.home.path)


def sign_in(admin: MastraAdmin, token: str = TOKEN) -> Call:
    client = create_app(admin, token=TOKEN).test_client()

    def call(asked: str, status: int = 200, json: Any = None, **headers: str) -> Any:
        method, path = asked.split(" ")
        sent = {
            "Authorization": f"Bearer {token}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        answer = client.open(path, method=method, base_url=BASE, headers=sent, json=json)
        assert answer.status_code == status, answer.text
        return answer

    return call


@pytest.fixture
def call(admin: MastraAdmin, seeded: Seeded) -> Call:
    return sign_in(admin)


# --- projects ---------------------------------------------------------------------------------------------------------


def test_a_project_is_made_changed_tied_to_another_source_and_deleted(admin: MastraAdmin, call: Call) -> None:
    for name in ("one", "two"):
        admin.source.add(name)  # type: ignore[attr-defined]
    made = call("POST /api/projects", 201, {"team": "search", "source": "one", "env": {"KEY": "hunter2"}})
    project = made.json["project"]
    assert (project["slug"], project["source_path"], project["has_webhook"]) == ("one", "/fake/agents/one", False)
    assert "hunter2" not in made.text
    where = f"/api/projects/{project['id']}"
    assert made.headers["Location"] == where
    changed = call(f"PATCH {where}", json={"name": "First", "default_branch": "trunk"}).json["project"]
    assert (changed["name"], changed["slug"], changed["default_branch"]) == ("First", "one", "trunk")
    assert call(f"POST {where}/relink", json={"source": "two"}).json["project"]["source_path"] == "/fake/agents/two"
    call(f"DELETE {where}", 204)
    call(f"GET {where}", 404)


@pytest.mark.parametrize("source", [{}, {"source": "a", "git": "b"}], ids=["neither", "both"])
def test_a_project_has_one_source(call: Call, source: dict[str, str]) -> None:
    error = call("POST /api/projects", 422, {"team": "search", **source}).json["error"]
    assert list(error["details"]["fields"]) == ["source", "git"]


def test_the_secret_of_a_webhook_is_told_once(call: Call) -> None:
    secret = call("POST /api/projects/weather/webhook", 201).json["webhook"]["secret"]
    call("POST /api/projects/weather/webhook", 409)
    shown = call("GET /api/projects/weather")
    assert shown.json["project"]["has_webhook"] is True
    assert secret not in shown.text
    assert call("POST /api/projects/weather/webhook/rotate").json["webhook"]["secret"] != secret
    call("DELETE /api/projects/weather/webhook", 204)
    call("DELETE /api/projects/weather/webhook", 404)


# --- variables --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["/api/projects/weather/env", "/api/deployments/weather/env"])
def test_values_of_secrets_come_in_and_never_go_out(call: Call, where: str) -> None:
    answer = call(f"PATCH {where}", json={"variables": {"KEY": "hunter2"}})
    assert answer.json["env"] == {"version": 1, "variables": [{"key": "KEY", "value": None, "is_secret": True}]}
    call(f"PATCH {where}", json={"variables": {"LEVEL": "debug"}, "secret": False})
    shown = call(f"GET {where}")
    assert [item["value"] for item in shown.json["env"]["variables"]] == [None, "debug"]
    call(f"PATCH {where}", json={"variables": {"KEY": None}})
    assert [item["key"] for item in call(f"GET {where}").json["env"]["variables"]] == ["LEVEL"]
    versions = call(f"GET {where}/versions")
    assert len(versions.json["versions"]) == 4
    first, last = (versions.json["versions"][place]["version"] for place in (-1, 0))
    changes = call(f"GET {where}/diff?before={first}&after={last}").json["changes"]
    assert changes == [{"key": "LEVEL", "change": "added", "is_secret": False}]
    assert "hunter2" not in answer.text + shown.text + versions.text + call("GET /api/events").text


@pytest.mark.parametrize("name", ["", "1A", "A=B", "PORT", "A B"])
def test_a_variable_that_no_server_could_have_is_refused(call: Call, name: str) -> None:
    call("PATCH /api/projects/weather/env", 422, {"variables": {name: "x"}})


# --- deployments ------------------------------------------------------------------------------------------------------


def test_a_deploy_is_queued_and_says_where_to_look(admin: MastraAdmin, call: Call) -> None:
    answer = call(
        "POST /api/deployments", 202, {"project": "weather", "branch": "next", "type": "preview", "ttl": "3d"}
    )
    build = answer.json["build"]
    assert (build["status"], build["number"], build["kind"]) == ("queued", 1, "deploy")
    assert call(f"GET {answer.headers['Location']}").json == answer.json
    made = call(f"GET /api/deployments/{build['deployment_id']}").json["deployment"]
    assert (made["branch"], made["type"], made["ttl_seconds"]) == ("next", "preview", 3 * 86400)
    assert made["active_build"]["id"] == build["id"]


def test_a_deploy_under_one_key_is_one_deploy(call: Call) -> None:
    body = {"project": "weather"}
    first = call("POST /api/deployments", 202, body, Idempotency_Key="k-1").json["build"]
    assert call("POST /api/deployments", 202, body, Idempotency_Key="k-1").json["build"]["id"] == first["id"]
    call("POST /api/deployments", 409, {"project": "weather", "branch": "other"}, Idempotency_Key="k-1")
    error = call("POST /api/deployments", 422, body, Idempotency_Key="a b").json["error"]
    assert list(error["details"]["fields"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("action", ["redeploy", "restart", "start", "promote", "rollback"])
def test_what_queues_a_build_answers_with_it(admin: MastraAdmin, call: Call, seeded: Seeded, action: str) -> None:
    folder = admin.home.artifacts / seeded.build.id
    folder.mkdir(parents=True)
    artifact = Artifact(folder, "index.mjs", "node", "24.19.0", "1.71.0", None)
    admin.storage.builds.update(seeded.build.id, artifact=admin.runner.dump_artifact(artifact))
    body = {"promote": {"to": "staging"}, "rollback": {"to": 1}}.get(action)
    answer = call(f"POST /api/deployments/weather/{action}", 202, body)
    assert answer.headers["Location"] == f"/api/builds/{answer.json['build']['id']}"


def test_a_deployment_that_served_nothing_before_cannot_go_back(call: Call) -> None:
    assert call("POST /api/deployments/weather/rollback", 422).json["error"]["code"] == "invalid_input"


def test_choices_are_changed_alone_and_together(call: Call, seeded: Seeded) -> None:
    where = f"PATCH /api/deployments/{seeded.deployment.id}"
    changed = call(where, json={"memory_mb": 512, "nice": None, "keep_builds": 3, "watch": True}).json["deployment"]
    assert (changed["memory_mb"], changed["nice"], changed["keep_builds"], changed["watch"]) == (512, None, 3, True)
    changed = call(where, json={"strategy": "recreate", "replicas": 1}).json["deployment"]
    assert (changed["strategy"], changed["memory_mb"]) == ("recreate", 512)
    call(where, 422, {"replicas": 2})
    call(where, 422, {"replicas": 13})
    call(where, 422, {"ttl": "3d"})
    call(where, 422, {"domains": ["not a domain"]})
    assert call(where, json={"domains": ["agents.example.com"]}).json["deployment"]["domains"] == ["agents.example.com"]
    assert call(where, json={"domains": []}).json["deployment"]["domains"] == []


def test_a_deployment_is_stopped_and_deleted(call: Call) -> None:
    stopped = call("POST /api/deployments/weather/stop").json["deployment"]
    assert (stopped["status"], stopped["desired_state"], stopped["servers"]) == ("stopped", "stopped", [])
    call("DELETE /api/deployments/weather", 204, {})
    call("GET /api/deployments/weather", 404)


def test_deployments_are_filtered(call: Call) -> None:
    for asked, count in [("status=running", 1), ("status=failed", 0), ("team=search", 1), ("project=weather", 1)]:
        assert len(call(f"GET /api/deployments?{asked}").json["deployments"]) == count, asked
    call("GET /api/deployments?status=nice", 422)
    call("GET /api/deployments?team=nobody", 404)


# --- builds -----------------------------------------------------------------------------------------------------------


def test_builds_are_filtered_and_read_in_pages(admin: MastraAdmin, call: Call, seeded: Seeded) -> None:
    for _ in range(3):
        build = make_build(admin.storage, admin.home.path, seeded.deployment)
        end_build(admin.storage, build, BuildStatus.FAILED, error_message="no")
    first = call("GET /api/builds?status=failed&limit=2").json
    second = call(f"GET /api/builds?status=failed&limit=2&cursor={first['next']}").json
    assert [build["number"] for build in first["builds"] + second["builds"]] == [4, 3, 2]
    assert second["next"] is None
    assert call("GET /api/builds?since=2100-01-01T00:00:00Z").json["builds"] == []


def test_a_build_is_cancelled(admin: MastraAdmin, call: Call, seeded: Seeded) -> None:
    build = make_build(admin.storage, admin.home.path, seeded.deployment)
    assert call(f"POST /api/builds/{build.id}/cancel").json["build"]["status"] == "cancelled"
    assert call(f"POST /api/builds/{seeded.build.id}/cancel").json["build"]["status"] == "succeeded"


def test_what_a_build_made_and_how_it_differs_is_told(admin: MastraAdmin, call: Call, seeded: Seeded) -> None:
    artifact = call(f"GET /api/builds/{seeded.build.id}/artifact").json["artifact"]
    assert (artifact["build_id"], artifact["packages"]) == (seeded.build.id, {})
    call(f"GET /api/builds/{seeded.build.id}/diff", 404)
    build = make_build(admin.storage, admin.home.path, seeded.deployment)
    diff = call(f"GET /api/builds/{build.id}/diff").json["diff"]
    assert (diff["before"]["id"], diff["after"]["id"]) == (seeded.build.id, build.id)
    assert "files" in diff["missing"]


# --- processes, schedules, sources, events ----------------------------------------------------------------------------


def test_servers_are_listed(call: Call, seeded: Seeded) -> None:
    listed = call("GET /api/processes?deployment=weather&status=running&status=starting").json["processes"]
    assert [(item["id"], item["port"]) for item in listed] == [(seeded.process.id, 4101)]
    assert call(f"GET /api/processes/{seeded.process.id}").json["process"] == listed[0]
    assert call("GET /api/processes?status=exited").json["processes"] == []


def test_a_schedule_is_made_switched_and_removed(call: Call) -> None:
    made = call("POST /api/schedules", 201, {"deployment": "weather", "cron": "0 3 * * *", "timezone": "Europe/Berlin"})
    where = made.headers["Location"]
    assert call(f"PATCH {where}", json={"enabled": False}).json["schedule"]["next_at"] is None
    assert call(f"PATCH {where}", json={"enabled": True}).json["schedule"]["enabled"] is True
    assert len(call("GET /api/schedules?project=weather").json["schedules"]) == 1
    call(f"DELETE {where}", 204)
    call(f"GET {where}", 404)
    call("POST /api/schedules", 422, {"deployment": "weather", "cron": "99 * * * *"})


def test_sources_say_where_they_were_looked_for(admin: MastraAdmin, call: Call) -> None:
    source = admin.source.add("weather")  # type: ignore[attr-defined]
    found = call("GET /api/sources/projects?refresh=true").json
    assert [item["id"] for item in found["projects"]] == [source.id]
    assert set(found) == {"projects", "skipped", "searched"}
    assert call(f"GET /api/sources/projects/{source.id}").json["project"]["path"] == source.path
    assert call(f"POST /api/sources/projects/{source.id}/validate").json["validation"]["valid"] is True
    call("GET /api/sources/projects/nothing", 404)


def test_what_was_done_is_on_record_with_who_did_it(call: Call) -> None:
    call("PATCH /api/teams/search", json={"name": "Find"})
    event = call("GET /api/events?object_type=team&limit=1").json["events"][0]
    assert (event["action"], event["details"]["name"]) == ("rename", "Find")


# --- who may what -----------------------------------------------------------------------------------------------------


def test_a_token_of_another_team_finds_nothing(admin: MastraAdmin, seeded: Seeded) -> None:
    other = admin.teams.create("Other")
    call = sign_in(admin, admin.tokens.create("ci", scopes=["admin"], team=other).secret)
    for name in ("projects", "deployments", "builds", "processes", "schedules"):
        assert call(f"GET /api/{name}").json[name] == [], name
    found = call("GET /api/overview").json
    assert ([team["slug"] for team in found["teams"]], found["counts"], found["builds"]) == (["other"], {}, [])
    for path in (
        f"/api/projects/{seeded.project.id}",
        f"/api/deployments/{seeded.deployment.id}",
        f"/api/builds/{seeded.build.id}",
        f"/api/processes/{seeded.process.id}",
        f"/api/deployments/{seeded.deployment.id}/env",
        f"/api/builds?deployment={seeded.deployment.id}",
    ):
        call(f"GET {path}", 404)
    call(f"POST /api/deployments/{seeded.deployment.id}/stop", 404)
    call("POST /api/deployments", 404, {"project": seeded.project.id})


def test_a_reader_deploys_nothing(admin: MastraAdmin, seeded: Seeded) -> None:
    call = sign_in(admin, admin.tokens.create("ci", scopes=["read"]).secret)
    call("POST /api/deployments", 403, {"project": "weather"})
    call("PATCH /api/deployments/weather", 403, {"replicas": 2})
    call("GET /api/deployments/weather")
