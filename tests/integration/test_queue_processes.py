"""The queue shared by several processes: limit, order, cancelling from elsewhere, workers that are killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fixtures.homes import look_from_outside
from fixtures.quick import find_free_port, find_port_range, make_admin, wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import BuildCancelled
from mastra_admin_sdk.models import BuildStatus

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
WORKER = """
import json, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from fixtures.quick import QuickRunner, make_admin

build = QuickRunner.build

def journal(event, request):
    with open({journal!r}, "a") as file:
        line = {{"event": event, "build": request.build_id, "at": time.monotonic()}}
        file.write(json.dumps(line) + "\\n")

def build_and_tell(self, request, *args):
    journal("begin", request)
    try:
        return build(self, request, *args)
    finally:
        journal("end", request)

QuickRunner.build = build_and_tell
admin = make_admin(Path({home!r}), Path({sources!r}), router_port={router_port}, ports={ports!r}, **{settings!r})
print("ready", flush=True)
input()
admin.start()
print("started", flush=True)
input()
admin.close()
"""


class Fleet:
    """Processes that work on the builds of one home, and an admin of this process that doesn't."""

    def __init__(self, tmp_path: Path, sources: Path) -> None:
        self.home, self.sources = tmp_path / "home", sources
        self.journal = tmp_path / "journal"
        self.router_port, self.ports = find_free_port(), find_port_range()
        self.processes: list[subprocess.Popen[str]] = []

    def open(self, **settings: object) -> MastraAdmin:
        values = {"router_port": self.router_port, "ports": self.ports, **settings}
        return make_admin(self.home, self.sources, **values)  # type: ignore[arg-type]

    def start(self, count: int, **settings: object) -> None:
        code = WORKER.format(
            tests=str(TESTS),
            journal=str(self.journal),
            home=str(self.home),
            sources=str(self.sources),
            router_port=self.router_port,
            ports=self.ports,
            settings=settings,
        )
        started = [self._spawn(code) for _ in range(count)]
        for word in ("ready", "started"):
            for process in started:
                assert process.stdout is not None
                assert process.stdin is not None
                assert process.stdout.readline().strip() == word
                if word == "ready":
                    process.stdin.write("\n")
                    process.stdin.flush()

    def read_journal(self) -> list[dict[str, object]]:
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [json.loads(line) for line in lines]

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate(timeout=10)
        self.processes.clear()

    def stop(self) -> None:
        for process in self.processes:
            process.communicate("\n", timeout=60)
        self.processes.clear()

    def _spawn(self, code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        return process


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path, tmp_path / "sources")
    yield made
    made.kill()
    with made.open() as admin:
        admin.down()
    left = look_from_outside(made.home)
    assert left["processes"] == [], left
    assert left["ports"] == [], left


def measure_most_at_once(events: list[dict[str, object]]) -> int:
    running = most = 0
    for event in sorted(events, key=lambda item: float(str(item["at"]))):
        running += 1 if event["event"] == "begin" else -1
        most = max(most, running)
    return most


def test_four_processes_share_one_limit_and_keep_each_deployments_order(fleet: Fleet) -> None:
    settings = {"build_concurrency": 2, "build_supersede": False}
    with fleet.open(**settings) as admin:
        team = admin.teams.create("Search")
        builds = []
        for number in range(4):
            write_source(fleet.sources / f"app-{number}", f"app-{number}", build_seconds=0.5)
            project = admin.projects.create(team, source=str(fleet.sources / f"app-{number}"))
            builds += [admin.deploy(project, wait=False) for _ in range(2)]
        fleet.start(4, **settings)
        wait_until(lambda: all(item.refresh().record.is_final for item in builds), timeout=120, what="all builds")
        assert {item.status for item in builds} == {BuildStatus.SUCCEEDED}
        assert {item.record.generation for item in builds} == {1}
        assert measure_most_at_once(fleet.read_journal()) == 2
        begun = [event["build"] for event in fleet.read_journal() if event["event"] == "begin"]
        assert sorted(begun) == sorted(item.id for item in builds), "each build is built once"
        for first, second in zip(builds[::2], builds[1::2], strict=True):
            assert begun.index(first.id) < begun.index(second.id)
        for live in admin.deployments.list():
            assert live.build is not None
            assert live.build.number == 2
            assert live.request("GET", "/").json()["version"] == "v1"
        fleet.stop()


