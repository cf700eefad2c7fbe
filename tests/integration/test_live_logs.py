"""One reader for all who look on, whatever happens to the log, its writer, its viewers, or the panel."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from fixtures.panel import RunningPanel, end_build, make_build, run_panel, seed, start_build, write_log
from fixtures.quick import wait_until
from fixtures.viewers import Viewer, follow, follow_address, hang_up, read_to_the_end, receive
from simple_websocket import ConnectionClosed

from mastra_admin_sdk.adapters.storage.sql import SqliteAdminStorage
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import Build, BuildStatus, Deployment, Process, ProcessStatus, TokenScope
from mastra_admin_sdk.ports.storage import AdminStorage

pytestmark = pytest.mark.slow  # a server process, and long logs

LONG = 1_000_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_home(tmp_path_factory.mktemp("logs") / "home").path


@pytest.fixture(scope="module")
def storage(home: Path) -> Iterator[AdminStorage]:
    made = SqliteAdminStorage(home / "admin.db")
    made.init()
    yield made
    made.close()


@pytest.fixture(scope="module")
def deployment(home: Path, storage: AdminStorage) -> Deployment:
    return seed(storage, home).deployment


@pytest.fixture(scope="module")
def panel(home: Path, storage: AdminStorage) -> Iterator[RunningPanel]:
    with run_panel(home, "--ping-seconds", "1") as running:
        yield running


@pytest.fixture
def build(storage: AdminStorage, home: Path, deployment: Deployment) -> Iterator[Build]:
    build = start_build(storage, make_build(storage, home, deployment))
    yield build
    if not storage.builds.get(build.id).is_final:
        end_build(storage, build, BuildStatus.CANCELLED)


def log_of(build: Build) -> Path:
    return Path(build.log_path or "")


def numbers(lines: list[list[Any]]) -> list[int]:
    return [line[0] for line in lines]


# --- many viewers -----------------------------------------------------------------------------------------------------


def test_many_viewers_cost_one_reader_which_goes_with_the_last(panel: RunningPanel, build: Build) -> None:
    write_log(build, ["first"])
    clients = [follow(panel, build.id) for _ in range(30)]
    for client in clients:
        assert numbers(receive(client, "log")["lines"]) == [1]
    assert panel.count_open(log_of(build)) == 1
    write_log(build, ["second"])
    for client in clients:
        assert numbers(receive(client, "log")["lines"]) == [2]
        hang_up(client)
    wait_until(lambda: panel.count_open(log_of(build)) == 0, what="The end of the reader")


def test_viewers_that_dont_read_neither_hold_others_up_nor_fill_the_memory(
    panel: RunningPanel, storage: AdminStorage, build: Build
) -> None:
    stuck = [StuckViewer(panel, build) for _ in range(20)]
    client = follow(panel, build.id)
    receive(client, "build")
    before = panel.count_memory()
    count = 40_000
    with LineLog(log_of(build)) as log:
        for number in range(1, count + 1):
            log.write(f"{number} {'x' * 400}")
    written_at, got = time.monotonic(), 0
    while got < count:
        got = receive(client, "log")["lines"][-1][0]
    assert time.monotonic() - written_at < 5
    # 16 MB were written: what all of them didn't read is 320 MB.
    assert panel.count_memory() - before < 40 * 1024 * 1024
    end_build(storage, build, BuildStatus.SUCCEEDED)
    # Who begins to read has lost nothing, and doesn't find the end of the log before its lines.
    assert stuck[0].read_numbers(3000) == list(range(1, 3001))
    for viewer in stuck:
        viewer.close()
    hang_up(client)


class StuckViewer:
    """Opens a websocket and reads nothing until it is asked to."""

    def __init__(self, panel: RunningPanel, build: Build) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", panel.port))
        self.socket.sendall(
            f"GET /api/builds/{build.id}/logs/ws HTTP/1.1\r\nHost: 127.0.0.1:{panel.port}\r\n"
            f"Authorization: Bearer {panel.token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
        )
        self.stream = self.socket.makefile("rb")
        while self.stream.readline() != b"\r\n":
            continue

    def read_numbers(self, count: int) -> list[int]:
        """Return the numbers of the first lines, a frame at least."""
        found: list[int] = []
        while len(found) < count:
            kind, size = self.stream.read(2)
            if size > 125:
                size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
            payload = self.stream.read(size)
            if kind & 15 == 1:
                found += numbers(json.loads(payload).get("lines", []))
        return found[:count]

    def close(self) -> None:
        self.stream.close()
        self.socket.close()


# --- long logs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_build(storage: AdminStorage, home: Path, deployment: Deployment) -> Build:
    """A build that has ended and printed a million lines: 95 MB."""
    build = start_build(storage, make_build(storage, home, deployment))
    log_of(build).parent.mkdir(parents=True, exist_ok=True)
    with log_of(build).open("w") as file:
        for number in range(1, LONG + 1):
            file.write(f"{number}\t2026-11-23T10:00:00.000+00:00\tout\tline {number} {'x' * 45}\n")
    return end_build(storage, build, BuildStatus.SUCCEEDED)


def test_any_page_of_a_million_lines_comes_at_once(panel: RunningPanel, long_build: Build) -> None:
    address = f"/api/builds/{long_build.id}/logs"
    for query, expected in (
        ("?before=9000000&limit=200", range(LONG - 199, LONG + 1)),
        ("?after=500000&limit=200", range(500_001, 500_201)),
        ("?before=500000&limit=200", range(499_800, 500_000)),
        ("?limit=200", range(1, 201)),
    ):
        began = time.monotonic()
        page = panel.get(f"{address}{query}")
        assert time.monotonic() - began < 1  # some 20 ms, unless the machine is busy
        assert numbers(page["lines"]) == list(expected)
        assert (page["first"], page["last"]) == (1, LONG)


def test_a_million_lines_are_searched_in_both_directions(panel: RunningPanel, long_build: Build) -> None:
    address = f"/api/builds/{long_build.id}/logs/search"
    assert numbers(panel.get(f"{address}?q=LINE%20777777%20")["lines"]) == [777_777]
    assert numbers(panel.get(f"{address}?q=line%2099999&before=1000001&limit=2")["lines"]) == [999_998, 999_999]
    assert numbers(panel.get(f"{address}?q=line%2012345%5B67%5D%20&regex=true")["lines"]) == [123_456, 123_457]


def test_a_viewer_may_begin_before_the_end_of_a_million_lines(panel: RunningPanel, long_build: Build) -> None:
    client = follow_address(panel, f"/api/builds/{long_build.id}/logs/ws?tail=300")
    lines, end = read_to_the_end(client)
    assert numbers(lines) == list(range(LONG - 299, LONG + 1))
    assert end["build"]["status"] == "succeeded"


def test_a_viewer_of_a_long_log_doesnt_hold_up_one_of_the_present(
    panel: RunningPanel, storage: AdminStorage, build: Build
) -> None:
    with log_of(build).open("w") as file:
        for number in range(1, 200_001):
            file.write(f"{number}\t2026-11-23T10:00:00.000+00:00\tout\tline {number} {'x' * 45}\n")
    present = follow_address(panel, f"/api/builds/{build.id}/logs/ws?tail=1")
    assert numbers(receive(present, "log")["lines"]) == [200_000]
    whole: list[list[Any]] = []
    reading = threading.Thread(target=lambda: whole.extend(read_to_the_end(follow(panel, build.id))[0]))
    reading.start()
    for number in range(200_001, 200_011):
        write_log(build, ["new"])
        assert numbers(receive(present, "log", timeout=3)["lines"]) == [number]
    end_build(storage, build, BuildStatus.SUCCEEDED)
    reading.join(30)
    assert numbers(whole) == list(range(1, 200_011))
    hang_up(present)


# --- what happens to a log --------------------------------------------------------------------------------------------


def test_a_log_that_is_rotated_while_it_is_followed_and_cut_connections_lose_nothing(
    panel: RunningPanel, storage: AdminStorage, build: Build
) -> None:
    count = 20_000

    def write() -> None:
        with LineLog(log_of(build), max_bytes=100_000, keep=50) as log:
            for number in range(1, count + 1):
                log.write(f"{number} {'x' * 50}")
        end_build(storage, build, BuildStatus.SUCCEEDED)

    writer = threading.Thread(target=write)
    writer.start()
    lines: list[list[Any]] = []
    ended = False
    while not ended:
        client = follow(panel, build.id, after=lines[-1][0] if lines else 0)
        ended = _read_some(client, lines, 3000)
        with suppress(OSError):  # it has ended
            client.sock.shutdown(socket.SHUT_RDWR)
        client.thread.join(5)
    writer.join()
    assert numbers(lines) == list(range(1, count + 1))


def _read_some(client: Viewer, lines: list[list[Any]], count: int) -> bool:
    """Read about ``count`` lines; True when the log has ended."""
    until = len(lines) + count
    while len(lines) < until:
        event = json.loads(client.receive(timeout=20))
        lines += event.get("lines", [])
        if event["type"] == "end":
            return True
    return False


def test_viewers_of_a_build_whose_worker_is_killed_get_all_it_wrote_and_the_end(
    panel: RunningPanel, storage: AdminStorage, build: Build
) -> None:
    code = (
        "import sys, itertools; from pathlib import Path; from mastra_admin_sdk.linelog import LineLog\n"
        "log = LineLog(Path(sys.argv[1]))\n"
        "for number in itertools.count(1): log.write(f'line {number}')"
    )
    client = follow(panel, build.id)
    worker = subprocess.Popen([sys.executable, "-c", code, str(log_of(build))])
    first = receive(client, "log")["lines"]
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    end_build(storage, build, BuildStatus.FAILED, error_message="Its worker died.")
    lines, end = read_to_the_end(client)
    last = panel.get(f"/api/builds/{build.id}/logs?before=999999999&limit=1")["last"]
    assert numbers(first + lines) == list(range(1, last + 1))
    assert end["build"]["error"]["message"] == "Its worker died."


# --- servers ----------------------------------------------------------------------------------------------------------


def start_server(storage: AdminStorage, home: Path, build: Build, port: int, *texts: str) -> Process:
    """Record a running server that is where the deployment's address leads, with a log."""
    made = Process(build.deployment_id, build.id, "127.0.0.1", port, pid=1, start_ticks=1, boot_id="b")
    path = home / "logs" / "servers" / f"{made.id}.log"
    made = storage.processes.create(
        Process(
            **{
                **{name: getattr(made, name) for name in made.__dataclass_fields__},
                "log_path": str(path),
                "status": ProcessStatus.RUNNING,
            }
        )
    )
    print_lines(made, *texts)
    (route, *_) = storage.routes.list(build.deployment_id)
    storage.routes.put(type(route)(route.host, made.host, made.port, build.deployment_id, id=route.id))
    return made


