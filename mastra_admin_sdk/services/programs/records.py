"""Processes of our own that go on after a command: who they are is kept in ``run/<name>.json``.

A record names a process by pid, start ticks and boot, so that a pid that was given out again is never taken for ours.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import HomeError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.host import boot_id, is_alive, start_ticks
from mastra_admin_sdk.models import utc_now

_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process on record. ``facts`` are what else is to be known of it, such as its port."""

    pid: int
    start_ticks: int
    boot_id: str
    started_at: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        """True while exactly this process is there."""
        return is_alive(self.pid, self.start_ticks, self.boot_id)

    @property
    def age(self) -> float:
        """Seconds since it started."""
        return (utc_now() - datetime.fromisoformat(self.started_at)).total_seconds()


def write_record(home: Home, name: str, pid: int, **facts: Any) -> Recorded:
    """Record a process that runs.

    Raises:
        HomeError: it has ended already, or the record can't be written.
    """
    ticks = start_ticks(pid)
    if ticks is None:
        raise HomeError(f"Process {pid} ({name}) ended before it could be recorded.")
    record = Recorded(pid, ticks, boot_id(), utc_now().isoformat(), facts)
    path = _path(home, name)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    fields = {"pid": pid, "start_ticks": ticks, "boot_id": record.boot_id, "started_at": record.started_at}
    try:
        temporary.write_text(json.dumps({**fields, "facts": facts}, indent=2) + "\n", encoding="utf-8")
        temporary.chmod(0o600)
        temporary.replace(path)
    except OSError as exc:
        raise HomeError(f"The record {path} can't be written: {exc}.", hint="Check the disk and the mode.") from exc
    return record


def read_record(home: Home, name: str) -> Recorded | None:
    """Return what is on record, running or not; a record that can't be read counts as none."""
    try:
        found = json.loads(_path(home, name).read_text(encoding="utf-8"))
        return Recorded(
            int(found["pid"]),
            int(found["start_ticks"]),
            str(found["boot_id"]),
            str(found["started_at"]),
            found["facts"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_running(home: Home, name: str) -> Recorded | None:
    """Return the process on record if it runs."""
    found = read_record(home, name)
    return found if found and found.is_running else None


def remove_record(home: Home, name: str) -> None:
    """Forget a process."""
    _path(home, name).unlink(missing_ok=True)


def end_recorded(home: Home, name: str, *, grace: float) -> Recorded | None:
    """End the process on record: SIGTERM, up to ``grace`` seconds, then SIGKILL; return it if it was running."""
    found = find_running(home, name)
    if found:
        _signal(found, signal.SIGTERM)
        if not _wait_until_gone(found, grace):
            _signal(found, signal.SIGKILL)
            _wait_until_gone(found, 10.0)
    if found is None or not found.is_running:
        remove_record(home, name)
    return found


def _signal(record: Recorded, number: signal.Signals) -> None:
    # A pidfd stays with its process: between the look and the signal the pid can't become somebody else's.
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return
    try:
        if record.is_running:
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


def _wait_until_gone(record: Recorded, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while record.is_running:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


def _path(home: Home, name: str) -> Path:
    return home.run / f"{name}.json"