def test_builds_queued_in_a_row_are_each_built_or_superseded_and_the_newest_serves(fleet: Fleet) -> None:
    with fleet.open() as admin:
        team = admin.teams.create("Search")
        projects = []
        for number in range(2):
            write_source(fleet.sources / f"app-{number}", f"app-{number}", version="v0")
            projects.append(admin.projects.create(team, source=str(fleet.sources / f"app-{number}")))
        fleet.start(2, build_concurrency=2)
        builds = []
        for version in range(12):
            for number, project in enumerate(projects):
                write_source(fleet.sources / f"app-{number}", f"app-{number}", version=f"v{version}")
                builds.append(admin.deploy(project, wait=False))
            time.sleep(0.1)  # workers claim in between
        wait_until(lambda: all(item.refresh().record.is_final for item in builds), timeout=120, what="all builds")
        begun = [event["build"] for event in fleet.read_journal() if event["event"] == "begin"]
        succeeded = [item.id for item in builds if item.status is BuildStatus.SUCCEEDED]
        superseded = [item.id for item in builds if item.status is BuildStatus.SUPERSEDED]
        assert sorted(begun) == sorted(map(str, succeeded))
        assert len(succeeded) + len(superseded) == len(builds)
        assert superseded
        for live in admin.deployments.list():
            assert live.build is not None
            assert (live.build.number, live.request("GET", "/").json()["version"]) == (12, "v11")
        fleet.stop()


def test_a_build_of_another_process_is_cancelled_from_here(fleet: Fleet) -> None:
    write_source(fleet.sources / "app", "app", build_seconds=60)
    with fleet.open() as admin:
        build = admin.deploy(
            admin.projects.create(admin.teams.create("Search"), source=str(fleet.sources / "app")), wait=False
        )
        fleet.start(1)
        wait_until(lambda: "build" in build.refresh().phases, what="the build")
        build.cancel()
        wait_until(lambda: build.refresh().record.is_final, timeout=10, what="the end of the build")
        assert build.status is BuildStatus.CANCELLED
        with pytest.raises(BuildCancelled):
            build.wait()
        wait_until(lambda: not list(admin.home.workspaces.glob("*")), what="the end of the workspace")
        assert list(admin.home.artifacts.glob("*")) == []
        fleet.stop()


def test_a_cancel_of_a_build_whose_worker_was_killed_waits_for_nobody(fleet: Fleet) -> None:
    """Coolify 11327: the cancel of a build that nobody worked on any more left it, and the queue, standing."""
    write_source(fleet.sources / "app", "app", build_seconds=60)
    with fleet.open() as admin:
        project = admin.projects.create(admin.teams.create("Search"), source=str(fleet.sources / "app"))
        build = admin.deploy(project, wait=False)
        fleet.start(1)
        wait_until(lambda: "build" in build.refresh().phases, what="the build")
        fleet.kill()
        began = time.monotonic()
        assert build.cancel().status is BuildStatus.CANCELLED
        assert time.monotonic() - began < 3.0
        assert list(admin.home.workspaces.glob("*")) == []
        write_source(fleet.sources / "app", "app", version="v2")
        assert admin.deploy(project).request("GET", "/").json()["version"] == "v2"


CASES: dict[str, Callable[[Path], object]] = {
    "build": lambda folder: write_source(folder, "app", version="v2", build_seconds=60),
    "health": lambda folder: (write_source(folder, "app", version="v2") / "index.mjs").write_text(
        "console.log('never healthy'); setInterval(() => {}, 1000)"
    ),
}


@pytest.mark.parametrize("phase", CASES)
def test_a_real_build_that_is_cancelled_leaves_the_old_server_and_nothing_else(fleet: Fleet, phase: str) -> None:
    write_source(fleet.sources / "app", "app")
    with fleet.open() as admin:
        project = admin.projects.create(admin.teams.create("Search"), source=str(fleet.sources / "app"))
        live = admin.deploy(project)
        before = {item["pid"] for item in look_from_outside(fleet.home)["processes"]}
        CASES[phase](fleet.sources / "app")
        build = live.redeploy(wait=False)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(build.wait)
            wait_until(lambda: phase in admin.builds.get(build.id).phases, what=f"the phase {phase}")
            admin.builds.get(build.id).cancel()
            with pytest.raises(BuildCancelled):
                waiting.result(timeout=15)
        assert live.request("GET", "/").json()["version"] == "v1"
        assert {item["pid"] for item in look_from_outside(fleet.home)["processes"]} - before == set()
        wait_until(lambda: not list(admin.home.workspaces.glob("*")), what="the end of the workspace")


def test_a_build_cancelled_while_it_drains_is_live_and_the_old_server_ends(fleet: Fleet) -> None:
    write_source(fleet.sources / "app", "app")
    with fleet.open() as admin:
        project = admin.projects.create(admin.teams.create("Search"), source=str(fleet.sources / "app"))
        live = admin.deploy(project)
        former = live.process
        admin.start()
        write_source(fleet.sources / "app", "app", version="v2")
        build = live.redeploy(wait=False)
        wait_until(lambda: "drain" in build.refresh().phases, what="the drain")
        build.cancel()
        assert build.wait().status is BuildStatus.SUCCEEDED
        assert live.request("GET", "/").json()["version"] == "v2"
        assert former is not None
        assert admin.storage.processes.get(former.id).status == "exited"
