"""Build logs over real websockets: every line once, in order, to the end; and nothing left when a viewer goes."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.panel import RunningPanel, end_build, make_build, run_panel, seed, start_build, write_log
from fixtures.quick import wait_until
from fixtures.viewers import Viewer, follow, hang_up, read_to_the_end, receive
from simple_websocket import ConnectionClosed, ConnectionError

from mastra_admin_sdk.adapters.storage.sql import SqliteAdminStorage
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import Build, BuildStatus
from mastra_admin_sdk.ports.storage import AdminStorage

pytestmark = pytest.mark.slow  # a server process, and connections that are watched while nothing happens

PING = 0.3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_home(tmp_path_factory.mktemp("live") / "home").path


@pytest.fixture(scope="module")
def storage(home: Path) -> Iterator[AdminStorage]:
    made = SqliteAdminStorage(home / "admin.db")
    made.init()
    yield made
    made.close()


@pytest.fixture(scope="module")
def panel(home: Path, storage: AdminStorage) -> Iterator[RunningPanel]:
    with run_panel(home, "--ping-seconds", str(PING)) as running:
        yield running


@pytest.fixture
def build(storage: AdminStorage, home: Path) -> Build:
    """A build that is under way and has printed two lines."""
    known = storage.deployments.list()
    deployment = known[0] if known else seed(storage, home).deployment
    for active in storage.builds.list(deployment.id, statuses=[BuildStatus.QUEUED, BuildStatus.BUILDING]):
        end_build(storage, active, BuildStatus.CANCELLED)
    build = start_build(storage, make_build(storage, home, deployment))
    write_log(build, ["first", "second"])
    return build


def test_a_viewer_gets_state_lines_as_they_come_and_the_end(
    panel: RunningPanel, storage: AdminStorage, build: Build
) -> None:
    client = follow(panel, build.id)
    assert receive(client, "build")["build"]["status"] == "building"
    lines = receive(client, "log")["lines"]
    assert [(number, text) for number, _, _, text in lines] == [(1, "first"), (2, "second")]
    write_log(build, ["\x1b[31mthird\x1b[0m <b>"], stream="err")
    assert receive(client, "log")["lines"][0][2:] == ["err", "\x1b[31mthird\x1b[0m <b>"]
    storage.builds.update(build.id, phases={"copy": 0.2, "install": 0.0})
    assert receive(client, "build")["build"]["phases"] == {"copy": 0.2, "install": 0.0}
    write_log(build, ["last"])
    end_build(storage, build, BuildStatus.FAILED, error_message="no")
    lines, end = read_to_the_end(client)
    assert [line[0] for line in lines] == [4]
    assert (end["build"]["status"], end["build"]["error"]["message"]) == ("failed", "no")
    with pytest.raises(ConnectionClosed):
        client.receive(timeout=5)


def test_a_viewer_who_comes_again_goes_on_after_its_last_line(
    panel: RunningPanel, storage: AdminStorage, build: Build
) -> None:
    client = follow(panel, build.id)
    last = receive(client, "log")["lines"][-1][0]
    client.sock.shutdown(socket.SHUT_RDWR)
    client.thread.join(5)
    write_log(build, ["while away", "and more"])
    end_build(storage, build, BuildStatus.SUCCEEDED)
    lines, _ = read_to_the_end(follow(panel, build.id, after=last))
    assert [(number, text) for number, _, _, text in lines] == [(3, "while away"), (4, "and more")]


def test_silence_is_filled_with_pings_and_ends_nothing(panel: RunningPanel, build: Build) -> None:
    """Dokploy 3033: the websocket of a log died after a minute of silence."""
    client = follow(panel, build.id)
    receive(client, "log")
    for _ in range(8):
        receive(client, "ping", timeout=10 * PING)
    write_log(build, ["after a long silence"])
    assert receive(client, "log")["lines"][0][0] == 3
    hang_up(client)


def test_a_build_that_has_ended_is_shown_whole(panel: RunningPanel, storage: AdminStorage, build: Build) -> None:
    end_build(storage, build, BuildStatus.SUCCEEDED)
    lines, end = read_to_the_end(follow(panel, build.id))
    assert [line[3] for line in lines] == ["first", "second"]
    assert end["build"]["status"] == "succeeded"


def test_a_queued_build_without_a_log_waits_for_it(panel: RunningPanel, storage: AdminStorage, home: Path) -> None:
    deployment = seed(storage, home, slug=f"other-{os.getpid()}", port=4150).deployment
    queued = make_build(storage, home, deployment)
    client = follow(panel, queued.id)
    receive(client, "ping", timeout=10 * PING)
    start_build(storage, queued)
    write_log(queued, ["at last"])
    assert receive(client, "log")["lines"][0][3] == "at last"
    end_build(storage, queued, BuildStatus.CANCELLED)
    assert receive(client, "end")["build"]["status"] == "cancelled"


def test_a_flood_reaches_a_slow_reader_complete_and_in_order(
    panel: RunningPanel, storage: AdminStorage, build: Build
) -> None:
    count = 30_000
    writer = threading.Thread(target=write_log, args=(build, [f"{number} {'x' * 200}" for number in range(count)]))
    writer.start()
    client = follow(panel, build.id)
    time.sleep(4 * PING)  # the connection's buffers fill up meanwhile, and pings fall due
    writer.join()
    end_build(storage, build, BuildStatus.SUCCEEDED)
    lines, _ = read_to_the_end(client, timeout=60)
    assert [line[0] for line in lines] == list(range(1, count + 3))
    assert all(line[3] == f"{line[0] - 3} {'x' * 200}" for line in lines[2:])


@pytest.mark.parametrize("way", ["say-goodbye", "hang-up"])
def test_viewers_who_leave_leave_nothing(panel: RunningPanel, build: Build, way: str) -> None:
    before = panel.count_sockets()
    peaks = []
    for _ in range(5):
        clients = [follow(panel, build.id) for _ in range(10)]
        for client in clients:
            receive(client, "log")
        assert panel.count_sockets() >= 20
        peaks.append(panel.count_threads())
        for client in clients:
            client.close() if way == "say-goodbye" else client.sock.shutdown(socket.SHUT_RDWR)
        for client in clients:
            client.thread.join(5)
        wait_until(lambda: panel.count_sockets() <= before, what="The end of the viewers' connections")
    # The pool keeps its threads for the next viewers; those of each connection have to go.
    assert peaks[-1] < peaks[0] + 15


def test_a_viewer_that_no_longer_answers_is_let_go(panel: RunningPanel, build: Build) -> None:
    before = panel.count_sockets()
    with socket.create_connection(("127.0.0.1", panel.port)) as mute:
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /api/builds/{build.id}/logs/ws HTTP/1.1\r\nHost: 127.0.0.1:{panel.port}\r\n"
            f"Authorization: Bearer {panel.token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        mute.sendall(request.encode())
        mute.settimeout(15)
        assert b"101" in mute.recv(64)
        # It never answers a ping: the server hangs up by itself.
        while mute.recv(65536):
            pass
    wait_until(lambda: panel.count_sockets() <= before, what="The end of its connection")


def test_strangers_get_no_websocket(panel: RunningPanel, build: Build) -> None:
    for headers in (
        {"X-Nothing": "x"},
        {"Authorization": "Bearer wrong"},
        {**panel.headers, "Origin": "http://evil.example"},
        {**panel.headers, "Origin": "null"},
    ):
        with pytest.raises(ConnectionError):
            follow(panel, build.id, **headers)
    client = follow(panel, build.id, **panel.headers, Origin=panel.url)
    receive(client, "log")
    hang_up(client)


def test_an_unknown_build_is_said(panel: RunningPanel) -> None:
    client = follow(panel, "nothing")
    assert receive(client, "error")["error"]["code"] == "not_found"
    with pytest.raises(ConnectionClosed):
        client.receive(timeout=5)


def test_a_bad_number_is_said(panel: RunningPanel, build: Build) -> None:
    client = Viewer(f"{panel.socket_url}/api/builds/{build.id}/logs/ws?after=x", headers=panel.headers)
    assert receive(client, "error")["error"]["details"]["fields"].keys() == {"after"}
    client.thread.join(5)


def test_the_panel_ends_at_once_while_somebody_watches(storage: AdminStorage, build: Build, tmp_path: Path) -> None:
    own = open_home(tmp_path / "home")
    mine = SqliteAdminStorage(own.database)
    mine.init()
    watched = start_build(mine, make_build(mine, own.path, seed(mine, own.path).deployment))
    write_log(watched, ["first"])
    with run_panel(own.path) as panel:
        client = follow(panel, watched.id)
        receive(client, "log")
        panel.process.terminate()
        assert panel.process.wait(timeout=8) == 0
        client.thread.join(5)
        assert not client.connected
    mine.close()
