"""How soon lines of a build reach those who follow its log in a browser, and whether all of them do.

    python -m tests.bench.logs [--seconds 10] [--rate 2000] [--clients 1,100]

Runs a panel as a user does. A process writes a log as a build does, each line with the time it was written at, and
clients follow it over websockets. Prints one JSON object: ``{"clients_1": {"p50_ms", "p99_ms", "lost"}, …}``, measured
from that time to the moment a client has the line; ``lost`` counts lines that a client didn't get, over all clients.
What it cost goes to standard error. Exit status 0 when nothing was lost, or sent twice, and p99 is at most 150 ms.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from mastra_admin_sdk.adapters.storage.sql import SqliteAdminStorage
from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import Build, BuildStatus, Deployment, Project, Team

GOAL_P99_MS = 150.0
_WAIT_SECONDS = 60.0
_BURST_SECONDS = 0.002
_TEXT = "added 308 packages, and audited 309 packages in 12s; 52 packages look for funding "
_LINE = re.compile(rb'\[(\d+),"[^"]*","out","(\d+\.\d+) ')


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel in a process of its own."""

    home: Home
    port: int
    token: str
    pid: int


@dataclass(slots=True, eq=False)
class Client:
    """One websocket: what it has received, frame by frame."""

    socket: socket.socket
    buffer: bytearray = field(default_factory=bytearray)
    frames: list[tuple[bytes, float]] = field(default_factory=list)
    is_open: bool = False
    has_ended: bool = False

    def take(self) -> None:
        """Take what there is."""
        data = self.socket.recv(1 << 20)
        now = time.monotonic()
        if not data:
            raise RuntimeError("The panel closed a connection before the end of the log.")
        self.buffer += data
        if not self.is_open:
            self._skip_greeting()
        while self.is_open and (payload := self._take_frame()) is not None:
            if payload.startswith(b'{"type":"log"'):
                self.frames.append((payload, now))
            self.has_ended = self.has_ended or payload.startswith(b'{"type":"end"') or b'"type":"end"' in payload[-20:]

    def _skip_greeting(self) -> None:
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if found:
            if b" 101 " not in head.split(b"\r\n")[0]:
                raise RuntimeError(f"No websocket: {bytes(head[:100])!r}")
            self.buffer, self.is_open = rest, True

    def _take_frame(self) -> bytes | None:
        if len(self.buffer) < 2:
            return None
        kind, size, start = self.buffer[0] & 0x0F, self.buffer[1] & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(self.buffer) < start:
                return None
            (size,) = struct.unpack_from("!H" if start == 4 else "!Q", self.buffer, 2)
        if len(self.buffer) < start + size:
            return None
        payload = bytes(self.buffer[start : start + size])
        del self.buffer[: start + size]
        if kind == 9:  # a ping: answered, or the panel would hang up
            self.socket.sendall(struct.pack("!BBI", 0x8A, 0x80 | size, 0) + payload)
        return payload if kind == 1 else b""


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.logs", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=2000, help="lines a second")
    parser.add_argument("--clients", default="1,100", help="numbers of clients, separated by commas")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.write:
        write_log(given.write, given.rate, given.seconds)
        return 0
    found: dict[str, dict[str, float]] = {}
    with run_panel() as panel, prepare(panel.home) as (storage, deployment):
        for count in [int(text) for text in given.clients.split(",")]:
            build = storage.builds.create(make_build(panel.home, deployment))
            found[f"clients_{count}"] = measure(panel, storage, build, count, given.rate, given.seconds)
    print(json.dumps(found))
    return 0 if all(item["lost"] == 0 and item["p99_ms"] <= GOAL_P99_MS for item in found.values()) else 1


def measure(
    panel: Panel, storage: SqliteAdminStorage, build: Build, count: int, rate: int, seconds: float
) -> dict[str, float]:
    """Let a build write while clients follow it, and return what they saw."""
    storage.builds.transition(build.id, BuildStatus.BUILDING, expected=[BuildStatus.QUEUED])
    command = [sys.executable, "-m", "tests.bench.logs", "--write", str(build.log_path)]
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(panel, build)) for _ in range(count)]
        wait_for(clients, lambda client: client.is_open)
        before = sum_cpu(panel)
        writer = subprocess.Popen([*command, "--rate", str(rate), "--seconds", str(seconds)])
        try:
            receive(clients, lambda: writer.poll() is not None)
        finally:
            writer.kill()
            writer.wait()
        cpu = sum_cpu(panel) - before
        storage.builds.transition(build.id, BuildStatus.FAILED, expected=[BuildStatus.BUILDING])
        wait_for(clients, lambda client: client.has_ended)
    result = summarize(clients, int(rate * seconds))
    sys.stderr.write(f"{count} clients: the panel took {cpu / seconds:.0%} of a core; the load is {os.getloadavg()}\n")
    return result


