"""Supervision: what runs is compared with what should run, and mended.

One pass: servers that ended are recorded with how they ended and started again with growing pauses; servers that no
record wants are stopped; routes that differ are written again. After a reboot the same pass brings everything back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from mastra_admin_sdk.errors import Conflict, MastraAdminError, StaleState
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import (
    Deployment,
    DeploymentStatus,
    DesiredState,
    Process,
    ProcessStatus,
    utc_now,
)

from .leases import HeldLease
from .live import LaunchContext, PathToLive, identify, lock_name
from .parts import Parts
from .queue import BuildQueue

logger = logging.getLogger(__name__)

ROLE = "supervisor"
MAX_RESTARTS = 5
_WINDOW = timedelta(minutes=10)


class Supervisor:
    """Keeps servers and routes as the records want them."""

    def __init__(self, parts: Parts, path: PathToLive, queue: BuildQueue) -> None:
        self._parts, self._path, self._queue = parts, path, queue
        self._not_before: dict[str, float] = {}

    def run_once(self, role: HeldLease) -> None:
        """One pass over all deployments."""
        self._queue.recover()
        for deployment in self._parts.storage.deployments.list():
            role.check()
            if self._needs_work(deployment):
                self._mend(deployment)
        self._path.sync_router()

    def _needs_work(self, deployment: Deployment) -> bool:
        if self._queue.list_active(deployment.id):
            return False
        alive = self._path.list_alive(deployment.id)
        dead = [item for item in alive if not self._parts.runner.is_running(identify(item))]
        wanted = 1 if self._is_wanted(deployment) else 0
        return bool(dead) or len(alive) != wanted or any(item.status is not ProcessStatus.RUNNING for item in alive)

    def _is_wanted(self, deployment: Deployment) -> bool:
        return (
            deployment.desired_state is DesiredState.RUNNING
            and deployment.current_build_id is not None
            and deployment.status is not DeploymentStatus.FAILED
        )

    def _mend(self, deployment: Deployment) -> None:
        try:
            with self._parts.leases.hold(lock_name(deployment.id), timeout=0.5, what=deployment.slug):
                deployment = self._parts.storage.deployments.get(deployment.id)
                if not self._queue.list_active(deployment.id):
                    self._mend_locked(deployment)
        except Conflict:
            logger.debug("Deployment %s is being changed by somebody else", deployment.id)
        except MastraAdminError as exc:
            logger.warning("Deployment %s could not be mended: %s", deployment.slug, exc)

    def _mend_locked(self, deployment: Deployment) -> None:
        self._record_ends(deployment)
        serving = self._list_serving(deployment)
        unwanted = [item for item in self._path.list_alive(deployment.id) if item not in serving]
        if not self._is_wanted(deployment):
            self._path.close_routes(deployment.id)
            unwanted += serving
        self._path.retire(unwanted)
        if self._is_wanted(deployment) and not serving:
            self._bring_back(deployment)

    def _record_ends(self, deployment: Deployment) -> None:
        for process in self._path.list_alive(deployment.id):
            if not self._parts.runner.is_running(identify(process)):
                self._path.end(process)
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

    def _list_serving(self, deployment: Deployment) -> list[Process]:
        """The newest running server of the current build; one is enough."""
        running = [
            item
            for item in self._path.list_alive(deployment.id)
            if item.status is ProcessStatus.RUNNING and item.build_id == deployment.current_build_id
        ]
        return running[:1]

    def _bring_back(self, deployment: Deployment) -> None:
        recent = self._list_recent_ends(deployment)
        if len(recent) > MAX_RESTARTS:
            self._give_up(deployment, recent)
        elif time.monotonic() >= self._not_before.get(deployment.id, 0.0):
            self._not_before[deployment.id] = time.monotonic() + 2.0 ** len(recent)
            self._restart(deployment, restarts=len(recent))

    def _restart(self, deployment: Deployment, *, restarts: int) -> None:
        """Start the current artifact again, with the environment that its build ran with."""
        build = self._parts.storage.builds.get(deployment.current_build_id or "")
        kept = self._parts.storage.builds.get(build.artifact_build_id or build.id)
        project = self._parts.storage.projects.get(deployment.project_id)
        with LineLog(Path(build.log_path or self._parts.home.build_logs / f"{build.id}.log")) as log:
            log.write(f"Starting the server again ({restarts} ends before)", stream="info")
            artifact = self._parts.runner.load_artifact(kept.artifact)
            context = LaunchContext(project, deployment, build, artifact, log, _never_cancelled, lambda _: None)
            process = self._path.go_live(context)
        self._parts.storage.processes.update(process.id, restarts=restarts)
        self._parts.storage.deployments.transition(
            deployment.id, DeploymentStatus.RUNNING, expected=tuple(DeploymentStatus), status_reason=None
        )
        self._parts.record("restarted", "deployment", deployment.id, process=process.id, restarts=restarts)

    def _list_recent_ends(self, deployment: Deployment) -> Sequence[Process]:
        """Ends that nobody asked for, of the current build, within the window."""
        ended = self._parts.storage.processes.list(
            deployment.id, statuses=[ProcessStatus.EXITED], build_id=deployment.current_build_id
        )
        since = utc_now() - _WINDOW
        events = self._parts.storage.events.list(object_type="deployment", object_id=deployment.id)
        asked = {event.details.get("process") for event in events if event.action == "server_stopped"}
        return [item for item in ended if item.exited_at and item.exited_at > since and item.id not in asked]

    def _give_up(self, deployment: Deployment, recent: Sequence[Process]) -> None:
        reason = f"The server ended {len(recent)} times within {_WINDOW.seconds // 60} minutes: {recent[0].exit_reason}"
        with suppress(StaleState):
            self._path.close_routes(deployment.id)
            self._parts.storage.deployments.transition(
                deployment.id,
                DeploymentStatus.FAILED,
                expected=tuple(DeploymentStatus),
                status_reason=reason,
            )
            self._parts.record("gave_up", "deployment", deployment.id, reason=reason)


def _never_cancelled() -> None:
    """A restart by the supervisor has nobody who could cancel it; stopping the deployment waits for its lock."""