def print_lines(process: Process, *texts: str) -> None:
    with LineLog(Path(process.log_path or "")) as log:
        for text in texts:
            log.write(text)


def end_server(storage: AdminStorage, process: Process) -> None:
    storage.processes.transition(process.id, ProcessStatus.EXITED, expected=[ProcessStatus.RUNNING], exit_code=1)


@pytest.fixture
def served(storage: AdminStorage, home: Path, request: pytest.FixtureRequest) -> Build:
    """A build of a deployment of its own, whose first server has ended."""
    slug = f"served-{abs(hash(request.node.name)) % 10_000}"
    seeded = seed(storage, home, slug=slug, port=4000 + abs(hash(slug)) % 900)
    end_server(storage, seeded.process)
    return seeded.build


def test_a_deployments_log_goes_on_with_the_server_that_takes_over(
    panel: RunningPanel, storage: AdminStorage, home: Path, served: Build
) -> None:
    first = start_server(storage, home, served, 4901, "one", "two")
    client = follow_address(panel, f"/api/deployments/{served.deployment_id}/logs/ws?tail=1")
    assert receive(client, "server")["server"]["id"] == first.id
    assert [line[::3] for line in receive(client, "log")["lines"]] == [[2, "two"]]
    print_lines(first, "three")
    assert [line[::3] for line in receive(client, "log")["lines"]] == [[3, "three"]]
    second = start_server(storage, home, served, 4902, "uno")
    assert receive(client, "server")["server"]["id"] == second.id
    assert [line[::3] for line in receive(client, "log")["lines"]] == [[1, "uno"]]
    end_server(storage, second)
    assert receive(client, "server")["server"]["status"] == "exited"
    hang_up(client)
    end_server(storage, first)