def write_log(path: Path, rate: int, seconds: float) -> None:
    """Write lines at a rate, as a build does; each begins with the time it was written at."""
    with LineLog(path) as log:
        started, written = time.monotonic(), 0
        while written < rate * seconds:
            due = min(int((time.monotonic() - started) * rate) + 1, int(rate * seconds))
            for _ in range(written, due):
                log.write(f"{time.monotonic():.6f} {_TEXT}")
            written = due
            time.sleep(_BURST_SECONDS)


# --- clients ----------------------------------------------------------------------------------------------------------


@contextmanager
def connect(panel: Panel, build: Build) -> Iterator[Client]:
    """Open a websocket on the log of a build."""
    with socket.create_connection(("127.0.0.1", panel.port)) as connection:
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /api/builds/{build.id}/logs/ws?after=0 HTTP/1.1\r\nHost: 127.0.0.1:{panel.port}\r\n"
            f"Authorization: Bearer {panel.token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        connection.sendall(request.encode())
        yield Client(connection)


def receive(clients: Sequence[Client], is_over: Callable[[], bool]) -> None:
    """Receive on all connections until it is over."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        deadline = time.monotonic() + 10 * _WAIT_SECONDS
        while not is_over():
            if time.monotonic() > deadline:
                raise TimeoutError("The clients didn't come to an end.")
            for key, _ in selector.select(0.05):
                key.data.take()
                if key.data.has_ended:
                    selector.unregister(key.fileobj)


def wait_for(clients: Sequence[Client], is_ready: Callable[[Client], bool]) -> None:
    """Receive until each client is so far."""
    receive(clients, lambda: all(is_ready(client) for client in clients))


def summarize(clients: Sequence[Client], expected: int) -> dict[str, float]:
    """Return the latencies of all lines at all clients, and how many lines didn't arrive."""
    known: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    delays, lost = [], 0
    for client in clients:
        numbers = []
        for payload, received_at in client.frames:
            if payload not in known:
                found = _LINE.findall(payload)
                known[payload] = np.array([int(n) for n, _ in found]), np.array([float(at) for _, at in found])
            numbers.append(known[payload][0])
            delays.append(received_at - known[payload][1])
        got = np.concatenate(numbers) if numbers else np.array([], dtype=int)
        if len(got) > 1 and not (np.diff(got) > 0).all():
            raise RuntimeError("A line came twice, or in the wrong order.")
        lost += expected - len(got)
    spread = np.concatenate(delays) * 1000 if delays else np.array([float("inf")])
    p50, p99 = np.percentile(spread, [50, 99])
    return {"p50_ms": round(float(p50), 1), "p99_ms": round(float(p99), 1), "lost": lost}


# --- the panel --------------------------------------------------------------------------------------------------------


@contextmanager
def run_panel() -> Iterator[Panel]:
    """Run a panel on a home of its own, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mastra-admin-bench-logs-"))
    home = open_home(folder / "home")
    env = {**os.environ, "MASTRA_ADMIN_HOME": str(home.path)}
    command = [sys.executable, "-m", "mastra_admin_panel", "--home", str(home.path), "--port", "0"]
    process = subprocess.Popen(command, env=env, stdout=sys.stderr)
    try:
        record = home.run / "panel.json"
        deadline = time.monotonic() + _WAIT_SECONDS
        while not record.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("The panel didn't start.")
            time.sleep(0.05)
        port = json.loads(record.read_text())["facts"]["port"]
        yield Panel(home, port, (home.run / "panel-token").read_text().strip(), process.pid)
    finally:
        process.terminate()
        process.wait(_WAIT_SECONDS)
        shutil.rmtree(folder)


@contextmanager
def prepare(home: Home) -> Iterator[tuple[SqliteAdminStorage, Deployment]]:
    """Store a deployment to build for."""
    storage = SqliteAdminStorage(home.database)
    storage.init()
    try:
        team = storage.teams.create(Team("Bench", "bench"))
        project = storage.projects.create(Project(team.id, "Logs", "logs"))
        yield storage, storage.deployments.create(Deployment(project.id, "main", "main"))
    finally:
        storage.close()


def make_build(home: Home, deployment: Deployment) -> Build:
    """Return a queued build with a log."""
    build = Build(deployment.id)
    return Build(deployment.id, id=build.id, log_path=str(home.build_logs / f"{build.id}.log"))


def sum_cpu(panel: Panel) -> float:
    """Return the seconds on the CPU of the panel's processes."""
    processes = [psutil.Process(panel.pid), *psutil.Process(panel.pid).children(recursive=True)]
    return sum(process.cpu_times().user + process.cpu_times().system for process in processes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
