"""The build queue: rows in the database that any process can add to, cancel, wait for, and recover."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from mastra_admin_sdk.errors import (
    BuildCancelled,
    BuildError,
    BuildSuperseded,
    Conflict,
    InvalidInput,
    MastraAdminError,
    NotFound,
    StaleState,
)
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.host import owner_is_gone
from mastra_admin_sdk.models import (
    Build,
    BuildKind,
    BuildStatus,
    BuildTrigger,
    Deployment,
    DeploymentStatus,
    DesiredState,
    IdempotencyKey,
    Process,
)
from mastra_admin_sdk.services.deployments.live import PathToLive, lock_name
from mastra_admin_sdk.services.parts import Parts

from .bell import Bell
from .failures import describe_error
from .pipeline import ACTIVE, REVIVED, Pipeline

logger = logging.getLogger(__name__)

MOST_CLAIMS = 3
"""How often a build is begun before it counts as what kills its workers."""

GIVEN_BACK = "given_back"
"""Name among a build's ``stats`` of how often a worker that was stopped gave it back to the queue."""

_SILENCE = 60.0
_HIGHEST_PRIORITY = 1_000_000


class BuildQueue:
    """Adds builds, cancels them, and brings back what a worker that died left behind.

    ``bell`` rings whenever there may be something to do for the workers of this process.
    """

    def __init__(self, parts: Parts, path: PathToLive, pipeline: Pipeline) -> None:
        self._parts, self._path, self._pipeline = parts, path, pipeline
        self._beats: dict[str, tuple[tuple[int, datetime | None], float]] = {}
        self._lock = threading.Lock()
        self.bell = Bell()

    def enqueue(
        self,
        deployment: Deployment,
        *,
        kind: BuildKind = BuildKind.DEPLOY,
        trigger: BuildTrigger = BuildTrigger.MANUAL,
        of: Build | None = None,
        priority: int = 0,
        fresh: bool = False,
        revive: bool = True,
        build_id: str | None = None,
        ref: str | None = None,
        key: IdempotencyKey | None = None,
    ) -> Build:
        """Queue a build; older deploys of the deployment that still wait are superseded by a deploy.

        Parameters:
            deployment: what it is for.
            kind, trigger: what it does and what started it.
            of: the build whose artifact a restart or rollback starts.
            priority: higher ones are begun first; a deployment's own builds keep their order.
            fresh: take nothing from the build cache.
            revive: whether a stopped deployment is meant to run again; what fires by itself leaves it stopped.
            build_id: an id of the caller's, so that what is asked for twice is queued once.
            ref: the branch, tag or commit to build of a repository; the deployment's branch unless given.
            key: what stands for the request; see `services.deployments.repeats.queue_once`.

        Raises:
            Conflict: there is a build of that id.
            StaleState: a request of that key came first.
            InvalidInput: the priority is no number of a sensible size; nothing was changed.
        """
        _check_priority(priority)
        build = Build(deployment.id, kind=kind, trigger=trigger, priority=priority, fresh=fresh)
        build = replace(build, ref=ref or deployment.branch)
        build = replace(build, id=build_id or build.id, actor=self._parts.acting.actor)
        build = replace(build, log_path=str(self._parts.home.build_logs / f"{build.id}.log"))
        if of is not None:
            build = replace(build, artifact_build_id=of.artifact_build_id or of.id, commit=of.commit, ref=of.ref)
        if of is not None and kind is BuildKind.ROLLBACK:
            build = replace(build, env_snapshot=of.env_snapshot, env_version=of.env_version)
        if kind is BuildKind.DEPLOY:
            # What it is about to supersede was asked for: neither its turn nor its fresh start is lost.
            for older in self._list_replaceable(deployment.id, build.ref):
                build = replace(build, priority=max(build.priority, older.priority), fresh=build.fresh or older.fresh)
        if self._is_reviving(deployment.id, revive):
            build = replace(build, stats={**build.stats, REVIVED: True})
        if revive:
            self._parts.storage.deployments.update(deployment.id, desired_state=DesiredState.RUNNING)
        build = self._parts.storage.builds.create(build, key=key)
        self._parts.record("queue", "build", build.id, number=build.number, kind=kind.value, trigger=trigger.value)
        self.supersede(deployment.id)
        self.bell.ring()
        return build

    def _is_reviving(self, deployment_id: str, revive: bool) -> bool:
        """True when only this build, and others that haven't ended, keep a deployment from being stopped."""
        deployment = self._parts.storage.deployments.get(deployment_id)
        if deployment.desired_state is DesiredState.STOPPED:
            return revive
        return any(item.stats.get(REVIVED) for item in self.list_active(deployment_id))

    def supersede(self, deployment_id: str) -> None:
        """End the deploys of a deployment that wait although a newer one waits too, which builds what they would.

        Each ends by compare-and-set: one that a worker claims in this moment is built.
        """
        waiting = self._list_replaceable(deployment_id)
        for ref in {build.ref for build in waiting}:
            *older, newest = (build for build in waiting if build.ref == ref)
            for build in older:
                with suppress(StaleState, NotFound):
                    self._supersede(build, newest)

    def _list_replaceable(self, deployment_id: str, ref: str | None = None) -> list[Build]:
        """Return the deploys, of one ref or any, that wait and may be superseded, oldest first."""
        if not self._parts.settings.build_supersede:
            return []
        waiting = self._parts.storage.builds.list(deployment_id, statuses=[BuildStatus.QUEUED])
        found = [item for item in waiting if item.kind is BuildKind.DEPLOY and ref in (None, item.ref)]
        return sorted(found, key=lambda item: item.number)

    def _supersede(self, build: Build, newer: Build) -> None:
        error = BuildSuperseded(
            f"Build #{newer.number} was queued after it and is built in its place.",
            hint=f"Wait for build #{newer.number}.",
            evidence={"superseded_by": newer.id, "number": newer.number},
        )
        self._parts.storage.builds.transition(
            build.id,
            BuildStatus.SUPERSEDED,
            expected=[BuildStatus.QUEUED],
            error_message=error.message,
            error=describe_error(error),
        )
        self._remove_unfinished(build)
        self._parts.record("superseded", "build", build.id, number=build.number, by=newer.number)

    def _remove_unfinished(self, build: Build) -> None:
        """Remove what a build left that was begun, given back to the queue, and ended there."""
        if not build.artifact:
            self._pipeline.remove_artifact(build)
        remove_tree(self._parts.home.workspaces / build.id)

    def cancel(self, build_id: str) -> Build:
        """Cancel a build, wherever it is; one that has ended stays as it is.

        A queued one ends at once, and so does one whose worker is dead. For one that runs its worker is told, which
        ends within about a second: wait for it.
        """
        while True:
            with suppress(StaleState):
                return self._cancel_queued(build_id)
            build = self._parts.storage.builds.get(build_id)
            if build.is_final:
                return build
            if not build.cancel_requested:
                self._parts.record("cancel", "build", build_id, number=build.number)
            build = self._parts.storage.builds.update(build_id, cancel_requested=True)
            self.bell.ring()
            # Its worker may have given it back in this moment; then nobody would look at the request.
            if build.status is BuildStatus.QUEUED:
                continue
            if owner_is_gone(build.worker_id or ""):
                self._recover(build)
            return self._parts.storage.builds.get(build_id)

    def _cancel_queued(self, build_id: str) -> Build:
        ended = self._parts.storage.builds.transition(
            build_id,
            BuildStatus.CANCELLED,
            expected=[BuildStatus.QUEUED],
            error_message="Cancelled while it was queued.",
        )
        self._remove_unfinished(ended)
        self._parts.record("cancelled", "build", build_id, number=ended.number)
        self.bell.ring()
        if not self.list_active(ended.deployment_id):
            self._undo_request(ended)
        return ended

    def _undo_request(self, build: Build) -> None:
        """Leave a deployment as it was before somebody queued what is cancelled now."""
        deployment = self._parts.storage.deployments.get(build.deployment_id)
        is_begun = deployment.status is DeploymentStatus.BUILDING  # by a worker that was stopped
        if build.stats.get(REVIVED) and (is_begun or deployment.status is DeploymentStatus.STOPPED):
            self._parts.storage.deployments.update(deployment.id, desired_state=DesiredState.STOPPED)
        if is_begun:
            self._pipeline.settle_deployment(deployment.id, f"Build #{build.number} was cancelled.")

    def list_active(self, deployment_id: str) -> Sequence[Build]:
        """Return the builds of a deployment that haven't ended."""
        return self._parts.storage.builds.list(deployment_id, statuses=(BuildStatus.QUEUED, *ACTIVE))

    # --- recovery -----------------------------------------------------------------------------------------------------

    def recover(self) -> int:
        """Find builds whose worker died, end or queue them again, and return how many there were.

        One process at a time does this; the others find nothing to do.
        """
        active = self._parts.storage.builds.list(statuses=ACTIVE)
        with self._lock:  # workers and the supervisor of this process look at once
            self._beats = {build.id: self._beats[build.id] for build in active if build.id in self._beats}
        orphaned = [build for build in active if self._is_orphaned(build)]
        if not orphaned:
            return 0
        role = self._parts.leases.try_acquire("recovery")
        if role is None:
            return 0
        try:
            return sum(self._recover(build) for build in orphaned)
        finally:
            self._parts.leases.release(role)

    def _is_orphaned(self, build: Build) -> bool:
        """True when a build's worker is gone, or its heart hasn't beaten for a minute in which this process was awake.

        Time is measured here, by a clock that stands still while the machine sleeps: neither sleep nor clocks of other
        hosts that differ make a worker look dead.
        """
        if owner_is_gone(build.worker_id or ""):
            return True
        beat = (build.generation, build.heartbeat_at)
        with self._lock:
            seen, since = self._beats.get(build.id, (None, 0.0))
            if seen != beat:
                self._beats[build.id] = (beat, time.monotonic())
                return False
        return time.monotonic() - since > _SILENCE

    def _recover(self, build: Build) -> bool:
        try:
            with self._parts.leases.hold(lock_name(build.deployment_id), timeout=5, what=f"build #{build.number}"):
                build = self._parts.storage.builds.get(build.id)
                if build.status not in ACTIVE or not self._is_orphaned(build):
                    return False
                self._parts.runner.end_build(build.id)
                remove_tree(self._parts.home.workspaces / build.id)
                self._end_or_requeue(build)
        except Conflict as exc:
            logger.info("Build %s is being looked after by another process: %s", build.id, exc.message)
            return False
        except (MastraAdminError, OSError) as exc:
            # One build that resists must not keep the others, nor supervision, from their turn.
            logger.warning("Build %s could not be recovered, and will be tried again: %s", build.id, exc)
            return False
        return True

    def _end_or_requeue(self, build: Build) -> None:
        serving = self._find_serving(build)
        if serving:
            self._finish(build, serving)
        else:
            self._take_back(build)
            if build.cancel_requested:
                self._fail(build, BuildCancelled("Cancelled after its worker had died."))
            elif (deaths := build.generation - int(build.stats.get(GIVEN_BACK, 0))) >= MOST_CLAIMS:
                message = f"Its worker died {deaths} times while it was {build.status}."
                self._fail(build, BuildError(message, hint="Look at the build's log and at free memory."))
            else:
                self._parts.storage.builds.transition(
                    build.id, BuildStatus.QUEUED, expected=ACTIVE, generation=build.generation
                )
                self.supersede(build.deployment_id)
        self.bell.ring()
        self._parts.record("recovered", "build", build.id, number=build.number, generation=build.generation)

    def _find_serving(self, build: Build) -> list[Process]:
        """Return the build's servers that run if a route leads to one of them already; else none."""
        routes = self._parts.storage.routes.list(build.deployment_id)
        targets = {target for route in routes for target in route.targets}
        running = [item for item in self._path.servers.list_running(build.deployment_id) if item.build_id == build.id]
        is_live = any(f"{item.host}:{item.port}" in targets for item in running)
        return sorted(running, key=lambda item: item.replica) if is_live else []

    def _finish(self, build: Build, serving: Sequence[Process]) -> None:
        """Do what was left to do after the switch, which may have been cut in the middle."""
        deployment = self._parts.storage.deployments.get(build.deployment_id)
        self._path.routes.lead_to(self._parts.storage.projects.get(deployment.project_id), deployment, serving)
        self._pipeline.record_live(build, serving[0])
        kept = {item.id for item in serving}
        self._path.retire(item for item in self._path.servers.list_alive(build.deployment_id) if item.id not in kept)
        self._pipeline.succeed(build)

    def _take_back(self, build: Build) -> None:
        """End what a build had started; if hosts were about to lead there, lead them back."""
        deployment = self._parts.storage.deployments.get(build.deployment_id)
        project = self._parts.storage.projects.get(deployment.project_id)
        others = [item for item in self._path.servers.list_running(build.deployment_id) if item.build_id != build.id]
        current = [item for item in others if item.build_id == deployment.current_build_id]
        old = sorted(current or others[:1], key=lambda item: item.replica)
        if not old:
            self._path.routes.close(deployment.id)
        elif not self._path.routes.leads_to(project, deployment, old):
            self._path.routes.lead_to(project, deployment, old)
        for process in self._path.servers.list_alive(build.deployment_id):
            if process.build_id == build.id:
                self._path.servers.end(process)

    def _fail(self, build: Build, error: BuildError) -> None:
        self._pipeline.fail(build, error, dict(build.phases))


def _check_priority(priority: int) -> None:
    is_whole = isinstance(priority, int) and not isinstance(priority, bool)
    if not is_whole or abs(priority) > _HIGHEST_PRIORITY:
        raise InvalidInput(
            f"A build can't have the priority {priority!r}.",
            hint=f"Give a whole number from -{_HIGHEST_PRIORITY} to {_HIGHEST_PRIORITY}; 0 is usual.",
        )
