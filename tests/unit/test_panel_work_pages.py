"""The pages of teams, projects and deployments, and asking an agent through the API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import BASE, TOKEN, Seeded, end_build, make_build, make_fake_admin, seed
from flask.testing import FlaskClient

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import RequestFailed
from mastra_admin_sdk.models import BuildStatus, DeploymentStatus, DesiredState, PackageManager, Team
from mastra_admin_sdk.services.builds.manifests import save_manifest
from mastra_admin_sdk.services.deployments.clients import Agent

HOSTILE = "<script>alert(1)</script>\"'&"
TABS = ("overview", "builds", "env", "log", "metrics", "settings")
PROJECT_TABS = ("deployments", "env", "triggers", "settings")


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home") as made:
        yield made


@pytest.fixture
def seeded(admin: MastraAdmin) -> Seeded:
    return seed(admin.storage, admin.home.path)


@pytest.fixture
def client(admin: MastraAdmin) -> FlaskClient:
    return sign_in(admin)


def sign_in(admin: MastraAdmin, token: str = TOKEN) -> FlaskClient:
    client = create_app(admin, token=TOKEN).test_client()
    client.environ_base.update(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def sign_in_as(admin: MastraAdmin, *scopes: str, **bound: str) -> FlaskClient:
    return sign_in(admin, admin.tokens.create("t", scopes=list(scopes), **bound).secret)


def open_page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path, base_url=BASE)
    assert answer.status_code == status, answer.text
    return answer.text


def list_pages(seeded: Seeded) -> list[str]:
    return [
        "/",
        "/teams",
        "/teams/search",
        "/projects",
        "/projects/new",
        "/projects/new?kind=git",
        *(f"/projects/{seeded.project.id}?tab={tab}" for tab in PROJECT_TABS),
        *(f"/deployments/{seeded.deployment.id}?tab={tab}" for tab in TABS),
    ]


def test_every_page_answers_and_holds_no_inline_code(client: FlaskClient, seeded: Seeded) -> None:
    for path in list_pages(seeded):
        page = open_page(client, path)
        assert not re.search(r"<script(?![^>]*\bsrc=)", page), path
        assert not re.search(r"\s(on\w+|style)=", page), path


def test_hostile_names_stay_text_on_every_page(client: FlaskClient, admin: MastraAdmin) -> None:
    admin.storage.teams.create(Team(HOSTILE, "hostile"))
    seeded = seed(admin.storage, admin.home.path, name=HOSTILE)
    admin.storage.teams.update(seeded.team.id, name=HOSTILE)
    admin.projects.set_env(seeded.project, {"A": HOSTILE}, secret=False)
    admin.storage.deployments.update(
        seeded.deployment.id, branch=HOSTILE, status_reason=HOSTILE, public_url="javascript:alert(1)"
    )
    build = make_build(admin.storage, admin.home.path, seeded.deployment, actor=HOSTILE)
    end_build(admin.storage, build, BuildStatus.FAILED, error_message=HOSTILE)
    team = admin.storage.teams.get(seeded.team.id).slug
    for path in (*list_pages(seeded), f"/teams/{team}"):
        page = client.get(path, base_url=BASE).text
        assert "<script>alert" not in page, path
        assert 'href="javascript:' not in page, path


def test_lists_that_are_empty_say_what_to_do(client: FlaskClient) -> None:
    assert "Create the first team" in open_page(client, "/teams")
    assert "Choose a project" in open_page(client, "/projects")
    assert "there is none yet" in open_page(client, "/projects/new")


def test_a_project_that_isnt_deployed_says_what_to_do(client: FlaskClient, admin: MastraAdmin) -> None:
    admin.source.add("weather-agent")  # type: ignore[attr-defined]
    team = admin.teams.create("Search")
    project = admin.projects.create(team, source="weather-agent")
    assert "Not deployed yet" in open_page(client, f"/projects/{project.id}")
    assert "not deployed yet" in open_page(client, "/teams/search")
    assert "No variable yet" in open_page(client, f"/projects/{project.id}?tab=env")


def test_sources_show_what_to_choose_by_and_where_was_searched(client: FlaskClient, admin: MastraAdmin) -> None:
    admin.teams.create("Search")
    admin.source.add("weather-agent", package_manager=PackageManager.PNPM, mastra_version="1.70.2")  # type: ignore[attr-defined]
    admin.source.add_broken("ruin", "its package.json is broken")  # type: ignore[attr-defined]
    page = open_page(client, "/projects/new?team=search")
    for part in ("weather-agent", "pnpm", "Mastra 1.70.2", "/fake/agents", "its package.json is broken", "selected"):
        assert part in page


def test_secrets_are_on_no_page(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    admin.projects.set_env(seeded.project, {"API_KEY": "sk-very-secret"})
    admin.projects.set_env(seeded.project, {"LEVEL": "debug"}, secret=False)
    admin.deployments.get(seeded.deployment.id).set_env({"OWN": "sk-own-secret"})
    for path in list_pages(seeded):
        page = open_page(client, path)
        assert "very-secret" not in page
        assert "own-secret" not in page
    page = open_page(client, f"/deployments/{seeded.deployment.id}?tab=env")
    assert all(part in page for part in ("API_KEY", "LEVEL", "debug", "OWN"))
    assert "overrides" not in page


def test_a_deployment_offers_what_makes_sense(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    path = f"/deployments/{seeded.deployment.id}"
    page = open_page(client, path)
    assert f'"POST /api{path}/stop"' in page
    assert f'"POST /api{path}/start"' not in page
    admin.storage.deployments.update(seeded.deployment.id, desired_state=DesiredState.STOPPED)
    admin.storage.deployments.transition(
        seeded.deployment.id, DeploymentStatus.STOPPED, expected=[DeploymentStatus.RUNNING]
    )
    page = open_page(client, path)
    assert f'"POST /api{path}/stop"' not in page
    assert f'"POST /api{path}/start"' in page


def test_a_failed_build_is_told_while_the_one_before_serves(
    client: FlaskClient, admin: MastraAdmin, seeded: Seeded
) -> None:
    build = make_build(admin.storage, admin.home.path, seeded.deployment)
    end_build(admin.storage, build, BuildStatus.FAILED, error_message="error TS2304")
    page = open_page(client, f"/deployments/{seeded.deployment.id}")
    for part in ("Build #2 failed", "error TS2304", "Build #1 still serves", f'href="/builds/{build.id}"'):
        assert part in page


def test_a_reader_is_offered_nothing_that_would_be_refused(admin: MastraAdmin, seeded: Seeded) -> None:
    reader = sign_in_as(admin, "read")
    for path in list_pages(seeded):
        page = open_page(reader, path)
        assert not re.search(r'data-api="(POST|PATCH|PUT|DELETE)', page), path


def test_a_deployer_may_deploy_but_not_delete(admin: MastraAdmin, seeded: Seeded) -> None:
    deployer = sign_in_as(admin, "read", "deploy")
    page = open_page(deployer, f"/deployments/{seeded.deployment.id}")
    assert "/redeploy" in page
    assert "DELETE /api/deployments" not in page


def test_a_token_of_a_team_sees_that_one_alone(admin: MastraAdmin, seeded: Seeded) -> None:
    other = admin.teams.create("Billing")
    bound = sign_in_as(admin, "read", team=other.slug)
    assert "Search" not in open_page(bound, "/teams")
    assert "Weather agent" not in open_page(bound, "/projects")
    assert "weather" not in open_page(bound, "/")
    open_page(bound, "/teams/search", 404)
    open_page(bound, f"/deployments/{seeded.deployment.id}", 404)


def test_what_isnt_there_is_a_page_that_says_so(client: FlaskClient) -> None:
    for path in ("/teams/nothing", "/projects/nothing", "/deployments/nothing"):
        assert "Back to the overview" in open_page(client, path, 404)


def test_a_page_that_shows_the_same_is_not_sent_again(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    for path in ("/teams", "/projects", f"/projects/{seeded.project.id}", f"/deployments/{seeded.deployment.id}"):
        tag = client.get(path, base_url=BASE).headers["ETag"]
        assert client.get(path, base_url=BASE, headers={"If-None-Match": tag}).status_code == 304, path
        admin.teams.create(f"Team {path}")
    tag = client.get("/teams", base_url=BASE).headers["ETag"]
    admin.teams.update("search", name="Other")
    assert client.get("/teams", base_url=BASE, headers={"If-None-Match": tag}).status_code == 200


def test_builds_of_a_deployment_come_in_pages(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    for _ in range(60):
        make_build(admin.storage, admin.home.path, seeded.deployment)
    path = f"/deployments/{seeded.deployment.id}?tab=builds"
    first = open_page(client, path)
    assert ">#61</a>" in first
    assert ">#11</a>" not in first
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    second = open_page(client, following[1].replace("&amp;", "&"))
    assert ">#11</a>" in second
    assert ">#61</a>" not in second
    assert "None is failed" in open_page(client, f"{path}&status=failed")


def test_agents_of_a_deployment_are_listed(client: FlaskClient, admin: MastraAdmin, seeded: Seeded) -> None:
    path = f"/api/deployments/{seeded.deployment.id}/agents"
    assert client.get(path, base_url=BASE).json == {"agents": []}
    save_manifest(admin.home, seeded.build.id, inventory={"agents": {"weather": {"name": "Weather", "modelId": "m"}}})
    found = client.get(path, base_url=BASE).json
    assert found == {
        "agents": [{"id": "weather", "name": "Weather", "description": "", "model": "m", "tools": []}],
    }


def test_an_agent_is_asked_and_its_trace_is_told(
    client: FlaskClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def generate(agent: Agent, messages: Any, **options: Any) -> Mapping[str, Any]:
        asked.append((agent.id, messages, options))
        return {"text": "Sunny.", "traceId": "t1", "usage": {"inputTokens": 5, "outputTokens": 2}, "finishReason": 1}

    monkeypatch.setattr(Agent, "generate", generate)
    path = f"/api/deployments/{seeded.deployment.id}/agents/weather/generate"
    answer = client.post(path, base_url=BASE, json={"messages": "How is it?", "timeout": 9})
    assert answer.status_code == 200, answer.text
    told = answer.get_json()["answer"]
    assert (told["text"], told["trace_id"], told["input_tokens"], told["finish_reason"]) == ("Sunny.", "t1", 5, None)
    assert asked == [("weather", "How is it?", {"timeout": 9.0})]
    turns = [{"role": "user", "content": "x"}]
    client.post(path, base_url=BASE, json={"messages": turns, "memory": {"thread": "a", "resource": "b"}})
    assert asked[1] == ("weather", turns, {"timeout": 120.0, "memory": {"thread": "a", "resource": "b"}})


def test_an_agent_that_gives_no_usable_answer_is_told(
    client: FlaskClient, admin: MastraAdmin, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RequestFailed("It took longer than 1 s.")

    monkeypatch.setattr(Agent, "generate", fail)
    path = f"/api/deployments/{seeded.deployment.id}/agents/weather/generate"
    answer = client.post(path, base_url=BASE, json={"messages": "x"})
    assert (answer.status_code, answer.get_json()["error"]["message"]) == (502, "It took longer than 1 s.")
    assert client.post(path, base_url=BASE, json={"messages": "x", "timeout": 999}).status_code == 422
    reader = sign_in_as(admin, "read")
    assert reader.post(path, base_url=BASE, json={"messages": "x"}).status_code == 403
