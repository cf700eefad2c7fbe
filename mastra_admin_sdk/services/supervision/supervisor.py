"""Supervision: what runs is compared with what should run, and mended.

A pass looks at all deployments and has each one that needs it mended, several at a time: servers that ended are
recorded with how they ended and started again with growing pauses; servers that don't answer are replaced; servers that
no record wants are stopped; routes that differ are written again. After a reboot the same pass brings everything back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from mastra_admin_sdk.errors import Conflict, LeaseLost, MastraAdminError, NotFound, StaleState
from mastra_admin_sdk.models import (
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DesiredState,
    Process,
    ProcessStatus,
)
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.services.builds.pipeline import Pipeline
from mastra_admin_sdk.services.builds.queue import BuildQueue
from mastra_admin_sdk.services.deployments.live import PathToLive, lock_name
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts

from .checkups import Checkups
from .crew import Crew, Work
from .revival import Revival
from .strays import end_strays

logger = logging.getLogger(__name__)

ROLE = "supervisor"
_THREADS = 8
_STRAY_SECONDS = 30.0


class Supervisor:
    """Keeps servers and routes as the records want them."""

    def __init__(self, parts: Parts, path: PathToLive, queue: BuildQueue, pipeline: Pipeline) -> None:
        self._parts, self._path, self._queue, self._pipeline = parts, path, queue, pipeline
        self._revival, self.checkups = Revival(parts, path), Checkups(parts)
        self._crew = Crew("supervisor", _THREADS)
        self._strays_at = 0.0

    # --- passes -------------------------------------------------------------------------------------------------------

    def run_once(self, role: HeldLease, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """One pass, with one piece of work after another in this thread.

        Raises:
            LeaseLost: another process has the role by now, or this one is to stop.
        """
        for _, work in self._list_work(self._make_check(role, stopping)):
            work()

    def begin(self, role: HeldLease, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """Begin a pass: what is slow in it is done in threads, so that one deployment doesn't delay the others.

        Raises:
            LeaseLost: as in `run_once`.
        """
        for key, work in self._list_work(self._make_check(role, stopping)):
            self._crew.submit(key, work)
        self.checkups.begin(self._parts.storage.processes.list(statuses=[ProcessStatus.RUNNING]))

    def stop(self, timeout: float = 10.0) -> None:
        """Wait until the threads have ended; ``stopping`` of the last pass tells them to.

        One that drains a server at that moment ends with this process; the next supervisor goes on with it.
        """
        self.checkups.stop(timeout)
        self._crew.stop(timeout)

    def _make_check(self, role: HeldLease, stopping: Callable[[], bool]) -> CancelCheck:
        def check() -> None:
            role.check()
            if stopping():
                raise LeaseLost(f"The {ROLE} of this process is to stop.")

        return check

    def _list_work(self, check: CancelCheck) -> Iterator[tuple[str, Work]]:
        """Yield what there is to do, each with the key under which it is done one at a time."""
        yield "builds", self._queue.recover
        if time.monotonic() >= self._strays_at:
            self._strays_at = time.monotonic() + _STRAY_SECONDS
            yield "strays", lambda: end_strays(self._parts, check)
        deployments = self._parts.storage.deployments.list()
        self._revival.restarts.forget(item.id for item in deployments)
        for deployment in deployments:
            check()
            if not self._crew.is_busy(deployment.id) and self._may_need_work(deployment):
                yield deployment.id, lambda item=deployment: self._look_after(item, check)  # type: ignore[misc]
        yield "routes", self._path.routes.sync

    def _look_after(self, deployment: Deployment, check: CancelCheck) -> None:
        try:
            check()
            self._mend(deployment, check)
        except LeaseLost:
            raise
        except Conflict:
            logger.debug("Deployment %s is being changed by somebody else", deployment.id)
        except (MastraAdminError, OSError) as exc:
            # One deployment that resists must not keep the others from their turn.
            logger.warning("Deployment %s could not be mended: %s", deployment.slug, exc)

    # --- what is to be done -------------------------------------------------------------------------------------------

    def _may_need_work(self, deployment: Deployment) -> bool:
        try:
            return self._needs_work(deployment)
        except NotFound:  # deleted in this moment
            return False

    def _needs_work(self, deployment: Deployment) -> bool:
        if self._is_being_built(deployment):
            return False
        if not self._has_settled(deployment):
            return True
        alive = self._path.servers.list_alive(deployment.id)
        if not self._is_wanted(deployment):
            return bool(alive or self._parts.storage.routes.list(deployment.id))
        serving = self._list_serving(deployment)
        status = DeploymentStatus.RUNNING if serving else DeploymentStatus.PENDING
        if len(alive) != len(serving) or deployment.status is not status:
            return True
        if serving and not self._is_led_to(deployment, serving):
            return True
        # What is missing and not due yet is left alone until then.
        return self._revival.is_due(deployment, serving)

    def _is_being_built(self, deployment: Deployment) -> bool:
        """True while a build decides what becomes of a deployment.

        What served when the build came is looked after meanwhile: a crash must not last as long as a build and all
        those before it in the queue. A build that is on its way to live is not disturbed.
        """
        active = self._queue.list_active(deployment.id)
        serves = deployment.current_build_id and deployment.status in (
            DeploymentStatus.RUNNING,
            DeploymentStatus.PENDING,
        )
        return bool(active) and (not serves or any(build.status is BuildStatus.DEPLOYING for build in active))

    def _has_settled(self, deployment: Deployment) -> bool:
        """False when whoever changed it died before the last word was written."""
        if deployment.desired_state is DesiredState.STOPPED:
            return deployment.status is DeploymentStatus.STOPPED
        return deployment.status is not DeploymentStatus.BUILDING

    def _is_wanted(self, deployment: Deployment) -> bool:
        return (
            deployment.desired_state is DesiredState.RUNNING
            and deployment.current_build_id is not None
            and deployment.status is not DeploymentStatus.FAILED
        )

    def _is_led_to(self, deployment: Deployment, serving: Sequence[Process]) -> bool:
        project = self._parts.storage.projects.get(deployment.project_id)
        return self._path.routes.leads_to(project, deployment, serving)

    def _list_serving(self, deployment: Deployment) -> list[Process]:
        """The fit servers of the current build, the newest of each replica, in their order."""
        newest: dict[int, Process] = {}
        for item in self._path.servers.list_running(deployment.id):
            is_ours = item.build_id == deployment.current_build_id and item.replica < deployment.replicas
            if is_ours and not self.checkups.explain_unfit(item):
                newest.setdefault(item.replica, item)
        return [newest[replica] for replica in sorted(newest)]

    # --- mending ------------------------------------------------------------------------------------------------------

    def _mend(self, deployment: Deployment, check: CancelCheck) -> None:
        with self._parts.leases.hold(lock_name(deployment.id), timeout=0.5, what=deployment.slug) as lock:

            def check_both() -> None:
                lock.check()
                check()

            deployment = self._parts.storage.deployments.get(deployment.id)
            if not self._is_being_built(deployment):
                self._mend_locked(deployment, check_both)

    def _mend_locked(self, deployment: Deployment, check: CancelCheck) -> None:
        self._record_ends(deployment)
        if deployment.status is DeploymentStatus.BUILDING:
            deployment = self._settle(deployment)
        if self._is_wanted(deployment):
            self._serve(deployment, check)
            return
        self._path.routes.close(deployment.id)
        self._path.retire(self._path.servers.list_alive(deployment.id))
        if not self._has_settled(deployment):
            self._settle(deployment)

    def _serve(self, deployment: Deployment, check: CancelCheck) -> None:
        """See that the servers of the current build run, that the hosts lead to them, and that no other is left."""
        serving = self._list_serving(deployment)
        if serving and not self._is_led_to(deployment, serving):
            # Before anything slow: what crashed or doesn't answer gets no requests while others can take them.
            project = self._parts.storage.projects.get(deployment.project_id)
            self._path.routes.lead_to(project, deployment, serving)
        if serving and deployment.status is not DeploymentStatus.RUNNING:
            # Whoever started it died before the last word was written.
            self._revival.record_running(deployment, len(serving))
        unfit = self._explain_unfit(deployment)
        kept = {item.id for item in serving} | unfit.keys()
        self._path.retire(item for item in self._path.servers.list_alive(deployment.id) if item.id not in kept)
        if len(serving) < deployment.replicas:
            self._revival.complete(deployment, serving, unfit, check)

    def _settle(self, deployment: Deployment) -> Deployment:
        self._pipeline.settle_deployment(deployment.id, "Its last change was interrupted.")
        return self._parts.storage.deployments.get(deployment.id)

    def _explain_unfit(self, deployment: Deployment) -> dict[str, str]:
        """Return why servers aren't fit to serve, by id: they stay until others take their place."""
        running = self._path.servers.list_running(deployment.id)
        ours = [item for item in running if item.build_id == deployment.current_build_id]
        return {item.id: reason for item in ours if (reason := self.checkups.explain_unfit(item))}

    # --- ends ---------------------------------------------------------------------------------------------------------

    def _record_ends(self, deployment: Deployment) -> None:
        for process in self._path.servers.list_alive(deployment.id):
            if not self._path.servers.is_running(process):
                self._note_end(deployment, self._path.servers.end(process))

    def _note_end(self, deployment: Deployment, process: Process) -> None:
        reason = f"The server ended: {process.exit_reason}"
        self._parts.record(
            "server_ended",
            "deployment",
            deployment.id,
            process=process.id,
            replica=process.replica,
            reason=reason,
            exit_code=process.exit_code,
            exit_signal=process.exit_signal,
            last_lines=process.stats.get("last_lines", []),
        )
        if process.build_id != deployment.current_build_id:
            return
        # While others of its kind serve, the deployment runs, with fewer servers.
        to = DeploymentStatus.RUNNING if self._list_serving(deployment) else DeploymentStatus.PENDING
        with suppress(StaleState):  # it was stopped, or failed before
            self._parts.storage.deployments.transition(
                deployment.id, to, expected=[DeploymentStatus.RUNNING], status_reason=reason
            )
