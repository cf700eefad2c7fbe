"""Health checks of servers that run, and the figures of each on its record.

A server is unfit when it missed several checks in a row; one answer makes it fit again. What it missed while the
machine slept, or just after, says nothing about it and doesn't count.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Process, ProcessStatus, utc_now
from mastra_admin_sdk.services.deployments.servers import identify
from mastra_admin_sdk.services.parts import Parts

from .crew import Crew

logger = logging.getLogger(__name__)

_THREADS = 4
_FIRST_SECONDS = 2.0
_SETTLING = 30.0
_NOTICEABLE_SLEEP = 1.0
_LONGEST_SILENCE = 15.0
_WRITE_SECONDS = 10.0
_WRITE_UNCHANGED_SECONDS = 60.0
_NOTICEABLE_CHANGE = 0.05


def read_clock_with_sleep() -> float:
    """Return seconds on a clock that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()


class Wakefulness:
    """Tells whether this machine, or this process alone, was stopped until a moment ago.

    Parameters:
        awake: a clock that stands still while the machine sleeps.
        total: one that goes on.
    """

    def __init__(
        self, awake: Callable[[], float] = time.monotonic, total: Callable[[], float] = read_clock_with_sleep
    ) -> None:
        self._awake, self._total = awake, total
        self._slept = total() - awake()
        self._looked_at = awake()
        self._woke_at: float | None = None

    def look(self) -> None:
        """Look at the clocks; called in every pass."""
        now, slept = self._awake(), self._total() - self._awake()
        # A process that was stopped, or whose machine was, hasn't looked for long.
        if slept - self._slept > _NOTICEABLE_SLEEP or now - self._looked_at > _LONGEST_SILENCE:
            self._woke_at = now
        self._slept, self._looked_at = slept, now

    @property
    def has_just_woken(self) -> bool:
        """True for a while after it went on."""
        return self._woke_at is not None and self._awake() - self._woke_at < _SETTLING


@dataclass
class _Watch:
    """What is known of one server."""

    due_at: float
    missed: int = 0
    written_at: float = 0.0
    written: Mapping[str, Any] = field(default_factory=dict)


class Checkups:
    """Looks at each running server every ``health_interval`` seconds, a few at a time."""

    def __init__(
        self,
        parts: Parts,
        wakefulness: Wakefulness | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts, self._clock = parts, clock
        self._crew = Crew("health", _THREADS)
        self._watches: dict[str, _Watch] = {}
        self._wakefulness = wakefulness or Wakefulness()

    def begin(self, processes: Iterable[Process]) -> None:
        """Have those looked at whose turn it is; forget the servers that aren't among them."""
        self._wakefulness.look()
        running = {process.id: process for process in processes}
        now = self._clock()
        interval = float(self._parts.settings.health_interval)
        known = self._watches
        self._watches = {each: known.get(each) or _Watch(now + min(_FIRST_SECONDS, interval)) for each in running}
        for each, watch in self._watches.items():
            if now >= watch.due_at:
                watch.due_at = now + interval
                self._crew.submit(each, lambda process=running[each]: self.check(process))  # type: ignore[misc]

    def check(self, process: Process) -> bool:
        """Ask one server for its health and measure it; return whether it answered."""
        watch = self._watches.setdefault(process.id, _Watch(0.0))
        identity = identify(process)
        healthy = self._parts.runner.is_healthy(identity)
        if healthy or self._wakefulness.has_just_woken:
            watch.missed = 0
        elif self._parts.runner.is_running(identity):
            self._note_miss(process, watch)
        self._save(process, watch, healthy)
        return healthy

    def explain_unfit(self, process: Process) -> str | None:
        """Return why a server isn't fit to serve, or ``None`` when it is, as far as is known."""
        watch = self._watches.get(process.id)
        if watch is None or watch.missed < self._limit:
            return None
        return f"The server didn't answer {watch.missed} health checks in a row, and was replaced."

    def stop(self, timeout: float = 10.0) -> None:
        """End the threads."""
        self._crew.stop(timeout)

    @property
    def _limit(self) -> int:
        return int(self._parts.settings.health_failures)

    def _note_miss(self, process: Process, watch: _Watch) -> None:
        watch.missed += 1
        logger.info("The server on port %s missed %d health checks in a row", process.port, watch.missed)
        if watch.missed == self._limit:
            self._parts.record(
                "server_unhealthy", "deployment", process.deployment_id, process=process.id, missed=watch.missed
            )

    # --- figures ------------------------------------------------------------------------------------------------------

    def _save(self, process: Process, watch: _Watch, healthy: bool) -> None:
        """Write what was found to the record, but not each time: the database has more to do."""
        usage = self._parts.runner.measure(identify(process))
        figures: dict[str, Any] = {"healthy": healthy, "missed": watch.missed}
        if usage:
            figures |= {
                "memory_bytes": usage.memory_bytes,
                "open_files": usage.open_files,
                "processes": usage.processes,
                "threads": usage.threads,
                "cpu_seconds": round(usage.cpu_seconds, 2),
            }
        age = self._clock() - watch.written_at
        pause = _WRITE_SECONDS if _is_news(watch.written, figures) else _WRITE_UNCHANGED_SECONDS
        if watch.written and watch.written.get("healthy") == healthy and age < pause:
            return
        now = utc_now().isoformat()
        self._write(process, {**figures, "last_health_at": now, **({"measured_at": now} if usage else {})})
        watch.written_at, watch.written = self._clock(), figures

    def _write(self, process: Process, figures: Mapping[str, Any]) -> None:
        try:
            found = self._parts.storage.processes.get(process.id)
            if found.status is ProcessStatus.RUNNING:
                self._parts.storage.processes.update(process.id, stats={**found.stats, **figures})
        except NotFound:
            logger.debug("The server on port %s was deleted while it was looked at", process.port)


def _is_news(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """True when a figure other than the time on the CPU, which always grows, has changed noticeably."""
    return any(
        abs(now.get(name, 0) - before.get(name, 0)) > _NOTICEABLE_CHANGE * max(1, before.get(name, 0))
        for name in ("missed", "memory_bytes", "open_files", "processes", "threads")
    )
