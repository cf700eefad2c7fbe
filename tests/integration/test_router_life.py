"""Who starts, shares, loses and ends the Caddy process of a home."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.upstream import Upstream

from mastra_admin_sdk.adapters.router.caddy import LocalRouter
from mastra_admin_sdk.errors import RouterError
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import Route
from mastra_admin_sdk.services.deployments.requests import request

LEFT_BEHIND = Path(__file__).parents[1] / "oracle" / "left_behind.py"
HOST = "agent-main.team.localhost"

STARTER = """
import sys, time
from pathlib import Path
from mastra_admin_sdk.adapters.router.caddy import LocalRouter
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Route

router = LocalRouter(Home(Path(sys.argv[1])), port=int(sys.argv[2]))
sys.stdin.readline()
router.start()
for number in range(int(sys.argv[3])):
    router.register(Route(f"{sys.argv[4]}-{number}.localhost", "127.0.0.1", 4000 + number, "d"))
print("started", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return open_home(tmp_path / "a home").path


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def router(home: Path, port: int) -> Iterator[LocalRouter]:
    router = LocalRouter(open_home(home), port=port)
    yield router
    router.stop()
    assert inspect(home)["processes"] == []


@contextlib.contextmanager
def starter(home: Path, port: int, *, routes: int = 0, name: str = "one") -> Iterator[subprocess.Popen[str]]:
    """Another process that starts the router once a line is sent to it, and stays."""
    argv = [sys.executable, "-c", STARTER, str(home), str(port), str(routes), name]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def say_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def inspect(home: Path) -> dict[str, Any]:
    """Ask the oracle what the home has left running; this process has its files open and doesn't count."""
    argv = [sys.executable, str(LEFT_BEHIND), "--home", str(home), "--allow", str(os.getpid())]
    found: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, text=True, timeout=30).stdout)
    return found


def find_caddies(home: Path) -> list[int]:
    return [item["pid"] for item in inspect(home)["processes"] if "caddy run" in item["command"]]