def test_who_was_away_while_another_server_took_over_gets_the_rest_of_both(
    panel: RunningPanel, storage: AdminStorage, home: Path, served: Build
) -> None:
    first = start_server(storage, home, served, 4903, "one", "two", "three")
    second = start_server(storage, home, served, 4904, "uno", "due")
    address = f"/api/deployments/{served.deployment_id}/logs/ws?process={first.id}&after=1"
    client = follow_address(panel, address)
    assert receive(client, "server")["server"]["id"] == first.id
    assert numbers(receive(client, "log")["lines"]) == [2, 3]
    assert receive(client, "server")["server"]["id"] == second.id
    assert numbers(receive(client, "log")["lines"]) == [1, 2]
    hang_up(client)
    for process in (first, second):
        end_server(storage, process)


def test_a_deployment_that_never_had_a_server_is_waited_for(
    panel: RunningPanel, storage: AdminStorage, home: Path, deployment: Deployment
) -> None:
    empty = storage.deployments.create(Deployment(deployment.project_id, "next", "next"))
    client = follow_address(panel, f"/api/deployments/{empty.id}/logs/ws")
    assert receive(client, "server")["server"] is None
    receive(client, "ping")
    storage.deployments.delete(empty.id)
    receive(client, "end")
    with pytest.raises(ConnectionClosed):
        client.receive(timeout=5)


