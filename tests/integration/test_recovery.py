"""What is left after a kill -9 of any part, and how it is found, mended or ended by others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fixtures.homes import look_from_outside
from fixtures.quick import find_free_port, find_port_range, is_replaced, make_admin, wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import ProcessStatus

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
PROLOGUE = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from fixtures.quick import make_admin
admin = make_admin(Path({home!r}), Path({sources!r}), router_port={router_port}, ports={ports!r})
"""


class Elsewhere:
    """Runs lines of Python in another process, with ``admin`` on the same home."""

    def __init__(self, tmp_path: Path, sources: Path) -> None:
        self.home = tmp_path / "home with space"
        self.router_port, self.ports, self.sources = find_free_port(), find_port_range(), sources
        self.processes: list[subprocess.Popen[str]] = []

    def open(self) -> MastraAdmin:
        return make_admin(self.home, self.sources, router_port=self.router_port, ports=self.ports)

    def run(self, code: str) -> subprocess.Popen[str]:
        prologue = PROLOGUE.format(
            tests=str(TESTS),
            home=str(self.home),
            sources=str(self.sources),
            router_port=self.router_port,
            ports=self.ports,
        )
        process = subprocess.Popen(
            [sys.executable, "-c", prologue + code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        if process.stdout and not process.stdout.closed:
            process.communicate(timeout=10)


@pytest.fixture
def elsewhere(tmp_path: Path, source: Path) -> Iterator[Elsewhere]:
    place = Elsewhere(tmp_path, source.parent)
    yield place
    for process in place.processes:
        place.kill(process)
    with place.open() as admin:
        admin.down()
    left = look_from_outside(place.home)
    assert left["processes"] == [], left
    assert left["ports"] == [], left


DEPLOY = """
project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
live = admin.deploy(project)
print(live.id, flush=True)
input()
"""


def test_servers_outlive_a_killed_sdk_and_the_next_one_adopts_and_stops_them(elsewhere: Elsewhere) -> None:
    first = elsewhere.run(DEPLOY)
    assert first.stdout is not None
    assert first.stdout.readline().strip()
    elsewhere.kill(first)
    assert len(look_from_outside(elsewhere.home)["processes"]) == 3  # shim, Node and Caddy
    with elsewhere.open() as admin:
        (live,) = admin.deployments.list()
        assert live.request("GET", "/").json()["version"] == "v1"
        live.stop()
        assert live.status == "stopped"
        admin.down()
    assert look_from_outside(elsewhere.home)["processes"] == []


def test_a_build_whose_worker_was_killed_is_taken_over_and_ends(elsewhere: Elsewhere, source: Path) -> None:
    write_source(source, build_seconds=60)
    first = elsewhere.run(
        'project = admin.projects.create(admin.teams.create("Search"), source="quick-app")\nadmin.deploy(project)\n'
    )
    with elsewhere.open() as admin:
        wait_until(lambda: any("build" in build.phases for build in admin.builds.list()), what="the build")
        elsewhere.kill(first)
        write_source(source, version="v2")
        (build,) = admin.builds.list()
        build.wait(timeout=60)
        assert build.record.generation == 2
        assert build.deployment.request("GET", "/").json()["version"] == "v2"
        assert list(admin.home.workspaces.glob("*")) == []


def test_a_cancelled_build_whose_worker_was_killed_ends_cancelled(elsewhere: Elsewhere, source: Path) -> None:
    write_source(source, build_seconds=60)
    first = elsewhere.run(
        'project = admin.projects.create(admin.teams.create("Search"), source="quick-app")\nadmin.deploy(project)\n'
    )
    with elsewhere.open() as admin:
        wait_until(lambda: any("build" in build.phases for build in admin.builds.list()), what="the build")
        elsewhere.kill(first)
        (build,) = admin.builds.list()
        build.cancel()
        admin.start()
        wait_until(lambda: build.refresh().record.is_final, what="the end of the build")
        assert build.status == "cancelled"


def test_two_processes_see_the_same_and_both_queue_deploys(elsewhere: Elsewhere) -> None:
    first = elsewhere.run(DEPLOY)
    assert first.stdout is not None
    deployment_id = first.stdout.readline().strip()
    with elsewhere.open() as admin:
        live = admin.deployments.get(deployment_id)
        assert [team.slug for team in admin.teams.list()] == ["search"]
        assert any("Live at" in line.text for line in live.builds[0].logs())
        assert any("serving version v1" in line.text for line in live.server_log())
        second = elsewhere.run(f'admin.deployments.get("{deployment_id}").redeploy()\nprint("done", flush=True)\n')
        live.redeploy()
        assert second.stdout is not None
        assert second.stdout.readline().strip() == "done"
        assert [build.number for build in live.builds] == [3, 2, 1]
        assert {build.status for build in live.builds} == {"succeeded"}
        alive = [item for item in admin.storage.processes.list(live.id) if item.status.is_alive]
        assert len(alive) == 1


def test_the_supervisor_starts_a_crashed_server_again(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin()
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    admin.start()
    first = live.process
    assert first is not None
    live.request("GET", "/exit")
    wait_until(lambda: is_replaced(live, first), what="another server")
    wait_until(lambda: live.refresh().status == "running", what="the state")
    assert live.request("GET", "/").json()["version"] == "v1"
    ended = admin.storage.processes.get(first.id)
    assert (ended.status, ended.exit_code) == (ProcessStatus.EXITED, 7)
    assert live.process is not None
    assert live.process.restarts == 1


def test_a_dead_shim_counts_as_a_crashed_server(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin()
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    admin.start()
    first = live.process
    assert first is not None
    assert first.shim_pid is not None
    os.kill(first.shim_pid, signal.SIGKILL)
    wait_until(lambda: is_replaced(live, first), what="another server")
    wait_until(lambda: live.refresh().status == "running", what="the state")
    assert live.request("GET", "/").json()["version"] == "v1"


def test_a_killed_router_comes_back_with_its_routes(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin()
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    caddies = [
        item for item in look_from_outside(admin.home.path)["processes"] if "caddy" in item["command"].split()[0]
    ]
    assert len(caddies) == 1
    os.kill(caddies[0]["pid"], signal.SIGKILL)
    wait_until(lambda: not admin.router.is_running(), what="the router's end")
    admin.start()
    wait_until(admin.router.is_running, what="the router")
    wait_until(lambda: admin.router.list_routes(), what="the routes")
    assert live.request("GET", "/").json()["version"] == "v1"


def test_after_down_everything_comes_back_with_the_next_start(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin()
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    stopped = admin.deploy("quick-app", branch="dev").stop()
    admin.down()
    assert look_from_outside(admin.home.path)["processes"] == []
    again = open_admin().start()
    wait_until(lambda: again.deployments.get(live.id).status == "running", what="the server")
    assert again.deployments.get(live.id).request("GET", "/").json()["version"] == "v1"
    assert again.deployments.get(stopped.id).status == "stopped"
