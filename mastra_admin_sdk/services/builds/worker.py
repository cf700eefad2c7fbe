"""A build worker: a thread that claims builds and takes them to their end."""

from __future__ import annotations

import logging
import threading
import time

from mastra_admin_sdk.errors import BuildCancelled, Conflict, LeaseLost, MastraAdminError, NotFound
from mastra_admin_sdk.host import make_owner_id
from mastra_admin_sdk.models import Build, BuildStatus
from mastra_admin_sdk.services.actors import Origin, acting
from mastra_admin_sdk.services.parts import Parts

from .bell import Bell
from .pipeline import ACTIVE, Pipeline
from .queue import GIVEN_BACK, MOST_CLAIMS, BuildQueue

logger = logging.getLogger(__name__)

_HEARTBEAT = 1.0
_POLL = 0.25
_RECOVERY = 5.0


class BuildWorker:
    """Runs builds one after another in a thread of its own, and recovers those of workers that died.

    ``retire()`` lets the build that runs finish and takes no other; ``stop()`` gives it back to the queue, where
    another worker takes it from the start.
    """

    def __init__(self, parts: Parts, queue: BuildQueue, pipeline: Pipeline) -> None:
        self._parts, self._queue, self._pipeline = parts, queue, pipeline
        self._id = make_owner_id()
        self._stop = threading.Event()
        self._retired = threading.Event()
        self._thread: threading.Thread | None = None
        self._next_recovery = 0.0

    @property
    def is_running(self) -> bool:
        """True while the thread lives."""
        return bool(self._thread and self._thread.is_alive())

    def start(self) -> None:
        """Start the thread. Can be repeated."""
        if not self.is_running:
            self._stop.clear()
            self._retired.clear()
            self._thread = threading.Thread(target=self._loop, name="mastra-admin-worker", daemon=True)
            self._thread.start()

    def retire(self) -> None:
        """Take no further build; the thread ends after the one that runs."""
        self._retired.set()
        self._queue.bell.ring()

    def stop(self, timeout: float = 30.0) -> None:
        """End the thread, giving back what it works on."""
        self._retired.set()
        self._stop.set()
        self._queue.bell.ring()
        if self._thread:
            self._thread.join(timeout)

    @acting(origin=Origin.BACKGROUND)
    def _loop(self) -> None:
        bell = self._queue.bell
        while not self._retired.is_set():
            heard = bell.rings
            try:
                busy = self._step()
            except MastraAdminError as exc:
                logger.warning("The build worker goes on after: %s", exc)
                busy = False
            except Exception:
                # A worker that ends silently leaves the queue standing still: log it and go on.
                logger.exception("The build worker goes on after an unexpected error")
                busy = False
            if not busy and not self._retired.is_set():
                bell.wait(heard, _POLL)

    def _step(self) -> bool:
        if time.monotonic() >= self._next_recovery:
            self._next_recovery = time.monotonic() + _RECOVERY
            self._queue.recover()
        build = self._parts.storage.builds.claim(self._id, limit=int(self._parts.settings.build_concurrency))
        if build is None:
            return False
        self._run(build)
        return True

    def _run(self, build: Build) -> None:
        pulse = Pulse(self._parts, build, self._stop, self._queue.bell)
        try:
            self._pipeline.run(build, pulse.check)
        except NotFound as exc:
            logger.info("Build %s was deleted while it ran: %s", build.id, exc.message)
        except Conflict as exc:
            # Said aloud only where nobody asked for it: a worker that is stopped gives its build back on purpose.
            level = logging.INFO if self._stop.is_set() else logging.WARNING
            logger.log(level, "Build %s is given up by this worker: %s", build.id, exc.message)
            self._give_back(build)
        except Exception:
            # Whatever it was, a claimed build that nobody works on would block its deployment and the queue.
            logger.exception("Build %s is given up after an unexpected error", build.id)
            self._give_back(build, failed=True)
        finally:
            pulse.close()
            self._finish(build)

    def _finish(self, build: Build) -> None:
        """Tidy up after a build, which has ended or is somebody else's by now: nobody waits any more."""
        try:
            self._pipeline.finish(build)
        except MastraAdminError as exc:
            logger.warning("What build %s left could not be tidied up: %s", build.id, exc)

    def _give_back(self, build: Build, *, failed: bool = False) -> None:
        """Return a build to the queue, if it is still this worker's; one that failed again and again ends.

        A database that is full or away is waited for: while this process lives, nobody else takes the build soon.
        """
        failures = build.generation - int(build.stats.get(GIVEN_BACK, 0))
        to = BuildStatus.FAILED if failed and failures >= MOST_CLAIMS else BuildStatus.QUEUED
        changes: dict[str, object] = {}
        if to.is_final:
            changes["error_message"] = "It failed in MastraAdmin itself; see its log."
        while True:
            try:
                if not failed:
                    # So that nobody counts it as a worker that died; the rest of its figures as they are by now.
                    stats = self._parts.storage.builds.get(build.id).stats
                    changes["stats"] = {**stats, GIVEN_BACK: int(build.stats.get(GIVEN_BACK, 0)) + 1}
                self._parts.storage.builds.transition(
                    build.id, to, expected=ACTIVE, generation=build.generation, **changes
                )
                self._queue.supersede(build.deployment_id)
                return
            except (Conflict, NotFound):
                logger.info("Build %s had ended or was somebody else's before it could be given back", build.id)
                return
            except MastraAdminError as exc:
                logger.warning("Build %s could not be given back yet: %s", build.id, exc.message)
            if self._stop.wait(_HEARTBEAT):
                return


class Pulse:
    """Keeps a claim alive from a thread, and is the `CancelCheck` of the build's work."""

    def __init__(self, parts: Parts, build: Build, stopping: threading.Event, bell: Bell) -> None:
        self._parts, self._build, self._stopping, self._bell = parts, build, stopping, bell
        self._done = threading.Event()
        self._cancelled = threading.Event()
        self._lost = threading.Event()
        if build.cancel_requested:
            self._cancelled.set()
        self._thread = threading.Thread(target=self._beat, name="mastra-admin-pulse", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise `BuildCancelled` or `LeaseLost` when the work is to end."""
        if self._cancelled.is_set():
            raise BuildCancelled(f"Build #{self._build.number} was cancelled.")
        if self._lost.is_set() or self._stopping.is_set():
            raise LeaseLost(f"Build #{self._build.number} was given up by this worker.")

    def close(self) -> None:
        """End the thread, and wake whoever waits for the build or for its place."""
        self._done.set()
        self._bell.ring()
        self._thread.join(timeout=10)

    def _beat(self) -> None:
        heard = self._bell.rings
        while not self._done.is_set():
            # A cancel of this process rings, so that it is noticed at once.
            heard = self._bell.wait(heard, _HEARTBEAT)
            if self._done.is_set():
                return
            try:
                build = self._parts.storage.builds.heartbeat(self._build.id, generation=self._build.generation)
            except (LeaseLost, NotFound):  # taken over, or deleted
                self._lost.set()
                return
            except MastraAdminError as exc:
                # The next beat comes soon; only a claim that somebody else took ends the work.
                logger.warning("No heartbeat for build %s: %s", self._build.id, exc.message)
            else:
                if build.cancel_requested:
                    self._cancelled.set()
