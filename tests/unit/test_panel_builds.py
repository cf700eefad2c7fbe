"""Pages of builds: the list with its filters, and what stands on the page of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.panel import BASE, TOKEN, end_build, make_build, make_fake_admin, seed, start_build
from flask.testing import FlaskClient

from mastra_admin_panel import create_app
from mastra_admin_panel.viewmodels.build_page import describe_artifact, describe_diff, describe_phases
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import Build, BuildStatus


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home") as made:
        yield made


@pytest.fixture
def client(admin: MastraAdmin) -> FlaskClient:
    client = create_app(admin, token=TOKEN).test_client()
    client.environ_base.update(HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
    return client


def open_page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path, base_url=BASE)
    assert answer.status_code == status, answer.text
    return answer.text


def test_no_builds_say_what_to_do(client: FlaskClient) -> None:
    assert "No build yet" in open_page(client, "/builds")


def test_builds_are_filtered_by_project_and_state(client: FlaskClient, admin: MastraAdmin) -> None:
    first = seed(admin.storage, admin.home.path)
    other = seed(admin.storage, admin.home.path, name="News agent", slug="news", port=4102)
    failed = make_build(admin.storage, admin.home.path, other.deployment)
    end_build(admin.storage, failed, BuildStatus.FAILED, error_message="It broke")

    def shown(query: str) -> set[str]:
        page = open_page(client, f"/builds{query}")
        return {build.id for build in (first.build, other.build, failed) if f"/builds/{build.id}" in page}

    assert shown("") == {first.build.id, other.build.id, failed.id}
    assert shown("?project=search/news") == {other.build.id, failed.id}
    assert shown("?status=failed") == {failed.id}
    assert "No such build" in open_page(client, "/builds?status=cancelled")
    open_page(client, "/builds?project=search/nothing", 404)


def test_a_build_links_its_neighbours_and_offers_what_can_be_done(client: FlaskClient, admin: MastraAdmin) -> None:
    seeded = seed(admin.storage, admin.home.path)
    running = start_build(admin.storage, make_build(admin.storage, admin.home.path, seeded.deployment))
    page = open_page(client, f"/builds/{running.id}")
    assert f'rel="prev" href="/builds/{seeded.build.id}"' in page
    assert f"POST /api/builds/{running.id}/cancel" in page
    assert f"POST /api/deployments/{seeded.deployment.id}/redeploy" not in page
    served = open_page(client, f"/builds/{seeded.build.id}")
    assert f'rel="next" href="/builds/{running.id}"' in served
    assert f"POST /api/deployments/{seeded.deployment.id}/redeploy" in served


def test_phases_stand_behind_each_other_with_those_to_come() -> None:
    build = Build("d", status=BuildStatus.BUILDING, phases={"copy": 1.0, "install": 0.0})
    bars = describe_phases(build, {"copy": 2.0, "install": 6.0, "build": 3.0})
    assert [(bar.name, bar.state) for bar in bars] == [("copy", "done"), ("install", "running"), ("build", "expected")]
    assert [bar.offset for bar in bars] == [0, 10, 70]
    assert sum(bar.share for bar in bars) == pytest.approx(100)
    ended = replace(build, status=BuildStatus.FAILED, phases={"copy": 1.0, "install": 3.0})
    assert [bar.state for bar in describe_phases(ended, {"build": 3.0})] == ["done", "ended"]


def test_a_difference_is_told_by_kind_and_what_isnt_known_says_why() -> None:
    parts = describe_diff(
        {
            "files": [{"path": f"{number}.ts", "change": "added"} for number in range(60)],
            "packages": [{"name": "zod", "change": "changed", "before": "3", "after": "4", "is_direct": True}],
            "env": [{"key": "KEY", "change": "removed", "is_secret": True}],
            "agents": [],
            "tools": [],
            "workflows": [],
            "missing": {"agents": "its server wasn't asked"},
        }
    )
    files, packages, variables, agents, tools, _ = parts
    assert (files.summary, len(files.rows), files.more) == ("60 added", 50, 10)
    assert packages.rows[0][2:] == ("zod", "3 \N{RIGHTWARDS ARROW} 4")
    assert variables.rows[0] == ("removed", "\N{MINUS SIGN}", "KEY", "secret")
    assert agents.unknown == "its server wasn't asked"
    assert tools.summary == "the same"


def test_a_build_without_an_artifact_has_none() -> None:
    assert describe_artifact(Build("d"), {}) is None
