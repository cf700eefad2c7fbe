"""Supervision of real servers: that hang, crash, hold too much, outlived their records, or died with the machine."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from fixtures.quick import is_replaced, wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.adapters.runner.local.processes import is_living
from mastra_admin_sdk.errors import BuildError, NotFound, RequestFailed, ServerUnhealthy
from mastra_admin_sdk.models import DesiredState, Process, ProcessStatus
from mastra_admin_sdk.services.objects import LiveDeployment
from mastra_admin_sdk.services.supervision import restarts

pytestmark = pytest.mark.slow

PROJECTS = Path(__file__).parents[1] / "projects"


def deploy(admin: MastraAdmin, **options: Any) -> LiveDeployment:
    live: LiveDeployment = admin.deploy(
        admin.projects.create(admin.teams.create("Search"), source="quick-app"), **options
    )
    return live


def write_server(source: Path, project: str) -> None:
    """Let the source be one of the servers that misbehave."""
    write_source(source)
    shutil.copy(PROJECTS / project / "index.mjs", source / "index.mjs")


def current(live: LiveDeployment) -> Process:
    process = live.process
    assert process is not None
    return process


def ask(live: LiveDeployment, path: str = "/") -> Any:
    try:
        return live.request("GET", path, timeout=5).json()
    except RequestFailed:
        return None


def read_ended(admin: MastraAdmin, process: Process) -> Process:
    wait_until(lambda: not admin.storage.processes.get(process.id).status.is_alive, what="the end of the old server")
    return admin.storage.processes.get(process.id)


@contextmanager
def sending(live: LiveDeployment, path: str = "/") -> Iterator[list[str]]:
    """Send requests all the time; the list has what failed."""
    failed: list[str] = []
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            try:
                live.request("GET", path, timeout=10)
            except RequestFailed as exc:
                failed.append(str(exc))

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        over.set()
        for thread in threads:
            thread.join()


# --- servers that misbehave -------------------------------------------------------------------------------------------


def test_a_server_that_hangs_and_ignores_sigterm_is_replaced(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    write_server(source, "hangs")
    admin = open_admin(health_interval=0.3, health_failures=2)
    live = deploy(admin)
    first = current(live)
    with pytest.raises(RequestFailed):
        live.request("GET", "/hang", timeout=0.5)
    admin.start()
    wait_until(lambda: is_replaced(live, first), timeout=30, what="another server")
    wait_until(lambda: ask(live) == "fine", what="an answer")
    ended = read_ended(admin, first)
    assert ended.exit_reason == "The server didn't answer 2 health checks in a row, and was replaced."
    assert not is_living(first.pid or 0)
    assert ended.stats["healthy"] is False


def test_a_server_that_dies_right_after_its_health_check_fails_the_build_with_its_last_lines(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    admin = open_admin()
    live = deploy(admin)
    first = current(live)
    write_server(source, "dies_after_health")
    with pytest.raises((ServerUnhealthy, BuildError)) as caught:
        live.redeploy()
    assert "Error: out of luck" in caught.value.evidence["log_tail"]
    assert current(live).id == first.id
    assert ask(live)["version"] == "v1"


def test_a_server_that_crashes_again_and_again_fails_with_its_last_lines_on_record(
    open_admin: Callable[..., MastraAdmin], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "_LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(restarts, "MAX_RESTARTS", 2)
    admin = open_admin()
    live = deploy(admin)
    for artifact in admin.home.artifacts.iterdir():
        artifact.chmod(0o700)
        settings = artifact / "settings.json"
        settings.chmod(0o600)
        settings.write_text('{"version": "v1", "crash": true}')
    admin.start()
    live.request("GET", "/exit")
    wait_until(lambda: live.refresh().status == "failed", timeout=40, what="the end of all tries")
    assert "ended 3 times within 10 minutes" in str(live.record.status_reason)
    assert "Its last line: this server crashes on boot" in str(live.record.status_reason)
    events = admin.events.list(object_id=live.id)
    (given_up,) = [event for event in events if event.action == "gave_up"]
    assert given_up.details["last_lines"] == ["this server crashes on boot"]
    assert admin.storage.routes.list() == []
    assert admin.runner.find_servers() == {}


def test_a_server_that_forks_and_exits_leaves_no_daemons_and_is_started_again(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    write_server(source, "forks_and_exits")
    admin = open_admin()
    live = deploy(admin)
    first, daemons = current(live), ask(live)
    admin.start()
    with suppress(RequestFailed):
        live.request("GET", "/leave")
    wait_until(lambda: is_replaced(live, first), what="another server")
    assert current(live).restarts == 1
    assert not any(is_living(pid) for pid in daemons)
    assert len(ask(live)) == 2


def test_a_server_that_holds_more_than_its_limit_is_ended_and_started_again(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    write_server(source, "eats_memory")
    admin = open_admin()
    live = deploy(admin)
    live.set_limits(memory_mb=150, nice=3).restart()
    first = current(live)
    assert os.getpriority(os.PRIO_PROCESS, first.pid or 0) == 3
    admin.start()
    for _ in range(8):
        ask(live, "/eat")
    wait_until(lambda: is_replaced(live, first), timeout=30, what="another server")
    reason = str(read_ended(admin, first).exit_reason)
    assert "held" in reason
    assert "more than its limit of 150 MB" in reason
    assert current(live).restarts == 1
    wait_until(lambda: ask(live) == 0, what="an answer")


# --- several at once --------------------------------------------------------------------------------------------------


def test_a_slow_drain_of_one_deployment_delays_no_other(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin(drain_timeout=20.0)
    slow = deploy(admin)
    quick = admin.deploy("quick-app", branch="dev")
    waiting = threading.Thread(target=lambda: slow.request("GET", "/slow?ms=9000", timeout=30))
    waiting.start()
    port = current(slow).port
    wait_until(lambda: admin.router.count_requests("127.0.0.1", port), what="the request")
    admin.storage.deployments.update(slow.id, desired_state=DesiredState.STOPPED)
    admin.start()
    wait_until(
        lambda: admin.storage.processes.list(slow.id, statuses=[ProcessStatus.DRAINING]), what="the slow one draining"
    )
    first = current(quick)
    os.kill(first.pid or 0, signal.SIGKILL)
    wait_until(lambda: is_replaced(quick, first), what="another server")
    assert slow.refresh().status == "running"
    assert waiting.is_alive()
    waiting.join()
    wait_until(lambda: slow.refresh().status == "stopped", what="the end of the drain")


def test_servers_that_share_an_address_are_scaled_and_replaced_without_losing_a_request(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    admin = open_admin()
    live = deploy(admin, replicas=2)
    assert [item.replica for item in live.processes] == [0, 1]
    with sending(live) as failed:
        live.scale(3)
        wait_until(lambda: len({ask(live)["pid"] for _ in range(30)}) == 3, what="answers of all three")
        write_source(source, version="v2")
        live.redeploy()
        live.scale(1)
        assert {ask(live)["version"] for _ in range(10)} == {"v2"}
        live.restart()
    assert failed == []
    assert len(live.processes) == 1
    assert any("serving version v2" in line.text for line in live.server_log(replica=2))
    with pytest.raises(NotFound, match="never had a server 7"):
        live.server_log(replica=7)
    assert list(admin.runner.find_servers()) == [live.processes[0].id]


def test_a_killed_replica_comes_back_while_the_others_serve(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin()
    live = deploy(admin, replicas=3)
    admin.start()
    first, second, third = live.processes
    os.kill(second.pid or 0, signal.SIGKILL)
    wait_until(lambda: read_state(live, second) == 3, what="the third server")
    assert live.refresh().status == "running"
    assert {first.id, third.id} < {item.id for item in live.processes}
    states = [event.action for event in admin.events.list(object_id=live.id)]
    assert "gave_up" not in states
    assert len({ask(live)["pid"] for _ in range(30)}) == 3


def read_state(live: LiveDeployment, gone: Process) -> int:
    serving = live.processes
    return 0 if gone.id in {item.id for item in serving} else len(serving)


# --- machines and records that went away ------------------------------------------------------------------------------


@pytest.mark.parametrize("alive", [False, True], ids=["reboot", "pids-taken-over"])
def test_after_a_reboot_everything_comes_back_on_new_processes(
    open_admin: Callable[..., MastraAdmin], alive: bool
) -> None:
    admin = open_admin()
    live = deploy(admin, replicas=2)
    before = live.processes
    for item in before:
        admin.storage.processes.update(item.id, boot_id="11111111-2222-3333-4444-555555555555")
    if not alive:
        admin.router.stop()
        for item in before:
            os.kill(item.shim_pid or 0, signal.SIGKILL)
    admin.close()
    began = time.monotonic()
    again = open_admin().start()
    live = again.deployments.get(live.id)
    wait_until(lambda: read_state(live, before[0]) == 2, what="both servers")
    wait_until(lambda: ask(live) is not None, what="an answer")
    assert time.monotonic() - began < 15
    assert not {item.id for item in before} & {item.id for item in live.processes}
    assert [item.restarts for item in live.processes] == [0, 0]
    for item in before:
        wait_until(lambda pid=item.pid: not is_living(pid), what="the end of the old server")
    assert live.refresh().status == "running"


@pytest.mark.parametrize("way", ["down", "up"])
def test_servers_whose_database_was_removed_are_found_and_ended(
    open_admin: Callable[..., MastraAdmin], way: str
) -> None:
    admin = open_admin()
    live = deploy(admin, replicas=2)
    pids = [item.pid or 0 for item in live.processes]
    admin.close()
    for file in admin.home.path.glob("admin.db*"):
        file.unlink()
    again = open_admin()
    assert again.deployments.list() == []
    assert [check.ok for check in again.doctor() if check.name == "servers"] == [False]
    if way == "down":
        again.down()
    else:
        again.start()
    wait_until(lambda: not any(is_living(pid) for pid in pids), what="the end of the servers")


# --- figures ----------------------------------------------------------------------------------------------------------


def test_what_servers_hold_and_how_they_ended_is_on_record(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin(health_interval=0.2)
    live = deploy(admin)
    admin.start()
    wait_until(lambda: current(live).stats.get("memory_bytes"), what="figures")
    stats = current(live).stats
    assert stats["healthy"] is True
    assert stats["memory_bytes"] > 20_000_000
    assert stats["open_files"] > 5
