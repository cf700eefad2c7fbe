"""Supervision: what runs is compared with what should run, and mended.

One pass: servers that ended are recorded with how they ended and started again with growing pauses; servers that no
record wants are stopped; routes that differ are written again. After a reboot the same pass brings everything back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from mastra_admin_sdk.errors import BuildError, Conflict, LeaseLost, MastraAdminError, StaleState
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import (
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DesiredState,
    Process,
    ProcessStatus,
    utc_now,
)
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.redaction import Redactor

from .leases import HeldLease
from .live import PathToLive, lock_name
from .parts import Parts
from .pipeline import Pipeline
from .queue import BuildQueue
from .secrets import open_env

logger = logging.getLogger(__name__)

ROLE = "supervisor"
MAX_RESTARTS = 5
_WINDOW = timedelta(minutes=10)
_LONGEST_PAUSE = 60.0


class Supervisor:
    """Keeps servers and routes as the records want them."""

    def __init__(self, parts: Parts, path: PathToLive, queue: BuildQueue, pipeline: Pipeline) -> None:
        self._parts, self._path, self._queue, self._pipeline = parts, path, queue, pipeline
        self._attempts: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def run_once(self, role: HeldLease, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """One pass over all deployments.

        Raises:
            LeaseLost: another process has the role by now, or this one is to stop.
        """

        def check() -> None:
            role.check()
            if stopping():
                raise LeaseLost(f"The {ROLE} of this process is to stop.")

        self._queue.recover()
        for deployment in self._parts.storage.deployments.list():
            check()
            self._look_after(deployment, check)
        self._path.routes.sync()

    def _look_after(self, deployment: Deployment, check: CancelCheck) -> None:
        try:
            if self._needs_work(deployment):
                self._mend(deployment, check)
        except LeaseLost:
            raise
        except Conflict:
            logger.debug("Deployment %s is being changed by somebody else", deployment.id)
        except (MastraAdminError, OSError) as exc:
            # One deployment that resists must not keep the others from their turn.
            logger.warning("Deployment %s could not be mended: %s", deployment.slug, exc)

    def _needs_work(self, deployment: Deployment) -> bool:
        if self._is_being_built(deployment):
            return False
        if not self._has_settled(deployment):
            return True
        alive = self._path.servers.list_alive(deployment.id)
        if not self._is_wanted(deployment):
            return bool(alive or self._parts.storage.routes.list(deployment.id))
        is_alone = len(alive) == 1 and alive == self._list_serving(deployment)
        return not (
            is_alone and deployment.status is DeploymentStatus.RUNNING and self._is_led_to(deployment, alive[0])
        )

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

    def _is_led_to(self, deployment: Deployment, process: Process) -> bool:
        project = self._parts.storage.projects.get(deployment.project_id)
        return self._path.routes.leads_to(project, deployment, [process])

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
        """See that one server of the current build runs, that the hosts lead to it, and that no other is left."""
        serving = self._list_serving(deployment)
        if serving and not self._is_led_to(deployment, serving[0]):
            project = self._parts.storage.projects.get(deployment.project_id)
            self._path.routes.lead_to(project, deployment, serving[:1])
        if serving and deployment.status is not DeploymentStatus.RUNNING:
            # Whoever started it died before the last word was written.
            self._record_running(deployment, serving[0])
        kept = {item.id for item in serving}
        self._path.retire(item for item in self._path.servers.list_alive(deployment.id) if item.id not in kept)
        if not serving:
            self._bring_back(deployment, check)

    def _settle(self, deployment: Deployment) -> Deployment:
        self._pipeline.settle_deployment(deployment.id, "Its last change was interrupted.")
        return self._parts.storage.deployments.get(deployment.id)

    def _list_serving(self, deployment: Deployment) -> list[Process]:
        """The newest running server of the current build; one is enough."""
        running = self._path.servers.list_running(deployment.id)
        return [item for item in running if item.build_id == deployment.current_build_id][:1]

    # --- ends ---------------------------------------------------------------------------------------------------------

    def _record_ends(self, deployment: Deployment) -> None:
        for process in self._path.servers.list_alive(deployment.id):
            if not self._path.servers.is_running(process):
                self._path.servers.end(process)
                self._note_end(deployment, self._parts.storage.processes.get(process.id))

    def _note_end(self, deployment: Deployment, process: Process) -> None:
        reason = f"The server ended: {process.exit_reason}"
        self._parts.record("server_ended", "deployment", deployment.id, process=process.id, reason=reason)
        if process.build_id == deployment.current_build_id:
            with suppress(StaleState):  # it was stopped, or failed before
                self._parts.storage.deployments.transition(
                    deployment.id,
                    DeploymentStatus.PENDING,
                    expected=[DeploymentStatus.RUNNING],
                    status_reason=reason,
                )

    # --- bringing back ------------------------------------------------------------------------------------------------

    def _bring_back(self, deployment: Deployment, check: CancelCheck) -> None:
        recent = self._list_recent_ends(deployment)
        if len(recent) > MAX_RESTARTS:
            minutes = _WINDOW.seconds // 60
            ended = f"The server ended {len(recent)} times within {minutes} minutes: {recent[0].exit_reason}"
            self._give_up(deployment, ended)
        elif time.monotonic() >= self._not_before.get(deployment.id, 0.0):
            self._try(deployment, check, restarts=len(recent))

    def _try(self, deployment: Deployment, check: CancelCheck, *, restarts: int) -> None:
        # What fails without a server that ended (no port, no router) is tried again too, ever more slowly.
        attempts = self._attempts[deployment.id] = self._attempts.get(deployment.id, 0) + 1
        self._not_before[deployment.id] = time.monotonic() + min(_LONGEST_PAUSE, 2.0 ** max(restarts, attempts - 1))
        try:
            self._restart(deployment, check, restarts=restarts)
        except BuildError as exc:
            self._give_up(deployment, f"The server can't be started again: {exc.message}")
        else:
            self._attempts.pop(deployment.id)

    def _restart(self, deployment: Deployment, check: CancelCheck, *, restarts: int) -> None:
        """Start the current artifact again, with the environment that its build ran with."""
        build = self._parts.storage.builds.get(deployment.current_build_id or "")
        path = Path(build.log_path or self._parts.home.build_logs / f"{build.id}.log")
        redactor = Redactor(open_env(self._parts.secrets, build.env_snapshot)[2])

        def record(process: Process) -> None:
            self._record_running(deployment, self._parts.storage.processes.update(process.id, restarts=restarts))

        with LineLog(path, redactor) as log:
            log.write(f"Starting the server again ({restarts} ends before)", stream="info")
            self._path.revive(deployment, log, check, record)

    def _record_running(self, deployment: Deployment, process: Process) -> None:
        self._parts.storage.deployments.transition(
            deployment.id, DeploymentStatus.RUNNING, expected=tuple(DeploymentStatus), status_reason=None
        )
        self._parts.record("restarted", "deployment", deployment.id, process=process.id, restarts=process.restarts)

    def _list_recent_ends(self, deployment: Deployment) -> Sequence[Process]:
        """Ends that nobody asked for, of the current build, within the window."""
        ended = self._parts.storage.processes.list(
            deployment.id, statuses=[ProcessStatus.EXITED], build_id=deployment.current_build_id
        )
        since = utc_now() - _WINDOW
        events = self._parts.storage.events.list(object_type="deployment", object_id=deployment.id)
        asked = {event.details.get("process") for event in events if event.action == "server_stopped"}
        return [item for item in ended if item.exited_at and item.exited_at > since and item.id not in asked]

    def _give_up(self, deployment: Deployment, reason: str) -> None:
        self._path.routes.close(deployment.id)
        self._parts.storage.deployments.transition(
            deployment.id, DeploymentStatus.FAILED, expected=tuple(DeploymentStatus), status_reason=reason
        )
        self._attempts.pop(deployment.id, None)
        self._parts.record("gave_up", "deployment", deployment.id, reason=reason)
