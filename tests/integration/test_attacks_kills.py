"""Kill -9 of the SDK at chosen steps: whoever comes next brings servers, routes and states back to the truth."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.quick import wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import RequestFailed
from mastra_admin_sdk.models import ProcessStatus
from mastra_admin_sdk.services.deployments.requests import request

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
ALIVE = [status for status in ProcessStatus if status.is_alive]
ANSWER_SECONDS = 15

KILLED_AT = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from fixtures.quick import make_admin, wait_until
admin = make_admin({home!r}, {sources!r}, router_port={router_port}, ports={ports!r})
(live,) = admin.deployments.list()
part, method, left = {part!r}, {method!r}, {count}
owner = getattr(admin.storage, part, None) or getattr(admin, part)
original = getattr(owner, method)
def call(*arguments, **options):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)
setattr(owner, method, call)
{action}
wait_until(lambda: False, timeout=30, what="the kill")
"""


def kill_during(admin: MastraAdmin, action: str, step: str, sources: Path) -> None:
    """Run an action in another process, which is killed before the given call, such as ``routes.put 2``."""
    call, count = step.split(" ")
    part, method = call.split(".")
    code = KILLED_AT.format(
        tests=str(TESTS),
        home=admin.home.path,
        sources=sources,
        router_port=admin.settings.router_port,
        ports=admin.settings.server_ports,
        part=part,
        method=method,
        count=count,
        action=action,
    ).replace("PosixPath", "__import__('pathlib').Path")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == -9, ended.stderr


def find_lies(admin: MastraAdmin, version: str) -> list[str]:
    """Return what the only deployment's state says and isn't so."""
    (live,) = admin.deployments.list()
    lies = [f"build #{build.number} is {build.status}" for build in live.builds if not build.record.is_final]
    alive = [(item.port, item.status.value) for item in admin.storage.processes.list(live.id, statuses=ALIVE)]
    wanted = 1 if live.record.desired_state == "running" else 0
    if live.status != ("running" if wanted else "stopped") or len(alive) != wanted:
        lies.append(f"{live.record.desired_state} is wanted, {live.status} is shown, servers: {alive}")
    answers = [ask(admin, url.split("/")[2].split(":")[0]) for url in live.urls]
    if answers != [version if wanted else "404"] * 2:
        lies.append(f"the hosts answer {answers}")
    return lies


def ask(admin: MastraAdmin, host: str) -> str:
    try:
        return str(request(admin.router.endpoint, host, "GET", "/", timeout=5).json()["version"])
    except RequestFailed as exc:
        return str(exc.evidence.get("status") or exc.message)


def check_settles(admin: MastraAdmin, version: str) -> None:
    wait_until(
        lambda: not find_lies(admin, version), timeout=ANSWER_SECONDS, what=f"the truth: {find_lies(admin, version)}"
    )


def deploy(admin: MastraAdmin) -> None:
    admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))


@pytest.mark.parametrize(
    "step",
    ["router.start 1", "routes.put 1", "routes.put 2", "router.register 2", "deployments.transition 1"],
    ids=["before the switch", "no host on record", "one host on record", "one host routed", "before the last word"],
)
def test_a_supervisor_killed_while_it_brings_a_server_back_is_succeeded(
    open_admin: Callable[..., MastraAdmin], source: Path, step: str
) -> None:
    admin = open_admin()
    deploy(admin)
    admin.down()
    kill_during(admin, "admin.start()", step, source.parent)
    check_settles(admin.start(), "v1")


@pytest.mark.parametrize(
    "step",
    ["routes.put 2", "router.register 1", "router.register 2", "processes.transition 2"],
    ids=["one host on record", "no host routed", "one host routed", "before the drain"],
)
def test_all_hosts_of_a_redeploy_that_was_killed_lead_to_the_new_server(
    open_admin: Callable[..., MastraAdmin], source: Path, step: str
) -> None:
    admin = open_admin()
    deploy(admin)
    write_source(source, version="v2")
    kill_during(admin, "live.redeploy()", step, source.parent)
    check_settles(admin.start(), "v2")


@pytest.mark.parametrize(
    "step",
    ["routes.delete 2", "processes.transition 1", "processes.transition 2", "deployments.transition 1"],
    ids=["one route gone", "routes gone", "server gone", "before the last word"],
)
def test_a_stop_that_was_killed_is_finished(open_admin: Callable[..., MastraAdmin], source: Path, step: str) -> None:
    admin = open_admin()
    deploy(admin)
    kill_during(admin, "live.stop()", step, source.parent)
    check_settles(admin.start(), "v1")
