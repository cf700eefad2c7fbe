"""Deployments, as `MastraAdmin` hands them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.display.cards import render_deployment
from mastra_admin_sdk.models import (
    Build,
    DeploymentType,
    IdempotencyKey,
    Process,
)
from mastra_admin_sdk.services.builds.artifacts import list_kept
from mastra_admin_sdk.services.builds.waiting import OnProgress
from mastra_admin_sdk.services.deployments.repeats import queue_once
from mastra_admin_sdk.services.deployments.studio import find_studio_url
from mastra_admin_sdk.services.history.records import expect_seconds
from mastra_admin_sdk.services.references import BuildRef, DeploymentRef

from .builds import LiveBuild
from .configuration import Configurable
from .traffic import Reachable


class LiveDeployment(Configurable, Reachable):
    """A deployment: its address, its server, and what one can do with them."""

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def branch(self) -> str:
        """The branch it stands for."""
        return self.record.branch

    @property
    def url(self) -> str | None:
        """Its address, which browsers and curl reach without set-up; ``None`` before the first build succeeded."""
        return self.record.public_url

    @property
    def urls(self) -> Sequence[str]:
        """All addresses it answers on, the main one first, its own domains last."""
        return self._services.deployments.list_urls(self.record)

    @property
    def studio_url(self) -> str | None:
        """The address of the app's own Mastra Studio; ``None`` when it was built without (`mastra build --studio`)."""
        return find_studio_url(self._services.parts, self.record, self.process)

    @property
    def local_url(self) -> str | None:
        """The address of the server itself, ``http://127.0.0.1:<port>``; ``None`` while none serves."""
        process = self.process
        return f"http://{process.host}:{process.port}" if process else None

    @property
    def processes(self) -> Sequence[Process]:
        """All processes that serve it, as recorded: one a replica, in their order."""
        return self._services.deployments.list_serving(self.id)

    @property
    def is_served(self) -> bool:
        """True when a server of it exists at this moment; ``status`` is what was seen last."""
        return self._services.deployments.is_served(self.id)

    @property
    def build(self) -> LiveBuild | None:
        """The build that serves it."""
        current = self.record.current_build_id
        return LiveBuild(self._services.parts.storage.builds.get(current), self._services) if current else None

    @property
    def status_reason(self) -> str | None:
        """Why its status is what it is, in a sentence, such as why it failed; ``None`` when all is well."""
        return self.record.status_reason

    @property
    def builds(self) -> Sequence[LiveBuild]:
        """Its builds, newest first."""
        return [LiveBuild(item, self._services) for item in self._services.parts.storage.builds.list(self.id)]

    def expected_seconds(self) -> Mapping[str, float]:
        """Return the seconds that each phase of its next deploy is likely to take, from its last ones.

        Empty before the first has succeeded. ``sum(live.expected_seconds().values())`` is how long to wait.
        """
        return expect_seconds(self._services.parts.storage, self.id)

    @property
    def kept_builds(self) -> Sequence[LiveBuild]:
        """The builds that one can go back to, newest first: those that served and whose artifact is kept."""
        return [LiveBuild(item, self._services) for item in list_kept(self._services.parts, self.record)]

    @property
    def expires_at(self) -> datetime | None:
        """When it is removed, if it is a preview that isn't deployed again before; ``None``: never."""
        return self.record.expires_at

    # --- what one can do ----------------------------------------------------------------------------------------------

    def redeploy(
        self,
        *,
        ref: str | None = None,
        fresh: bool = False,
        wait: bool = True,
        on_progress: OnProgress | None = None,
        idempotency_key: str | None = None,
    ) -> LiveBuild:
        """Build the source as it lies and put it live; the old server serves until the new one has answered.

        Parameters:
            ref: a tag, commit or branch of the project's repository to build this time; the deployment's branch unless
                given.
            fresh: build from nothing: neither packages nor an artifact of an earlier build is used.
            wait: wait until it serves.
            on_progress: called with the build's record as it changes.
            idempotency_key: see `MastraAdmin.deploy`.
        """
        queued = self._queue_once(
            idempotency_key,
            {"action": "redeploy", "ref": ref, "fresh": fresh},
            lambda key: self._services.deployments.deploy(self.record, ref=ref, fresh=fresh, key=key),
        )
        return self._follow_up(queued, wait, on_progress)

    def restart(
        self, *, wait: bool = True, on_progress: OnProgress | None = None, idempotency_key: str | None = None
    ) -> LiveBuild:
        """Start a new server of the current artifact, with the environment as it is set now.

        ``idempotency_key``: see `MastraAdmin.deploy`.
        """
        queued = self._queue_once(
            idempotency_key,
            {"action": "restart"},
            lambda key: self._services.deployments.restart(self.refresh().record, key=key),
        )
        return self._follow_up(queued, wait, on_progress)

    def start(
        self, *, wait: bool = True, on_progress: OnProgress | None = None, idempotency_key: str | None = None
    ) -> LiveBuild:
        """Start a stopped deployment: the same as `restart`."""
        return self.restart(wait=wait, on_progress=on_progress, idempotency_key=idempotency_key)

    def rollback(
        self,
        to: BuildRef | int | None = None,
        *,
        wait: bool = True,
        on_progress: OnProgress | None = None,
        idempotency_key: str | None = None,
    ) -> LiveBuild:
        """Go back to a kept artifact with the environment it ran with.

        Parameters:
            to: the build to go back to, or its number; the one that served before unless given.
            wait: wait until it serves.
            on_progress: called with the build's record as it changes.
            idempotency_key: see `MastraAdmin.deploy`.
        """
        self.refresh()
        if isinstance(to, int) and not isinstance(to, bool):
            target: Build | None = self._services.resolver.numbered_build(self.record, to)
        else:
            target = self._services.resolver.build(to) if to is not None else None
        queued = self._queue_once(
            idempotency_key,
            {"action": "rollback", "to": target.id if target else None},
            lambda key: self._services.deployments.rollback(self.record, target, key=key),
        )
        return self._follow_up(queued, wait, on_progress)

    def promote(
        self,
        to: DeploymentRef | DeploymentType,
        *,
        wait: bool = True,
        on_progress: OnProgress | None = None,
        idempotency_key: str | None = None,
    ) -> LiveBuild:
        """Start what this deployment serves on another one of the project, with the other one's own environment.

        Parameters:
            to: the other one, or a type such as ``"production"``; see `MastraAdmin.promote`.
            wait: wait until it serves.
            on_progress: called with the build's record as it changes.
            idempotency_key: see `MastraAdmin.deploy`.

        Returns:
            The build of the other deployment.
        """
        queued = self._queue_once(
            idempotency_key,
            {"action": "promote", "to": str(getattr(to, "id", to))},
            lambda key: self._services.deployments.promote(self.refresh().record, to, key=key),
        )
        return self._follow_up(queued, wait, on_progress)

    def stop(self) -> LiveDeployment:
        """Drain and stop its servers, free its ports and routes; data and artifacts stay."""
        self._services.deployments.stop(self.record)
        return self.refresh()

    def __repr__(self) -> str:
        record = self.record
        return render_deployment(record.slug, record.status, record.public_url, record.status_reason)

    def _queue_once(
        self, key: str | None, request: Mapping[str, Any], queue: Callable[[IdempotencyKey | None], Build]
    ) -> Build:
        return queue_once(self._services.parts, key, {"deployment": self.id, **request}, queue)

    def _follow_up(self, build: Build, wait: bool, on_progress: OnProgress | None) -> LiveBuild:
        live = LiveBuild(build, self._services)
        if wait:
            live.wait(on_progress=on_progress)
            self.refresh()
        return live
