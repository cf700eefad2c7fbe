"""The one path to live, on real Caddy, real shim and real Node servers; only the build itself is quick."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.quick import wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import (
    BuildCancelled,
    CommandFailed,
    Conflict,
    InvalidInput,
    NoFreePort,
    NotFound,
    ServerUnhealthy,
)
from mastra_admin_sdk.models import Project
from mastra_admin_sdk.services.objects import LiveDeployment

pytestmark = pytest.mark.slow


@pytest.fixture
def project(admin: MastraAdmin) -> Project:
    return admin.projects.create(admin.teams.create("Search"), source="quick-app")


def ask(live: LiveDeployment, path: str = "/") -> dict[str, object]:
    return dict(live.request("GET", path).json())


def test_a_deploy_answers_at_its_address_and_is_recorded(admin: MastraAdmin, project: Project) -> None:
    live = admin.deploy(project)
    assert ask(live)["version"] == "v1"
    assert live.url == f"http://quick-app-main.search.localhost:{admin.settings.router_port}"
    assert live.urls[1] == f"http://quick-app.search.localhost:{admin.settings.router_port}"
    assert (live.status, live.build.number, live.build.status) == ("running", 1, "succeeded")
    assert {"copy", "install", "build", "start", "health", "route"} <= set(live.build.phases)
    assert any("Live at http" in line.text for line in live.build.logs())


def test_no_request_is_lost_while_a_deployment_is_replaced(admin: MastraAdmin, project: Project, source: Path) -> None:
    live = admin.deploy(project)
    done, answers, errors = threading.Event(), set(), []

    def send() -> None:
        while not done.is_set():
            try:
                answers.add(live.request("GET", "/slow?ms=30").text)
            except Exception as exc:
                errors.append(exc)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    write_source(source, version="v2")
    live.redeploy()
    wait_until(lambda: "slow v2" in answers, what="an answer of the new version")
    done.set()
    for sender in senders:
        sender.join()
    assert errors == []
    assert answers == {"slow v1", "slow v2"}
    alive = [process for process in admin.storage.processes.list(live.id) if process.status.is_alive]
    assert len(alive) == 1


def test_a_build_that_fails_changes_nothing_and_says_why(admin: MastraAdmin, project: Project, source: Path) -> None:
    live = admin.deploy(project)
    write_source(source, version="v2", fail_build=True)
    with pytest.raises(CommandFailed) as caught:
        live.redeploy()
    assert caught.value.evidence["command"] == "mastra build"
    assert caught.value.evidence["exit_code"] == 1
    assert any("TS2304" in line for line in caught.value.evidence["log_tail"])
    live.refresh()
    assert (live.status, ask(live)["version"]) == ("running", "v1")
    assert "failed" in (live.record.status_reason or "")
    assert live.builds[0].status == "failed"


def test_a_first_build_that_fails_leaves_no_artifact(admin: MastraAdmin, project: Project, source: Path) -> None:
    write_source(source, fail_build=True)
    with pytest.raises(CommandFailed):
        admin.deploy(project)
    (live,) = admin.deployments.list(project)
    assert live.status == "failed"
    assert list(admin.home.artifacts.glob("*")) == []


def test_a_server_that_crashes_on_boot_never_gets_the_route(admin: MastraAdmin, project: Project, source: Path) -> None:
    live = admin.deploy(project)
    write_source(source, crash=True)
    with pytest.raises(ServerUnhealthy) as caught:
        live.redeploy()
    assert any("crashes on boot" in line for line in caught.value.evidence["log_tail"])
    assert ask(live)["version"] == "v1"


def test_going_back_starts_the_kept_artifact_with_the_environment_it_had(
    admin: MastraAdmin, project: Project, source: Path
) -> None:
    admin.projects.set_env(project, {"FLAVOUR": "old"})
    live = admin.deploy(project)
    write_source(source, version="v2")
    admin.projects.set_env(project, {"FLAVOUR": "new", "MORE": "1"})
    live.redeploy()
    assert ask(live, "/env")["FLAVOUR"] == "new"
    write_source(source, version="v3")
    live.rollback()
    assert ask(live)["version"] == "v1"
    env = ask(live, "/env")
    assert env["FLAVOUR"] == "old"
    assert "MORE" not in env
    live.rollback(to=2)
    assert ask(live)["version"] == "v2"


def test_going_back_passes_over_restarts_that_changed_nothing(
    admin: MastraAdmin, project: Project, source: Path
) -> None:
    live = admin.deploy(project)
    write_source(source, version="v2")
    live.redeploy()
    live.restart()
    live.rollback()
    assert ask(live)["version"] == "v1"


def test_what_the_app_wrote_survives_redeploy_rollback_and_restart(
    admin: MastraAdmin, project: Project, source: Path
) -> None:
    live = admin.deploy(project)
    live.request("GET", "/visit")
    write_source(source, version="v2")
    live.redeploy()
    live.request("GET", "/visit")
    live.rollback()
    live.restart()
    assert live.request("GET", "/visit").text.split() == ["v1", "v2", "v1"]


def test_a_deleted_variable_is_gone_and_overrides_win(
    admin: MastraAdmin, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.projects.set_env(project, {"A": "1", "B": "1"})
    live = admin.deploy(project).set_env({"B": "2"})
    admin.projects.set_env(project, {"A": None})
    live.restart()
    env = ask(live, "/env")
    assert env["B"] == "2"
    assert "A" not in env
    assert admin.projects.list_env(project) == {"B": "***"}


def test_stopping_frees_everything_and_starting_brings_it_back(admin: MastraAdmin, project: Project) -> None:
    live = admin.deploy(project)
    live.stop()
    assert (live.status, live.local_url) == ("stopped", None)
    assert admin.router.list_routes() == []
    assert not [process for process in admin.storage.processes.list(live.id) if process.status.is_alive]
    live.start()
    assert ask(live)["version"] == "v1"


def test_a_queued_build_is_joined_later(admin: MastraAdmin, project: Project) -> None:
    build = admin.deploy(project, wait=False)
    assert build.status == "queued"
    assert build.wait(timeout=60).status == "succeeded"


def test_builds_of_two_deployments_queue_up_and_all_end(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin(build_supersede=False)
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    builds = [admin.deploy(project, branch=branch, wait=False) for branch in ("main", "dev", "main")]
    assert [build.wait(timeout=60).status for build in builds] == ["succeeded"] * 3


def test_a_cancelled_build_ends_and_the_queue_goes_on(admin: MastraAdmin, project: Project, source: Path) -> None:
    write_source(source, build_seconds=60)
    running = admin.deploy(project, wait=False)
    admin.start()
    wait_until(lambda: "build" in running.refresh().phases, what="the build")
    waiting = admin.deploy(project, wait=False)
    waiting.cancel()
    assert waiting.status == "cancelled"
    running.cancel()
    with pytest.raises(BuildCancelled):
        running.wait(timeout=20)
    write_source(source)
    assert admin.deploy(project).status == "running"


def test_deleting_a_team_cancels_stops_and_frees_all(admin: MastraAdmin, project: Project, source: Path) -> None:
    live = admin.deploy(project)
    write_source(source, build_seconds=60)
    live.redeploy(wait=False)
    admin.start()
    wait_until(lambda: "build" in live.builds[0].phases, what="the build")
    admin.teams.delete("search")
    assert admin.teams.list() == []
    assert admin.storage.builds.list() == []
    assert admin.router.list_routes() == []
    assert list(admin.home.artifacts.glob("*")) == []
    assert list(admin.home.data.glob("*")) == []


def test_a_port_that_a_stranger_takes_is_passed_over(admin: MastraAdmin, project: Project) -> None:
    low = int(admin.settings.server_ports.split("-")[0])
    with socket.create_server(("127.0.0.1", low)):
        live = admin.deploy(project)
        assert live.process is not None
        assert live.process.port != low
        assert ask(live)["version"] == "v1"


def test_without_a_free_port_the_error_names_the_range(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin(ports="29990-29990")
    with socket.create_server(("127.0.0.1", 29990)):
        project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
        with pytest.raises(NoFreePort, match="29990"):
            admin.deploy(project)


def test_a_hostile_branch_becomes_a_valid_address(admin: MastraAdmin, project: Project) -> None:
    live = admin.deploy(project, branch="feature/x; rm -rf /")
    assert live.branch == "feature/x; rm -rf /"
    assert ask(live)["version"] == "v1"
    assert set((live.url or "").removeprefix("http://").split(":")[0]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")


def test_unknown_projects_and_taken_slugs_are_clear(admin: MastraAdmin, project: Project) -> None:
    with pytest.raises(NotFound, match="quick-app"):
        admin.deploy("quick-ap")
    with pytest.raises(Conflict, match="search"):
        admin.teams.create("Search")
    with pytest.raises(NotFound):
        admin.projects.create("search", source="no-such-app")
    with pytest.raises(InvalidInput):
        admin.deploy(project, branch="  ")


def test_with_recreate_the_old_server_has_stopped_before_the_new_one_starts(
    admin: MastraAdmin, project: Project, source: Path
) -> None:
    live = admin.deploy(project, strategy="recreate")
    first = live.process
    write_source(source, version="v2")
    live.redeploy()
    second = live.process
    assert first is not None
    assert second is not None
    ended = admin.storage.processes.get(first.id)
    assert ended.exited_at is not None
    assert ended.exited_at <= second.started_at
    assert ask(live)["version"] == "v2"
