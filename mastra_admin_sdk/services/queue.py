"""The build queue: rows in the database that any process can add to, cancel, wait for, and recover."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from mastra_admin_sdk.errors import Conflict, InvalidInput, LeaseLost
from mastra_admin_sdk.host import owner_is_gone
from mastra_admin_sdk.models import (
    Build,
    BuildKind,
    BuildStatus,
    BuildTrigger,
    Deployment,
    DesiredState,
    Process,
    ProcessStatus,
    utc_now,
)

from .folders import remove_tree
from .live import PathToLive, identify, lock_name
from .parts import Parts
from .pipeline import ACTIVE, Pipeline

logger = logging.getLogger(__name__)

_REMOTE_WORKER_SILENCE = timedelta(seconds=60)
_MOST_CLAIMS = 3


class BuildQueue:
    """Adds builds, cancels them, and brings back what a worker that died left behind."""

    def __init__(self, parts: Parts, path: PathToLive, pipeline: Pipeline) -> None:
        self._parts, self._path, self._pipeline = parts, path, pipeline

    def enqueue(
        self,
        deployment: Deployment,
        *,
        kind: BuildKind = BuildKind.DEPLOY,
        trigger: BuildTrigger = BuildTrigger.MANUAL,
        of: Build | None = None,
        priority: int = 0,
    ) -> Build:
        """Queue a build. ``of`` is the build whose artifact a restart or rollback starts."""
        build = Build(deployment.id, kind=kind, trigger=trigger, priority=priority)
        build = replace(build, log_path=str(self._parts.home.build_logs / f"{build.id}.log"))
        if of is not None:
            build = replace(build, artifact_build_id=of.artifact_build_id or of.id, commit=of.commit)
        if of is not None and kind is BuildKind.ROLLBACK:
            build = replace(build, env_snapshot=of.env_snapshot, env_version=of.env_version)
        self._parts.storage.deployments.update(deployment.id, desired_state=DesiredState.RUNNING)
        build = self._parts.storage.builds.create(build)
        self._parts.record("queue", "build", build.id, number=build.number, kind=kind.value, trigger=trigger.value)
        return build

    def cancel(self, build_id: str) -> Build:
        """Cancel a build, wherever it is; one that has ended stays as it is.

        A queued one ends at once. For one that runs its worker is told, which ends within about a second: wait for it.
        """
        with suppress(Conflict):
            ended = self._parts.storage.builds.transition(
                build_id,
                BuildStatus.CANCELLED,
                expected=[BuildStatus.QUEUED],
                error_message="Cancelled while it was queued.",
            )
            self._pipeline.settle_deployment(ended.deployment_id, f"Build #{ended.number} was cancelled.")
            self._parts.record("cancelled", "build", build_id, number=ended.number)
            return ended
        build = self._parts.storage.builds.get(build_id)
        return build if build.is_final else self._parts.storage.builds.update(build_id, cancel_requested=True)

    def list_active(self, deployment_id: str) -> Sequence[Build]:
        """Return the builds of a deployment that haven't ended."""
        return self._parts.storage.builds.list(deployment_id, statuses=(BuildStatus.QUEUED, *ACTIVE))

    def find_rollback_target(self, deployment: Deployment, to: Build | None) -> Build:
        """Return the build to go back to: the one named, else the one that served before the current."""
        if to is None:
            if deployment.previous_build_id is None:
                raise InvalidInput(
                    f"{deployment.slug} has no earlier build to go back to.", hint="Deploy first, or name a build."
                )
            to = self._parts.storage.builds.get(deployment.previous_build_id)
        if to.deployment_id != deployment.id:
            raise InvalidInput(f"Build #{to.number} belongs to another deployment.")
        if to.status is not BuildStatus.SUCCEEDED:
            raise InvalidInput(
                f"Build #{to.number} is {to.status}: only a build that served can be gone back to.",
                hint="Choose one that succeeded.",
            )
        return to

    # --- recovery -----------------------------------------------------------------------------------------------------

    def recover(self) -> int:
        """Find builds whose worker died, end or queue them again, and return how many there were.

        One process at a time does this; the others find nothing to do.
        """
        orphaned = [build for build in self._parts.storage.builds.list(statuses=ACTIVE) if _is_orphaned(build)]
        if not orphaned:
            return 0
        role = self._parts.leases.try_acquire("recovery")
        if role is None:
            return 0
        try:
            return sum(self._recover(build) for build in orphaned)
        finally:
            self._parts.leases.release(role)

    def _recover(self, build: Build) -> bool:
        try:
            with self._parts.leases.hold(lock_name(build.deployment_id), timeout=5, what=f"build #{build.number}"):
                build = self._parts.storage.builds.get(build.id)
                if build.status not in ACTIVE or not _is_orphaned(build):
                    return False
                self._parts.runner.end_build(build.id)
                remove_tree(self._parts.home.workspaces / build.id)
                return self._end_or_requeue(build)
        except (Conflict, LeaseLost) as exc:
            logger.info("Build %s is being looked after by another process: %s", build.id, exc.message)
            return False

    def _end_or_requeue(self, build: Build) -> bool:
        serving = self._find_serving(build)
        if serving and not build.cancel_requested:
            others = [item for item in self._path.list_alive(build.deployment_id) if item.id != serving.id]
            self._path.retire(others)
            self._pipeline.finish(build, serving)
            return True
        for process in self._parts.storage.processes.list(build.deployment_id, build_id=build.id):
            if process.status.is_alive:
                self._path.end(process)
        if build.cancel_requested or build.generation >= _MOST_CLAIMS:
            self._end(build)
        else:
            self._parts.storage.builds.transition(
                build.id, BuildStatus.QUEUED, expected=ACTIVE, generation=build.generation
            )
        self._parts.record("recovered", "build", build.id, number=build.number, generation=build.generation)
        return True

    def _end(self, build: Build) -> None:
        to = BuildStatus.CANCELLED if build.cancel_requested else BuildStatus.FAILED
        message = (
            "Cancelled after its worker had died."
            if build.cancel_requested
            else f"Its worker died {build.generation} times while it was {build.status}."
        )
        self._parts.storage.builds.transition(
            build.id, to, expected=ACTIVE, generation=build.generation, error_message=message
        )
        self._pipeline.settle_deployment(build.deployment_id, f"Build #{build.number}: {message}")

    def _find_serving(self, build: Build) -> Process | None:
        """Return the build's server if the routes lead to it already and it runs."""
        targets = {
            (route.target_host, route.target_port) for route in self._parts.storage.routes.list(build.deployment_id)
        }
        for process in self._parts.storage.processes.list(build.deployment_id, statuses=[ProcessStatus.RUNNING]):
            if process.build_id == build.id and (process.host, process.port) in targets:
                return process if self._parts.runner.is_running(identify(process)) else None
        return None


def _is_orphaned(build: Build) -> bool:
    gone = owner_is_gone(build.worker_id or "")
    if gone is None:
        return build.heartbeat_at is None or utc_now() - build.heartbeat_at > _REMOTE_WORKER_SILENCE
    return gone
