"""Going back, promoting, expiring and collecting on real servers and real files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.homes import look_from_outside
from fixtures.quick import wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Project, utc_now
from mastra_admin_sdk.services.background import background
from mastra_admin_sdk.services.objects import LiveDeployment

pytestmark = pytest.mark.slow


@pytest.fixture
def project(admin: MastraAdmin) -> Project:
    return admin.projects.create(admin.teams.create("Search"), source="quick-app")


def ask(live: LiveDeployment, path: str = "/") -> dict[str, object]:
    return dict(live.request("GET", path).json())


def redeploy(live: LiveDeployment, source: Path, *versions: str) -> None:
    for version in versions:
        write_source(source, version=version)
        live.redeploy()


def test_any_kept_build_can_be_gone_back_to(admin: MastraAdmin, project: Project, source: Path) -> None:
    live = admin.deploy(project)
    redeploy(live, source, "v2", "v3", "v4")
    live.rollback(to=1)
    assert ask(live)["version"] == "v1"
    live.rollback(to=3)
    assert ask(live)["version"] == "v3"
    assert [build.number for build in live.kept_builds] == [6, 5, 4, 3, 2, 1]
    for number in (0, -1, 99, 10**30):
        with pytest.raises(NotFound):
            live.rollback(to=number)
    live.set_retention(0)
    freed = admin.gc()
    assert freed.bytes > 0
    assert ask(live)["version"] == "v3"
    with pytest.raises(InvalidInput, match="its artifact was removed") as caught:
        live.rollback(to=4)
    assert caught.value.hint == "Kept: #6, #5, #3, #1."
    live.rollback(to=5)
    assert ask(live)["version"] == "v1"


def test_promotion_builds_nothing_and_shares_neither_variables_nor_data(
    admin: MastraAdmin, project: Project, source: Path
) -> None:
    staging = admin.deploy(project, branch="staging", type="staging")
    staging.set_env({"STAGE": "staging"})
    staging.restart()
    staging.request("GET", "/visit")
    write_source(source, version="v2", fail_build=True)
    production = admin.promote(staging, "production")
    assert ask(production)["version"] == "v1"
    assert "STAGE" not in ask(production, "/env")
    assert ask(staging, "/env")["STAGE"] == "staging"
    assert production.request("GET", "/visit").text.split() == ["v1"]
    assert production.build is not None
    assert (production.build.record.kind, next(iter(production.build.phases))) == ("promote", "start")
    write_source(source, version="v2")
    staging.redeploy()
    assert staging.promote("main").deployment.id == production.id
    assert ask(production)["version"] == "v2"
    admin.deployments.delete(staging)
    production.rollback()
    assert ask(production)["version"] == "v1"
    production.stop()
    production.start()
    assert ask(production)["version"] == "v1"


def test_the_same_with_a_stop_before_the_start(admin: MastraAdmin, project: Project, source: Path) -> None:
    production = admin.deploy(project, strategy="recreate")
    write_source(source, version="v2")
    staging = admin.deploy(project, branch="staging", type="staging")
    staging.promote(production)
    assert ask(production)["version"] == "v2"
    production.refresh().rollback()
    assert ask(production)["version"] == "v1"
    alive = [item for item in admin.storage.processes.list(production.id) if item.status.is_alive]
    assert len(alive) == 1


def test_an_expired_preview_leaves_nothing(
    admin: MastraAdmin, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "TIDY_SECONDS", 0.2)
    admin.start()
    preview = admin.deploy(project, branch="feature/x", type="preview", ttl="1h")
    assert preview.expires_at is not None
    assert preview.expires_at > utc_now()
    port = preview.process.port if preview.process else 0
    admin.storage.deployments.update(preview.id, expires_at=utc_now())
    wait_until(lambda: not admin.deployments.list(), timeout=30, what="the end of the preview")
    left = look_from_outside(admin.home.path)
    assert port not in left["ports"]
    assert list(admin.home.artifacts.glob("*")) == []
    assert "expire" in {event.action for event in admin.events.list()}


KILLED = """
import sys
from collections.abc import Callable
from pathlib import Path
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.services.keeping import retention

def stop_here(paths, check):
    print("taken away", flush=True)
    sys.stdin.read()

retention._try_to_remove = stop_here
MastraAdmin(sys.argv[1]).gc()
"""


def test_a_collection_that_is_killed_is_finished_by_the_next(
    admin: MastraAdmin, project: Project, source: Path
) -> None:
    live = admin.deploy(project)
    redeploy(live, source, "v2", "v3")
    live.set_retention(0)
    env = {**os.environ, "MASTRA_ADMIN_MIN_FREE_MB": "1"}
    command = [sys.executable, "-c", KILLED, str(admin.home.path)]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken away\n"
        process.send_signal(signal.SIGKILL)
    assert [path.suffix for path in admin.home.artifacts.glob("*.trash")] == [".trash"]
    with pytest.raises(InvalidInput, match="its artifact was removed"):
        live.rollback(to=1)
    started = time.monotonic()
    assert len(admin.gc()) == 1
    assert time.monotonic() - started < 10
    assert len(list(admin.home.artifacts.iterdir())) == 2
    live.rollback()
    assert ask(live)["version"] == "v2"


def test_going_back_while_others_collect_works_or_is_refused_at_once(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    admin, other = open_admin(), open_admin()
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    live = admin.deploy(project)
    redeploy(live, source, "v2", "v3", "v4")
    live.set_retention(0)
    done, failures = threading.Event(), []

    def collect() -> None:
        while not done.is_set():
            try:
                other.gc()
            except Exception as exc:
                failures.append(exc)

    collector = threading.Thread(target=collect)
    collector.start()
    outcomes = []
    try:
        for number in (1, 2, 3, 4, 1, 3):
            try:
                live.rollback(to=number)
                outcomes.append(ask(live)["version"] == f"v{number}")
            except InvalidInput as exc:
                outcomes.append("its artifact was removed" in exc.message)
    finally:
        done.set()
        collector.join()
    assert failures == []
    assert outcomes == [True] * 6
    assert all(build.status == "succeeded" for build in live.builds)