def test_the_log_of_one_server_ends_with_it(
    panel: RunningPanel, storage: AdminStorage, home: Path, served: Build
) -> None:
    process = start_server(storage, home, served, 4905, "one")
    client = follow_address(panel, f"/api/processes/{process.id}/logs/ws")
    receive(client, "log")
    print_lines(process, "two")
    end_server(storage, process)
    lines, end = read_to_the_end(client)
    assert numbers(lines) == [2]
    assert (end["server"]["id"], end["server"]["status"]) == (process.id, "exited")


# --- server-sent events -----------------------------------------------------------------------------------------------


def read_events(panel: RunningPanel, address: str, **headers: str) -> Iterator[dict[str, str]]:
    """Yield server-sent events: their fields by name."""
    with urlopen(Request(f"{panel.url}{address}", headers={**panel.headers, **headers}), timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for raw in answer:
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                yield fields
                fields = {}


def test_the_same_events_come_as_server_sent_events(panel: RunningPanel, storage: AdminStorage, build: Build) -> None:
    write_log(build, ["first", "sécond"])
    events = read_events(panel, f"/api/builds/{build.id}/logs/stream")
    assert json.loads(next(events)["data"])["build"]["id"] == build.id
    log = next(events)
    assert (log["event"], log["id"]) == ("log", "2")
    assert numbers(json.loads(log["data"])["lines"]) == [1, 2]
    assert next(events)["event"] == "ping"
    write_log(build, ["third"])
    assert numbers(json.loads(_find(events, "log")["data"])["lines"]) == [3]
    end_build(storage, build, BuildStatus.SUCCEEDED)
    end = _find(events, "end")
    assert json.loads(end["data"])["build"]["status"] == "succeeded"
    assert list(events) == []
    again = read_events(panel, f"/api/builds/{build.id}/logs/stream", **{"Last-Event-ID": log["id"]})
    assert numbers(json.loads(_find(again, "log")["data"])["lines"]) == [3]
    again.close()  # type: ignore[attr-defined]
    request = Request(
        f"{panel.url}/api/builds/{build.id}/logs/stream", headers={**panel.headers, "Last-Event-ID": end["id"]}
    )
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 204


def _find(events: Iterator[dict[str, str]], kind: str) -> dict[str, str]:
    return next(event for event in events if event["event"] == kind)


def test_a_long_log_comes_whole_as_server_sent_events(panel: RunningPanel, long_build: Build) -> None:
    events = read_events(panel, f"/api/builds/{long_build.id}/logs/stream?after=900000")
    found: list[int] = []
    for event in events:
        if event["event"] == "log":
            found += numbers(json.loads(event["data"])["lines"])
    assert found == list(range(900_001, LONG + 1))


# --- ends -------------------------------------------------------------------------------------------------------------


def test_a_token_that_is_revoked_ends_its_streams(
    panel: RunningPanel, storage: AdminStorage, home: Path, build: Build
) -> None:
    from mastra_admin_sdk import MastraAdmin

    with MastraAdmin(home) as admin:
        created = admin.tokens.create("viewer", scopes=[TokenScope.READ])
        client = follow(panel, build.id, Authorization=f"Bearer {created.secret}")
        receive(client, "build")
        admin.tokens.revoke(created.token.id)
    assert receive(client, "error", timeout=20)["error"]["code"] == "unauthorized"
    with pytest.raises(ConnectionClosed):
        client.receive(timeout=5)


def test_a_panel_with_fifty_viewers_ends_within_seconds_and_says_that_it_goes(tmp_path: Path) -> None:
    own = open_home(tmp_path / "home")
    mine = SqliteAdminStorage(own.database)
    mine.init()
    watched = start_build(mine, make_build(mine, own.path, seed(mine, own.path).deployment))
    write_log(watched, ["first"])
    with run_panel(own.path) as panel:
        clients = [follow(panel, watched.id) for _ in range(50)]
        for client in clients:
            receive(client, "log")
        events = read_events(panel, f"/api/builds/{watched.id}/logs/stream")
        next(events)
        began = time.monotonic()
        panel.process.terminate()
        assert panel.process.wait(timeout=15) == 0
        assert time.monotonic() - began < 8
        with suppress(StopIteration):
            while True:
                next(events)
        for client in clients:
            client.thread.join(5)
            assert not client.connected
            assert client.close_reason == 1001
    mine.close()
