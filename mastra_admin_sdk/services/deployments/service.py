"""Deployments: asking for what should run, stopping it, going back, deleting."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

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
    IdempotencyKey,
    Process,
    ProcessStatus,
    Project,
    SourceType,
    Strategy,
    utc_now,
)
from mastra_admin_sdk.services.builds.artifacts import find_rollback_target, hand_over, hold_artifacts
from mastra_admin_sdk.services.builds.manifests import remove_manifest
from mastra_admin_sdk.services.builds.queue import BuildQueue
from mastra_admin_sdk.services.environment.service import Environment
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.names import check_text
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import DeploymentRef, Resolver, name_deployment

from .addresses import make_deployment_slug
from .domains import Domains
from .lifetimes import find_expiry
from .live import PathToLive, lock_name
from .promotion import check_target, find_promoted_build, find_promotion_target
from .scaling import Scaling, check_servers

_CANCEL_TIMEOUT = 60.0
_LOCK_TIMEOUT = 60.0


class DeploymentService:
    """What can be done to deployments; `MastraAdmin` and the objects it hands out call it."""

    def __init__(self, parts: Parts, resolver: Resolver, path: PathToLive, queue: BuildQueue) -> None:
        self._parts, self._resolver, self._path, self._queue = parts, resolver, path, queue
        self.scaling = Scaling(parts, path)
        self.domains = Domains(parts, path.routes)

    # --- asking -------------------------------------------------------------------------------------------------------

    def find_or_create(
        self,
        project: Project,
        *,
        branch: str | None = None,
        type: DeploymentType = DeploymentType.PRODUCTION,
        strategy: Strategy | None = None,
        replicas: int | None = None,
        ttl_seconds: int | None = None,
    ) -> Deployment:
        """Return the project's deployment of that branch and type, creating it first if there is none.

        ``strategy``, ``replicas`` and ``ttl_seconds`` stay as they were where they are ``None``.
        """
        branch = check_text(branch or project.default_branch, "branch", 250)
        check_servers(strategy or Strategy.SWAP, 1 if replicas is None else replicas)
        found = self._find(project, branch, type) or self._create(project, branch, type)
        check_servers(strategy or found.strategy, found.replicas if replicas is None else replicas)
        return self._change(found, strategy=strategy, replicas=replicas, ttl_seconds=ttl_seconds)

    def deploy(self, deployment: Deployment, *, trigger: BuildTrigger = BuildTrigger.MANUAL, **options: Any) -> Build:
        """Queue a build of the source as it lies; ``options`` of `BuildQueue.enqueue`, such as ``priority``.

        Raises:
            InvalidInput: ``ref`` is given for a project that isn't in a repository.
        """
        if options.get("ref") is not None:
            options = {**options, "ref": self._check_ref(deployment, options["ref"])}
        self._prolong(deployment)
        return self._queue.enqueue(deployment, trigger=trigger, **options)

    def restart(self, deployment: Deployment, *, key: IdempotencyKey | None = None) -> Build:
        """Queue a new server of the current artifact, with the environment as it is set now."""
        if deployment.current_build_id is None:
            name = name_deployment(self._parts.storage, deployment)
            raise InvalidInput(f"{name} has no build that could be started.", hint="Deploy it first.")
        current = self._parts.storage.builds.get(deployment.current_build_id)
        self._prolong(deployment)
        return self._queue.enqueue(deployment, kind=BuildKind.RESTART, of=current, key=key)

    def rollback(self, deployment: Deployment, to: Build | None = None, *, key: IdempotencyKey | None = None) -> Build:
        """Queue going back to a kept artifact with the environment it ran with."""
        with hold_artifacts(self._parts):
            target = find_rollback_target(self._parts, deployment, to)
            self._prolong(deployment)
            return self._queue.enqueue(deployment, kind=BuildKind.ROLLBACK, of=target, key=key)

    def promote(
        self, source: Deployment, to: DeploymentRef | DeploymentType, *, key: IdempotencyKey | None = None
    ) -> Build:
        """Queue starting what one deployment serves on another of its project, with that one's own environment.

        Parameters:
            source: what serves it.
            to: the other one, or a type; one of that type is created on the default branch if there is none.
        """
        promoted = find_promoted_build(self._parts, source)
        target = find_promotion_target(self._parts, self._resolver, source, to)
        if isinstance(target, DeploymentType):
            project = self._parts.storage.projects.get(source.project_id)
            target = check_target(self._parts, source, self.find_or_create(project, type=target))
        with hold_artifacts(self._parts):
            promoted = find_promoted_build(self._parts, source)
            self._prolong(target)
            build = self._queue.enqueue(target, kind=BuildKind.PROMOTE, of=promoted, key=key)
        details = {"source": source.slug, "source_build": promoted.number, "build": build.number}
        self._parts.record("promote", "deployment", target.id, **details)
        return build

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

    def delete(self, deployment: Deployment, *, still: Callable[[], bool] = lambda: True) -> bool:
        """Stop a deployment and remove its records, artifacts, logs and data; telemetry stays.

        Artifacts that other deployments run stay, and are theirs from now on. ``still`` is asked, when all is stopped,
        whether it is to be removed still; returns whether it was.
        """
        self.stop(deployment)
        name = self._parts.names.find("deployment", deployment.id)
        # Under the lock, so that a build that was queued meanwhile can't start a server without a record. Files go
        # first: as long as there is a record, a delete that was interrupted can be repeated.
        with self._lock(deployment):
            if not still():
                return False
            self._stop_servers(deployment)
            with hold_artifacts(self._parts):
                kept = hand_over(self._parts, deployment)
            self._remove_files(deployment, kept)
            self._parts.storage.deployments.delete(deployment.id)
        self._parts.record("delete", "deployment", deployment.id, slug=deployment.slug, object=name)
        return True

    def _stop_servers(self, deployment: Deployment) -> Deployment:
        self._path.routes.close(deployment.id)
        self._path.retire(self._path.servers.list_alive(deployment.id))
        return self._parts.storage.deployments.transition(
            deployment.id, DeploymentStatus.STOPPED, expected=tuple(DeploymentStatus), status_reason=None
        )

    def _remove_files(self, deployment: Deployment, kept: Collection[str]) -> None:
        home = self._parts.home
        for build in self._parts.storage.builds.list(deployment.id):
            # An artifact that was handed to this deployment goes by the name of the build that made it.
            inherited = [Path(build.artifact["path"])] if build.artifact else []
            for folder in [home.workspaces / build.id, *home.artifacts.glob(f"{build.id}*"), *inherited]:
                if str(folder) not in kept:
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
        """Return the first of the processes that serve a deployment, as recorded, or ``None``."""
        return next(iter(self.list_serving(deployment_id)), None)

    def list_serving(self, deployment_id: str) -> Sequence[Process]:
        """Return the processes that serve a deployment, as recorded: a replica each, in their order."""
        running = self._parts.storage.processes.list(deployment_id, statuses=[ProcessStatus.RUNNING])
        targets = {target for route in self._parts.storage.routes.list(deployment_id) for target in route.targets}
        serving = [item for item in running if f"{item.host}:{item.port}" in targets]
        return sorted(serving, key=lambda item: item.replica)

    def is_served(self, deployment_id: str) -> bool:
        """True when a server of a deployment that became healthy exists at this moment."""
        return bool(self._path.servers.list_running(deployment_id))

    def last_process(self, deployment_id: str, replica: int | None = None) -> Process | None:
        """Return the newest process of a deployment, or of one of its replicas, ended or not."""
        known = self._parts.storage.processes.list(deployment_id)
        return next((item for item in known if replica in (None, item.replica)), None)

    def find_server(self, deployment_id: str, replica: int | None = None) -> Process | None:
        """Return the process that serves a deployment, or one of its replicas; its newest one when none serves."""
        serving = (item for item in self.list_serving(deployment_id) if replica in (None, item.replica))
        return next(serving, None) or self.last_process(deployment_id, replica)

    def list_urls(self, deployment: Deployment) -> Sequence[str]:
        """Return the addresses that a deployment answers on, its main one first, its own domains last."""
        project = self._parts.storage.projects.get(deployment.project_id)
        addresses = self._path.routes.list_addresses(project, deployment)
        return [self._parts.router.make_url(host, tls) for host, tls in addresses]

    def list_hosts(self, deployment: Deployment) -> Sequence[str]:
        """Return the hosts that a deployment answers on, its main one first."""
        return self._path.routes.list_hosts(self._parts.storage.projects.get(deployment.project_id), deployment)

    def _check_ref(self, deployment: Deployment, ref: str) -> str:
        project = self._parts.storage.projects.get(deployment.project_id)
        if project.source_type is not SourceType.GIT:
            raise InvalidInput(
                f"{project.slug} is built from a folder as it lies there: it can't be built at {ref!r}.",
                hint="Check it out there, or tie the project to its repository: admin.projects.relink(…, git=…).",
            )
        return check_text(ref, "branch, tag or commit", 250)

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _find(self, project: Project, branch: str, type: DeploymentType) -> Deployment | None:
        known = self._parts.storage.deployments.list(project.id)
        return next((item for item in known if (item.branch, item.type) == (branch, type)), None)

    def _create(self, project: Project, branch: str, type: DeploymentType) -> Deployment:
        taken = frozenset(item.slug for item in self._parts.storage.deployments.list(project.id))
        wanted = Deployment(project.id, branch, make_deployment_slug(branch, type, taken), type=type)
        try:
            created = self._parts.storage.deployments.create(wanted)
        except Conflict:
            # Another process created it, or another one of that slug, in this moment.
            found = self._find(project, branch, type)
            return found or self._create(project, branch, type)
        self._parts.record("create", "deployment", created.id, branch=branch, type=type.value)
        return created

    def _change(self, deployment: Deployment, **wanted: object) -> Deployment:
        """Change what is given and differs; ``None`` leaves it as it is."""
        given = {name: value for name, value in wanted.items() if value is not None}
        changes = {name: value for name, value in given.items() if value != getattr(deployment, name)}
        if not changes:
            return deployment
        changed = self._parts.storage.deployments.update(deployment.id, **changes)
        told = {name: str(value) for name, value in changes.items()}
        self._parts.record("change", "deployment", deployment.id, **told)
        return changed

    def _prolong(self, deployment: Deployment) -> None:
        """Move the time at which a preview expires: it is in use."""
        # As it is now: its time to live may have been changed since the caller read it.
        current = self._parts.storage.deployments.get(deployment.id)
        expires_at = find_expiry(current, utc_now(), self._parts.settings.preview_hours)
        if expires_at != current.expires_at:
            self._parts.storage.deployments.update(current.id, expires_at=expires_at)

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
                name = name_deployment(self._parts.storage, deployment)
                raise BuildError(
                    f"Build {numbers} of {name} didn't end within {timeout:.0f} s of its cancel.",
                    hint="Look at its log; end the process that runs it, and try again.",
                )
            time.sleep(0.1)
