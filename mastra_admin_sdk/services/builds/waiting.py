"""Waiting for builds: whoever waits also works, so that a deploy needs no other process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mastra_admin_sdk.models import Build, BuildStatus
from mastra_admin_sdk.services.parts import Parts

from .bell import Bell
from .failures import make_error as make_error  # the command line finds it here too
from .worker import BuildWorker

OnProgress = Callable[[Build], None]
"""Called with the record of a build each time it has changed, and with the final one."""

_POLL = 0.15


class BuildWaiter:
    """Waits for builds to end, with a worker in this process for as long as somebody waits."""

    def __init__(self, parts: Parts, make_worker: Callable[[], BuildWorker], bell: Bell | None = None) -> None:
        self._parts, self._make_worker, self._bell = parts, make_worker, bell or Bell()
        self._workers: list[BuildWorker] = []
        self._lock = threading.Lock()

    def wait(self, build_id: str, *, timeout: float | None = None, on_progress: OnProgress | None = None) -> Build:
        """Return the final record of a build that succeeded.

        Raises:
            BuildError: it failed, was cancelled (`BuildCancelled`), or a newer one took its place (`BuildSuperseded`);
                the error it ended with, with its evidence.
            TimeoutError: it hasn't ended after ``timeout`` seconds; it goes on.
        """
        worker = self._add_worker()
        try:
            build = self._wait(build_id, timeout, on_progress or _ignore)
        finally:
            worker.retire()
        if build.status is not BuildStatus.SUCCEEDED:
            raise make_error(build)
        return build

    def close(self) -> None:
        """Stop the workers, giving back what they work on."""
        with self._lock:
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.stop()

    def _add_worker(self) -> BuildWorker:
        worker = self._make_worker()
        with self._lock:  # several threads may wait at once
            worker.start()
            self._workers = [*(other for other in self._workers if other.is_running), worker]
        return worker

    def _wait(self, build_id: str, timeout: float | None, on_progress: OnProgress) -> Build:
        deadline = None if timeout is None else time.monotonic() + timeout
        shown: Build | None = None
        while True:
            heard = self._bell.rings
            build = self._parts.storage.builds.get(build_id)
            if shown is None or (build.status, build.phases) != (shown.status, shown.phases):
                on_progress(build)
                shown = build
            if build.is_final:
                return build
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"Build #{build.number} is still {build.status} after {timeout:.0f} s; it goes on.")
            self._bell.wait(heard, _POLL)


def _ignore(_: Build) -> None:
    """Nobody wants to hear of the progress."""
