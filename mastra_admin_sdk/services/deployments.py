"""Deployments: asking for what should run, stopping it, going back, deleting."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from mastra_admin_sdk.errors import BuildError, Conflict, InvalidInput
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.models import (
    Build,
    BuildKind,
    BuildStatus,
    BuildTrigger,
    Deployment,
    DeploymentStatus,
    DeploymentType,
    DesiredState,
    Process,
    ProcessStatus,
    Project,
    Strategy,
)

from .addresses import make_deployment_slug
from .environment import Environment
from .leases import HeldLease
from .live import PathToLive, lock_name
from .manifests import remove_manifest
from .names import check_text
from .parts import Parts
from .queue import BuildQueue
from .references import Resolver

_CANCEL_TIMEOUT = 60.0
_LOCK_TIMEOUT = 60.0


class DeploymentService:
    """What can be done to deployments; `MastraAdmin` and the objects it hands out call it."""

    def __init__(self, parts: Parts, resolver: Resolver, path: PathToLive, queue: BuildQueue) -> None:
        self._parts, self._resolver, self._path, self._queue = parts, resolver, path, queue

    # --- asking -------------------------------------------------------------------------------------------------------

    def find_or_create(
        self,
        project: Project,
        *,
        branch: str | None = None,
        type: DeploymentType = DeploymentType.PRODUCTION,
        strategy: Strategy | None = None,
    ) -> Deployment:
        """Return the project's deployment of that branch and type, creating it first if there is none."""
        branch = check_text(branch or project.default_branch, "branch", 250)
        found = self._find(project, branch, type)
        return self._set_strategy(found, strategy) if found else self._create(project, branch, type, strategy)

    def deploy(self, deployment: Deployment, *, trigger: BuildTrigger = BuildTrigger.MANUAL) -> Build:
        """Queue a build of the source as it lies."""
        return self._queue.enqueue(deployment, trigger=trigger)

    def restart(self, deployment: Deployment) -> Build:
        """Queue a new server of the current artifact, with the environment as it is set now."""
        if deployment.current_build_id is None:
            raise InvalidInput(f"{deployment.slug} has no build that could be started.", hint="Deploy it first.")
        current = self._parts.storage.builds.get(deployment.current_build_id)
        return self._queue.enqueue(deployment, kind=BuildKind.RESTART, of=current)

    def rollback(self, deployment: Deployment, to: Build | None = None) -> Build:
        """Queue going back to a kept artifact with the environment it ran with."""
        target = self._queue.find_rollback_target(deployment, to)
        return self._queue.enqueue(deployment, kind=BuildKind.ROLLBACK, of=target)

    def set_env(
        self, deployment: Deployment, variables: Mapping[str, str | None], *, secret: bool = True
    ) -> Deployment:
        """Override variables of the project for one deployment; ``None`` removes an override."""
        return Environment(self._parts).change(deployment, variables, secret=secret)

    # --- ending -------------------------------------------------------------------------------------------------------

    def stop(self, deployment: Deployment) -> Deployment:
        """Cancel its builds, take its routes away, drain and stop its servers.

        Afterwards none of its processes, ports or routes is left; data and artifacts stay.
        """
        self._parts.storage.deployments.update(deployment.id, desired_state=DesiredState.STOPPED)
        self._cancel_builds(deployment)
        with self._lock(deployment):
            stopped = self._stop_servers(deployment)
        self._parts.record("stop", "deployment", deployment.id)
        return stopped

    def delete(self, deployment: Deployment) -> None:
        """Stop a deployment and remove its records, artifacts, logs and data; telemetry stays."""
        self.stop(deployment)
        # Under the lock, so that a build that was queued meanwhile can't start a server without a record. Files go
        # first: as long as there is a record, a delete that was interrupted can be repeated.
        with self._lock(deployment):
            self._stop_servers(deployment)
            self._remove_files(deployment)
            self._parts.storage.deployments.delete(deployment.id)
        self._parts.record("delete", "deployment", deployment.id, slug=deployment.slug)

    def _stop_servers(self, deployment: Deployment) -> Deployment:
        self._path.routes.close(deployment.id)
        self._path.retire(self._path.servers.list_alive(deployment.id))
        return self._parts.storage.deployments.transition(
            deployment.id, DeploymentStatus.STOPPED, expected=tuple(DeploymentStatus), status_reason=None
        )

    def _remove_files(self, deployment: Deployment) -> None:
        home = self._parts.home
        for build in self._parts.storage.builds.list(deployment.id):
            for folder in [home.workspaces / build.id, *home.artifacts.glob(f"{build.id}*")]:
                remove_tree(folder)
            (home.build_logs / f"{build.id}.log").unlink(missing_ok=True)
            remove_manifest(home, build.id)
        for process in self._parts.storage.processes.list(deployment.id):
            for part in home.server_logs.glob(f"{process.id}.log*"):
                part.unlink(missing_ok=True)
        remove_tree(home.data / deployment.id)

    def _lock(self, deployment: Deployment) -> AbstractContextManager[HeldLease]:
        # Whoever has it may be waiting for a server's health, and then for the requests of the one before.
        settings = self._parts.settings
        timeout = _LOCK_TIMEOUT + float(settings.health_timeout) + float(settings.drain_timeout)
        return self._parts.leases.hold(lock_name(deployment.id), timeout=timeout, what=deployment.slug)

    # --- looking ------------------------------------------------------------------------------------------------------

    def serving_process(self, deployment_id: str) -> Process | None:
        """Return the process that serves a deployment, as recorded, or ``None``."""
        running = self._parts.storage.processes.list(deployment_id, statuses=[ProcessStatus.RUNNING])
        targets = {(route.target_host, route.target_port) for route in self._parts.storage.routes.list(deployment_id)}
        return next((item for item in running if (item.host, item.port) in targets), None)

    def last_process(self, deployment_id: str) -> Process | None:
        """Return the newest process of a deployment, ended or not."""
        return next(iter(self._parts.storage.processes.list(deployment_id)), None)

    def list_hosts(self, deployment: Deployment) -> Sequence[str]:
        """Return the hosts that a deployment answers on, its main one first."""
        return self._path.routes.list_hosts(self._parts.storage.projects.get(deployment.project_id), deployment)

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _find(self, project: Project, branch: str, type: DeploymentType) -> Deployment | None:
        known = self._parts.storage.deployments.list(project.id)
        return next((item for item in known if (item.branch, item.type) == (branch, type)), None)

    def _create(self, project: Project, branch: str, type: DeploymentType, strategy: Strategy | None) -> Deployment:
        taken = frozenset(item.slug for item in self._parts.storage.deployments.list(project.id))
        slug = make_deployment_slug(branch, type, taken)
        wanted = Deployment(project.id, branch, slug, type=type, strategy=strategy or Strategy.SWAP)
        try:
            created = self._parts.storage.deployments.create(wanted)
        except Conflict:
            # Another process created it, or another one of that slug, in this moment.
            found = self._find(project, branch, type)
            return found or self._create(project, branch, type, strategy)
        self._parts.record("create", "deployment", created.id, branch=branch, type=type.value)
        return created

    def _set_strategy(self, deployment: Deployment, strategy: Strategy | None) -> Deployment:
        if strategy is None or strategy is deployment.strategy:
            return deployment
        return self._parts.storage.deployments.update(deployment.id, strategy=strategy)

    def _cancel_builds(self, deployment: Deployment) -> None:
        """Cancel what is queued or runs, and wait for its end; one that went live meanwhile drains its predecessor."""
        timeout = _CANCEL_TIMEOUT + float(self._parts.settings.drain_timeout)
        deadline = time.monotonic() + timeout
        while active := self._queue.list_active(deployment.id):
            for build in active:
                if build.status is BuildStatus.QUEUED or not build.cancel_requested:
                    self._queue.cancel(build.id)
            self._queue.recover()
            if time.monotonic() > deadline:
                numbers = ", ".join(f"#{build.number}" for build in active)
                raise BuildError(
                    f"Build {numbers} of {deployment.slug} didn't end within {timeout:.0f} s of its cancel.",
                    hint="Look at its log; end the process that runs it, and try again.",
                )
            time.sleep(0.1)
