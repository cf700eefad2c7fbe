"""How long each phase of a build takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from mastra_admin_sdk.ports.runner import LogSink


class PhaseClock:
    """Measures the phases of a build and keeps the record up to date while they run."""

    def __init__(self, save: Callable[[dict[str, float]], None], log: LogSink) -> None:
        self._save, self._log = save, log
        self.seconds: dict[str, float] = {}
        self._current: str | None = None
        self._since = time.monotonic()

    def enter(self, phase: str) -> None:
        """End the phase before and start another; the same one again goes on."""
        if phase != self._current:
            self.finish()
            self._current, self._since = phase, time.monotonic()
            self.seconds.setdefault(phase, 0.0)
            self._log.write(f"── {phase}", stream="info")
            self._save(dict(self.seconds))

    def finish(self) -> None:
        """End the phase that runs."""
        if self._current:
            self.seconds[self._current] = round(self.seconds[self._current] + time.monotonic() - self._since, 3)
            self._current = None
