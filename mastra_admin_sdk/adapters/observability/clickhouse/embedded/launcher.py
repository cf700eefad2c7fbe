"""The client's side of the engine: find the one of a home, start it when there is none, end it.

Before a password is sent, the listener on the recorded port is checked to be the recorded process, of this user: a
stranger who got the port of an engine that ended learns nothing.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mastra_admin_sdk.errors import EngineUnavailable
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.host import is_alive

from .listener import owns_listener
from .record import FILE_NAME, RETIRE, START_LOCK, TEMPORARY, EngineRecord, read_life, read_record, remove_record
from .upgrade import PACKAGE, check_data, check_usable, is_outdated

logger = logging.getLogger(__name__)

MODULE = "mastra_admin_sdk.adapters.observability.clickhouse.embedded"
LOG_NAME = "engine.log"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
REPLACE_SECONDS = 5.0
"""How long a client waits for an older engine to end before it goes on using it."""

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a new engine runs; one that runs already keeps its own."""

    memory_mb: int = 1500
    idle_seconds: float = 600.0
    threads: int = 0
    """Threads a query may use; 0 takes as many as there are cores, at most 8."""


class EngineLauncher:
    """Finds, starts and ends the engine of a home."""

    def __init__(self, home: Home, options: EngineOptions) -> None:
        self._home, self._options = home, options
        self._asked: set[int] = set()

    @property
    def log_path(self) -> Path:
        """What engines of this home said."""
        return self._home.logs / LOG_NAME

    def ensure(self) -> EngineRecord:
        """Return the running engine; start one when there is none. Two starters give one engine.

        One of an older version is replaced, at a moment when it answers nothing.

        Raises:
            EngineUnavailable: it doesn't start; the evidence has the last lines of its log. Or it is too new for this
                package, or the data are.
        """
        record = self.find()
        if record is not None and not self._retire(record):
            check_usable(record)
            return record
        self._home.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with FileLock(self._home.run / START_LOCK, timeout=START_SECONDS):
                return self.find() or self._start()
        except Timeout as exc:
            raise EngineUnavailable(
                f"The analytics engine of {self._home.path} has been starting for more than {START_SECONDS:.0f} s.",
                hint=f"Look at {self.log_path}.",
                evidence={"log_tail": self._read_log_tail()},
            ) from exc

    def find(self) -> EngineRecord | None:
        """Return the engine that runs and listens where it says, or ``None``."""
        record = read_record(self._home.run)
        if record is None or not is_alive(record.pid, record.start_ticks, record.boot_id):
            return None
        return record if owns_listener(record.pid, record.port) else None

    def _retire(self, record: EngineRecord) -> bool:
        """Ask an engine of an older version to end; return whether it has."""
        if not is_outdated(record):
            return False
        life = (record.pid, record.boot_id, record.start_ticks)
        if record.pid not in self._asked:
            self._asked.add(record.pid)
            logger.info("The analytics engine of %s is replaced by %s's.", record.package, PACKAGE)
            _send(life, RETIRE)
            if not _wait_until_gone(life, REPLACE_SECONDS):
                logger.info("It is still answering; it ends afterwards, and serves until then.")
        return not _is_running(life)

    def stop(self) -> bool:
        """End the engine cleanly, or by force when it doesn't; return whether there was one. Nothing stored is lost."""
        life = read_life(self._home.run)
        if life is None or not _is_running(life):
            return False
        _send(life, signal.SIGTERM)
        if not _wait_until_gone(life, STOP_SECONDS):
            logger.warning("The analytics engine (pid %s) didn't stop within %s s: killed.", life[0], STOP_SECONDS)
            _send(life, signal.SIGKILL)
            _wait_until_gone(life, STOP_SECONDS)
        remove_record(self._home.run, life[0])
        return True

    def describe(self) -> Mapping[str, Any]:
        """Return facts about the engine without starting or asking it."""
        record = self.find()
        if record is None:
            return {"running": False, "home": str(self._home.path)}
        return {
            "running": True,
            "home": str(self._home.path),
            "pid": record.pid,
            "port": record.port,
            "version": record.version,
            "package": record.package,
            "seconds": round(time.time() - record.started_at, 1),
            "memory_bytes": _read_memory(record.pid),
        }

    def _start(self) -> EngineRecord:
        check_data(self._home.clickhouse)
        # One that doesn't listen (any more), or whose record was lost, still holds the data: it is on its way out, or
        # has to go.
        self.stop()
        (self._home.run / FILE_NAME).unlink(missing_ok=True)
        ready, told = os.pipe()
        try:
            self._launch(told)
        finally:
            os.close(told)
        try:
            is_ready = _wait_for_word(ready)
        finally:
            os.close(ready)
        record = self.find() if is_ready else None
        if record is None:
            raise EngineUnavailable(
                f"The analytics engine of {self._home.path} didn't start.",
                hint=f"Its log is {self.log_path}; `mastra-admin doctor` checks memory, disk and the installed chDB.",
                evidence={"log_tail": self._read_log_tail()},
            )
        return record

    def _launch(self, told: int) -> None:
        self._home.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = {
            "run_folder": str(self._home.run),
            "data_folder": str(self._home.clickhouse),
            "memory_mb": self._options.memory_mb,
            "idle_seconds": self._options.idle_seconds,
            "threads": self._options.threads or min(8, os.cpu_count() or 1),
            "ready_fd": told,
            "log_path": str(self.log_path),
        }
        descriptor = os.open(self.log_path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            # It goes into the background by itself, so this one is over at once and leaves no zombie behind.
            subprocess.run(
                [sys.executable, "-P", "-m", MODULE],
                input=json.dumps(config).encode(),
                stdout=descriptor,
                stderr=descriptor,
                env=self._make_environment(),
                cwd=self._home.path,
                pass_fds=(told,),
                start_new_session=True,
                timeout=START_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise EngineUnavailable(
                f"The analytics engine could not be started with {sys.executable}: {exc}.",
                hint="Check that this Python still exists; reinstall mastra-admin-sdk if not.",
                evidence={"log_tail": self._read_log_tail()},
            ) from exc
        finally:
            os.close(descriptor)

    def _make_environment(self) -> dict[str, str]:
        package = Path(__file__).resolve().parents[5]
        return {
            "MASTRA_ADMIN_HOME": str(self._home.path),
            "PYTHONPATH": str(package),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(self._home.path),
            "TMPDIR": str(self._home.clickhouse / TEMPORARY),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }

    def _read_log_tail(self) -> list[str]:
        try:
            return self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        except OSError:
            return []


def _wait_for_word(ready: int) -> bool:
    """True when the engine says that it serves; False when it ended before, or takes too long."""
    readable, _, _ = select.select([ready], [], [], START_SECONDS)
    return bool(readable) and os.read(ready, 1) != b""


Life = tuple[int, str, int]
"""Pid, boot id and start ticks of a process."""


def _is_running(life: Life) -> bool:
    pid, boot, ticks = life
    return is_alive(pid, ticks, boot)


def _send(life: Life, number: signal.Signals) -> None:
    if not _is_running(life):
        return
    try:
        os.kill(life[0], number)
    except ProcessLookupError:
        logger.debug("The engine ended by itself.")


def _wait_until_gone(life: Life, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _is_running(life):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _read_memory(pid: int) -> int | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
