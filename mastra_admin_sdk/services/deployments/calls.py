"""Deploying, and what follows from it, as methods of `MastraAdmin`."""

from __future__ import annotations

from typing import Any

from mastra_admin_sdk.models import Build, BuildTrigger, DeploymentType, IdempotencyKey, Schedule, Strategy, choose
from mastra_admin_sdk.services.builds.diffs import BuildDiff, compare_builds
from mastra_admin_sdk.services.builds.waiting import OnProgress
from mastra_admin_sdk.services.collections import DeploymentCollection
from mastra_admin_sdk.services.objects import LiveBuild, LiveDeployment, Services
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import BuildRef, DeploymentRef, ProjectRef, Resolver
from mastra_admin_sdk.services.triggers.schedules import ScheduleService

from .lifetimes import Ttl
from .previews import read_ttl
from .repeats import queue_once
from .service import DeploymentService


class DeploymentCalls:
    """From a project to what serves it: `deploy`, `promote`, `stop`, and when it is deployed again."""

    deployments: DeploymentCollection
    schedules: ScheduleService
    _parts: Parts
    _resolver: Resolver
    _deployment_service: DeploymentService
    _services: Services

    def deploy(
        self,
        project: ProjectRef,
        *,
        branch: str | None = None,
        ref: str | None = None,
        type: DeploymentType | str = DeploymentType.PRODUCTION,
        strategy: Strategy | str | None = None,
        replicas: int | None = None,
        ttl: Ttl | None = None,
        trigger: BuildTrigger | str = BuildTrigger.MANUAL,
        priority: int = 0,
        fresh: bool = False,
        wait: bool = True,
        timeout: float | None = None,
        on_progress: OnProgress | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Build a project and put it live: queue, copy, install, build, start, health check, route.

        Parameters:
            project: which one.
            branch: of a repository what is deployed, else a label for what lies in the folder; the project's default
                branch unless given.
            ref: a tag, commit or other branch of the repository to build this time; the branch unless given.
            type: ``production``, ``staging`` or ``preview``.
            strategy: ``swap`` or ``recreate``; as it was unless given.
            replicas: how many servers share its address; as it was unless given, at first 1.
            ttl: when a preview is removed, counted from its last deploy: hours, ``"90m"``, ``"3d"``, a timedelta, or
                ``"never"``; as it was unless given, at first the setting ``preview_hours``.
            trigger: what started it, for the record.
            priority: builds of a higher one are begun first.
            fresh: build from nothing: neither packages nor an artifact of an earlier build is used.
            wait: wait until it serves; progress is shown in a terminal or notebook.
            timeout: seconds to wait at most; the build goes on after that.
            on_progress: called with the build's record as it changes, instead of showing progress.
            idempotency_key: a name of the caller's for this very request: whoever asks again under it within 24 hours
                gets the same build, and queues no other.

        Returns:
            A `LiveDeployment`; with ``wait=False`` the queued `LiveBuild`, which ``build.wait()`` joins.

        Raises:
            BuildError, ServerError, RouterError: it didn't make it; what served before still does.
            Conflict: the idempotency key was used for another request.
        """
        found, kind = self._resolver.project(project), choose(DeploymentType, type)
        shape: dict[str, Any] = {
            "branch": branch or found.default_branch,
            "type": kind,
            "strategy": choose(Strategy, strategy) if strategy is not None else None,
            "replicas": replicas,
            "ttl_seconds": read_ttl(kind, ttl),
        }
        options: dict[str, Any] = {
            "trigger": choose(BuildTrigger, trigger),
            "priority": priority,
            "ref": ref,
            "fresh": fresh,
        }

        def queue(key: IdempotencyKey | None) -> Build:
            deployment = self._deployment_service.find_or_create(found, **shape)
            return self._deployment_service.deploy(deployment, key=key, **options)

        request = {"action": "deploy", "project": found.id, **shape, **options}
        build = LiveBuild(queue_once(self._parts, idempotency_key, request, queue), self._services)
        if not wait:
            return build
        build.wait(timeout, on_progress=on_progress)
        return build.deployment

    def promote(
        self,
        deployment: DeploymentRef,
        to: DeploymentRef | DeploymentType,
        *,
        wait: bool = True,
        on_progress: OnProgress | None = None,
    ) -> Any:
        """Start what a deployment serves on another one, without building it again.

        Parameters:
            deployment: what serves it, such as staging.
            to: another deployment of the same project, or a type such as ``"production"``: one of that type is created
                on the default branch if there is none.
            wait: wait until it serves.
            on_progress: called with the build's record as it changes, instead of showing progress.

        Returns:
            The `LiveDeployment` that it was promoted to; with ``wait=False`` the queued `LiveBuild`.

        Raises:
            InvalidInput: there is nothing to promote, or ``to`` is of another project.
        """
        build = self.deployments.get(deployment).promote(to, wait=wait, on_progress=on_progress)
        return build.deployment if wait else build

    def stop(self, deployment: DeploymentRef) -> LiveDeployment:
        """Drain and stop a deployment's servers, free its ports and routes."""
        return self.deployments.get(deployment).stop()

    def watch(self, deployment: DeploymentRef, enabled: bool = True) -> LiveDeployment:
        """Deploy a deployment again whenever its source changes, while some process does the background work.

        A folder is looked at every second and deployed once it has been quiet for ``watch_debounce`` seconds; a
        repository every ``git_poll_seconds``.
        """
        return self.deployments.get(deployment).set_watch(enabled)

    def schedule(self, deployment: DeploymentRef, cron: str, timezone: str = "UTC") -> Schedule:
        """Deploy a deployment again by the clock: the same as ``admin.schedules.create``.

        Example:
            >>> admin.schedule("weather-agent", cron="0 3 * * *", timezone="Europe/Berlin")
        """
        return self.schedules.create(deployment, cron=cron, timezone=timezone)

    def diff(self, before: BuildRef, after: BuildRef) -> BuildDiff:
        """Return what differs between two builds, of one deployment or two.

        Parameters:
            before, after: builds, their ids, or ``<deployment>#<number>``.

        Returns:
            A `BuildDiff`, which shows itself; its ``files``, ``packages``, ``env`` (never values), ``agents``,
            ``tools`` and ``workflows`` are DataFrames, ``missing`` says what can't be compared and why.

        Example:
            >>> admin.diff("weather-agent#1", "weather-agent#2").packages
        """
        return compare_builds(self._parts, self._resolver.build(before), self._resolver.build(after))
