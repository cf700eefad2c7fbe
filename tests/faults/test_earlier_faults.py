"""Faults of an earlier, public MastraAdmin in TypeScript, read from its source. Each of these fails on that code."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.homes import look_from_outside
from fixtures.quick import wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import BuildError
from mastra_admin_sdk.models import ProcessStatus

pytestmark = pytest.mark.slow  # real servers behind a real router


def ask(live: object, path: str = "/") -> dict[str, str]:
    """Return what a deployment answers through the router."""
    found: dict[str, str] = live.request("GET", path).json()  # type: ignore[attr-defined]
    return found


def test_redeploy_never_stops_the_previous_server(admin: MastraAdmin, source: Path) -> None:
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    first = live.process
    assert first is not None
    write_source(source, version="v2")
    live.redeploy()
    assert ask(live)["version"] == "v2"
    assert admin.storage.processes.get(first.id).status is ProcessStatus.EXITED
    with pytest.raises(ProcessLookupError):
        os.kill(first.pid or 0, 0)
    assert len(look_from_outside(admin.home.path)["processes"]) == 3  # shim, Node and Caddy


def test_rollback_rebuilds_the_current_folder(admin: MastraAdmin, source: Path) -> None:
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    write_source(source, version="v2")
    live.redeploy()
    write_source(source, version="v3")
    back = live.rollback()
    assert ask(live)["version"] == "v1"
    assert not {"copy", "install", "build"} & set(back.phases)


def test_cancel_does_not_signal_the_build_which_can_still_go_live(admin: MastraAdmin, source: Path) -> None:
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    admin.start()
    write_source(source, version="v2", build_seconds=60)
    build = live.redeploy(wait=False)
    wait_until(lambda: "build" in build.refresh().phases, what="the build")
    build.cancel()
    wait_until(lambda: build.refresh().record.is_final, what="its end", timeout=10)
    assert build.status == "cancelled"
    assert ask(live)["version"] == "v1"
    assert not list(admin.home.workspaces.glob("*"))


def test_the_concurrency_setting_has_no_effect(open_admin: Callable[..., MastraAdmin], source: Path) -> None:
    admin = open_admin(build_concurrency=2)
    write_source(source, build_seconds=1.5)
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    admin.start()
    builds = [admin.deploy(project, branch=name, wait=False) for name in ("one", "two", "three")]
    most = 0
    while any(not build.record.is_final for build in builds):
        states = [build.refresh().status for build in builds]
        most = max(most, sum(status in ("building", "deploying") for status in states))
        time.sleep(0.02)
    assert most == 2
    assert {build.status for build in builds} == {"succeeded"}


def test_overrides_of_a_deployment_are_stored_and_never_applied(admin: MastraAdmin) -> None:
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app", env={"PLACE": "project"})
    live = admin.deploy(project)
    assert ask(live, "/env")["PLACE"] == "project"
    live.set_env({"PLACE": "deployment"}).restart()
    assert ask(live, "/env")["PLACE"] == "deployment"


def test_a_failed_redeploy_marks_the_deployment_failed_while_the_old_server_serves(
    admin: MastraAdmin, source: Path
) -> None:
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    write_source(source, version="v2", fail_build=True)
    with pytest.raises(BuildError):
        live.redeploy()
    assert live.refresh().status == "running"
    assert "failed" in (live.record.status_reason or "")
    assert ask(live)["version"] == "v1"


def test_an_exited_process_updates_neither_record_nor_port(admin: MastraAdmin, source: Path) -> None:
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    first = live.process
    assert first is not None
    admin.start()
    live.request("GET", "/exit")
    wait_until(lambda: not admin.storage.processes.get(first.id).status.is_alive, what="the record of its end")
    ended = admin.storage.processes.get(first.id)
    assert (ended.exit_code, ended.exited_at is not None) == (7, True)
    assert "exit code 7" in (ended.exit_reason or "")
    wait_until(lambda: live.refresh().status == "running", what="another server")
    alive = [item for item in admin.storage.processes.list(live.id) if item.status.is_alive]
    assert [item.id for item in alive] != [first.id]


def test_build_folders_are_never_removed(open_admin: Callable[..., MastraAdmin], source: Path) -> None:
    admin = open_admin(keep_builds=0)
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    for version in ("v2", "v3", "v4", "v5"):
        write_source(source, version=version)
        live.redeploy()
    wait_until(lambda: len(list(admin.home.artifacts.iterdir())) <= 2, what="the removal of old artifacts")
    assert not list(admin.home.workspaces.glob("*"))
    live.rollback()
    assert ask(live)["version"] == "v4"
    admin.deployments.delete(live.id)
    assert not list(admin.home.artifacts.iterdir())


def test_a_constant_encryption_key_when_none_is_set(
    admin: MastraAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MASTRA_ADMIN_SECRET_KEY", raising=False)
    with MastraAdmin(tmp_path / "another") as other:
        keys = []
        for each in (admin, other):
            team = each.teams.create("Search")
            each.projects.create(team, source=str(tmp_path / "sources" / "quick-app"), env={"TOKEN": "t0ken"})
            keys.append(each.home.secret_key.read_bytes())
            assert each.home.secret_key.stat().st_mode & 0o777 == 0o600
        assert keys[0] != keys[1]


def test_host_names_without_the_team_so_two_teams_collide(admin: MastraAdmin, source: Path) -> None:
    one = admin.deploy(admin.projects.create(admin.teams.create("One"), source="quick-app"))
    write_source(source, version="v2")
    two = admin.deploy(admin.projects.create(admin.teams.create("Two"), source="quick-app"))
    assert not set(one.urls) & set(two.urls)
    assert (ask(one)["version"], ask(two)["version"]) == ("v1", "v2")


def test_a_proxy_timeout_of_30_seconds(admin: MastraAdmin) -> None:
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    answers: list[str] = []

    def call() -> None:
        answers.append(live.request("GET", "/slow?ms=33000", timeout=60).text)

    caller = threading.Thread(target=call)
    caller.start()
    caller.join(60)
    assert answers == ["slow v1"]
