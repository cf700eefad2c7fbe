"""What users of neighbouring systems complained about in servers; each test names the fault.

PM2 1309 (30 GB of log in a week) stands beside the other tests of output, in ``test_runner_servers.py``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fixtures.quick import is_replaced, wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import RequestFailed
from mastra_admin_sdk.services.objects import LiveDeployment

pytestmark = pytest.mark.slow  # real servers behind a real router

CHILD_LISTENS = """
import { spawn } from 'node:child_process';
const child = `require('node:http').createServer((_, answer) => answer.end('"child"'))
  .listen(Number(process.env.PORT), process.env.MASTRA_HOST)`;
spawn(process.execPath, ['-e', child], { detached: true, stdio: 'ignore' }).unref();
process.on('SIGTERM', () => process.exit(0));
setInterval(() => {}, 1000);
"""


@pytest.fixture
def strangers() -> Iterator[ExitStack]:
    """What other programs listen on."""
    with ExitStack() as stack:
        yield stack


def deploy(admin: MastraAdmin) -> LiveDeployment:
    live: LiveDeployment = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    return live


def test_stop_leaves_a_child_on_the_port_so_that_the_next_start_fails(admin: MastraAdmin, source: Path) -> None:
    """PM2 6084, Mastra 9814: a child in a session of its own ends with the server, and its port is free."""
    write_source(source)
    (source / "index.mjs").write_text(CHILD_LISTENS)
    live = deploy(admin)
    process = live.process
    assert process is not None
    assert live.request("GET", "/").text == '"child"'
    live.stop()
    socket.create_server((process.host, process.port)).close()
    live.start()
    again = live.process
    assert again is not None
    assert again.port == process.port
    assert live.request("GET", "/").text == '"child"'


def test_a_port_that_was_free_is_taken_by_another_program_before_the_server_listens(
    admin: MastraAdmin, strangers: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """piku 125: another port is chosen, and nobody is ever led to the stranger."""
    start = admin.runner.start
    taken: list[int] = []

    def be_late(spec: Any) -> Any:
        if not taken:
            strangers.enter_context(socket.create_server((spec.host, spec.port)))
            taken.append(spec.port)
        return start(spec)

    monkeypatch.setattr(admin.runner, "start", be_late)
    live = deploy(admin)
    process = live.process
    assert process is not None
    assert process.port not in taken
    assert live.request("GET", "/").json()["version"] == "v1"
    assert {route.target_port for route in admin.router.list_routes()} == {process.port}


def test_two_apps_are_given_one_port(admin: MastraAdmin) -> None:
    """piku 125: a port belongs to one server while that server isn't known to be gone."""
    first = deploy(admin)
    others = [admin.deploy("quick-app", branch=f"b{number}", replicas=2) for number in range(2)]
    ports = [process.port for live in (first, *others) for process in live.processes]
    assert len(ports) == len(set(ports)) == 5


def test_a_deleted_variable_survives(open_admin: Callable[..., MastraAdmin]) -> None:
    """PM2 3486: the environment is built from empty at every start, also when a crashed server is started again."""
    admin = open_admin()
    live = deploy(admin).set_env({"FEATURE": "on", "OTHER": "1"})
    live.restart()
    assert live.request("GET", "/env").json()["FEATURE"] == "on"
    live.set_env({"FEATURE": None}).restart()
    assert "FEATURE" not in live.request("GET", "/env").json()
    admin.start()
    before = live.process
    assert before is not None
    live.request("GET", "/exit")
    wait_until(lambda: is_replaced(live, before), what="another server")
    wait_until(lambda: answers(live), what="an answer")
    env = live.request("GET", "/env").json()
    assert "FEATURE" not in env
    assert env["OTHER"] == "1"


def answers(live: LiveDeployment) -> bool:
    try:
        return live.request("GET", "/health").status == 200
    except RequestFailed:
        return False