def wait_for(condition: Callable[[], bool], timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


# --- starting and sharing ---------------------------------------------------------------------------------------------


def test_two_processes_that_start_at_once_get_one_caddy(home: Path, port: int, router: LocalRouter) -> None:
    with starter(home, port, routes=5, name="one") as one, starter(home, port, routes=5, name="two") as two:
        say_go(one)
        say_go(two)
        assert (read_line(one), read_line(two)) == ("started", "started")
        assert len(find_caddies(home)) == 1
    assert [route.host for route in router.list_routes()] == [
        f"{name}-{number}.localhost" for name in ("one", "two") for number in range(5)
    ]


def test_threads_that_start_and_change_at_once_lose_nothing(router: LocalRouter, home: Path) -> None:
    routes = [Route(f"{number}.localhost", "127.0.0.1", 4100 + number, "d") for number in range(12)]
    threads = [threading.Thread(target=router.register, args=(route,)) for route in routes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(router.list_routes(), key=lambda route: route.target_port) == routes
    assert len(find_caddies(home)) == 1


def test_it_outlives_its_starter_and_is_adopted(home: Path, port: int, router: LocalRouter) -> None:
    with Upstream() as upstream, starter(home, port) as process:
        say_go(process)
        assert read_line(process) == "started"
        (caddy,) = find_caddies(home)
        process.kill()
        process.wait(10)
        assert router.is_running()
        router.register(Route(HOST, upstream.host, upstream.port, "d"))
        router.start()
        assert request(router.endpoint, HOST, "GET", "/").text == "one"
        assert find_caddies(home) == [caddy]


def test_it_is_detached_with_a_minimal_environment_and_keeps_to_the_home(
    home: Path, router: LocalRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_STARTER", "s3cr3t")
    router.start()
    (pid,) = find_caddies(home)
    assert os.getsid(pid) == pid
    environment = dict(
        item.decode().split("=", 1) for item in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if item
    )
    assert environment["MASTRA_ADMIN_HOME"] == str(home)
    assert set(environment) <= {"MASTRA_ADMIN_HOME", "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
    assert (home / "run" / "caddy.sock").stat().st_mode & 0o777 == 0o600
    assert not list(home.rglob("autosave.json"))


@pytest.mark.parametrize("name", ["{env.HOME} | ü", "long" * 40], ids=["odd-characters", "longer-than-a-socket-path"])
def test_any_home_will_do(tmp_path: Path, port: int, name: str) -> None:
    router = LocalRouter(open_home(tmp_path / name), port=port)
    try:
        with Upstream() as upstream:
            router.register(Route(HOST, upstream.host, upstream.port, "d"))
            assert request(router.endpoint, HOST, "GET", "/").text == "one"
    finally:
        router.stop()
    assert not router._process._socket.exists()


# --- whose port it is -------------------------------------------------------------------------------------------------


def test_a_second_home_on_the_port_is_told_whose_it_is(
    home: Path, port: int, router: LocalRouter, tmp_path: Path
) -> None:
    router.start()
    second = LocalRouter(open_home(tmp_path / "second"), port=port)
    with pytest.raises(RouterError, match=f"taken by pid .* of the home {home}") as caught:
        second.start()
    assert "MASTRA_ADMIN_ROUTER_PORT" in caught.value.hint
    assert not second.is_running()
    assert inspect(tmp_path / "second")["processes"] == []
    assert router.is_running()


def test_a_stranger_on_the_port_is_named(router: LocalRouter, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(RouterError, match=rf"taken by pid {os.getpid()} \(.*\)"):
            router.register(Route(HOST, "127.0.0.1", 4100, "d"))
        assert not router.is_running()
    router.start()


def test_one_home_has_one_router(router: LocalRouter, home: Path, port: int) -> None:
    router.start()
    with pytest.raises(RouterError, match=f"runs already, on 127.0.0.1:{port}"):
        LocalRouter(open_home(home), port=port + 1).start()
    assert router.is_running()


def test_somebody_else_answering_on_the_port_is_noticed(
    router: LocalRouter, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    router.start()
    monkeypatch.setattr("mastra_admin_sdk.adapters.router.caddy.process._START_TIMEOUT", 0.2)
    monkeypatch.setattr("mastra_admin_sdk.adapters.router.caddy.process.read_nonce", lambda *_, **__: "another's")
    with pytest.raises(RouterError, match="doesn't lead to it: somebody else answers"):
        router.start()


# --- losing it --------------------------------------------------------------------------------------------------------


def test_after_a_kill_it_starts_again_and_reconcile_restores_the_routes(router: LocalRouter, home: Path) -> None:
    with Upstream() as upstream:
        route = Route(HOST, upstream.host, upstream.port, "d")
        router.register(route)
        (pid,) = find_caddies(home)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not router.is_running())
        assert list(router.list_routes()) == []
        router.start()
        assert list(router.list_routes()) == []
        assert router.reconcile([route]) == 1
        assert request(router.endpoint, HOST, "GET", "/").text == "one"
        assert find_caddies(home) != [pid]


def test_one_that_lost_its_socket_is_replaced(router: LocalRouter, home: Path) -> None:
    router.start()
    (pid,) = find_caddies(home)
    (home / "run" / "caddy.sock").unlink()
    assert not router.is_running()
    router.start()
    assert router.is_running()
    assert find_caddies(home) != [pid]


def test_one_without_a_record_is_stopped_too(router: LocalRouter, home: Path) -> None:
    router.start()
    (home / "run" / "caddy.json").unlink()
    router.stop()
    assert find_caddies(home) == []


def test_a_record_of_a_stranger_is_never_acted_on(router: LocalRouter, home: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            record = {"pid": stranger.pid, "start_ticks": 1, "boot_id": "another"}
            (home / "run" / "caddy.json").write_text(json.dumps(record))
            router.stop()
            router.start()
            assert stranger.poll() is None
        finally:
            stranger.kill()


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_anyone_can_stop_it_and_nothing_is_left(home: Path, port: int) -> None:
    with starter(home, port) as process:
        say_go(process)
        assert read_line(process) == "started"
        LocalRouter(open_home(home), port=port).stop()
    found = inspect(home)
    assert (found["processes"], found["ports"]) == ([], [])
    with socket.create_server(("127.0.0.1", port)):
        assert {path.name for path in (home / "run").iterdir()} <= {"router.lock"}


@pytest.mark.slow
def test_open_streams_do_not_keep_it_from_stopping(router: LocalRouter, home: Path) -> None:
    with Upstream() as upstream:
        router.register(Route(HOST, upstream.host, upstream.port, "d"))
        with request(router.endpoint, HOST, "GET", "/events", stream=True) as answer:
            assert next(answer.iter_lines()) == "data: first"
            router.stop()
            assert find_caddies(home) == []


@pytest.mark.slow
def test_one_that_hangs_is_ended(router: LocalRouter, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_admin_sdk.adapters.router.caddy.process._STOP_TIMEOUT", 0.5)
    monkeypatch.setattr(router._client, "_timeout", 0.5)
    router.start()
    (pid,) = find_caddies(home)
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: not router.is_running())
    with pytest.raises(RouterError, match="did not answer"):
        router.start()
    router.stop()
    assert find_caddies(home) == []
