"""``admin.deployments``, ``admin.builds`` and ``admin.events``: finding what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.models import Build, BuildStatus, Cursor, DeploymentStatus, Event, choose

from .history.records import frame_builds, frame_deployments, frame_events
from .objects import LiveBuild, LiveDeployment, Services
from .overview import DeploymentView, look_at
from .parts import Parts
from .references import BuildRef, DeploymentRef, ProjectRef, Resolver, TeamRef
from .telemetry.service import Moment, parse_moment

if TYPE_CHECKING:
    import pandas as pd


class DeploymentCollection:
    """All deployments."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def get(self, reference: DeploymentRef) -> LiveDeployment:
        """Return a deployment by id, ``project``, ``project/slug`` or ``team/project/slug``."""
        return LiveDeployment(self._services.resolver.deployment(reference), self._services)

    def list(
        self,
        project: ProjectRef | None = None,
        *,
        team: TeamRef | None = None,
        status: DeploymentStatus | str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[LiveDeployment]:
        """Return deployments, newest first.

        Parameters:
            project, team: whose; all unless given.
            status: such as ``failed``.
            limit: how many at most; all unless given.
            after: only those after a place in that order, such as ``Cursor.of(page[-1])``.
        """
        resolver = self._services.resolver
        found = self._services.parts.storage.deployments.list(
            resolver.project(project).id if project is not None else None,
            team_id=resolver.team(team).id if team is not None else None,
            statuses=[choose(DeploymentStatus, status)] if status is not None else None,
            limit=limit,
            after=after,
        )
        return [LiveDeployment(item, self._services) for item in found]

    def look(self, reference: DeploymentRef) -> DeploymentView:
        """Return one deployment with its servers as observed just now: each was asked whether it answers."""
        return look_at(self._services.parts, self._services.resolver.deployment(reference))

    def frame(self, project: ProjectRef | None = None) -> pd.DataFrame:
        """Return a row a deployment of a project, or of all, newest first: `columns.DEPLOYMENT_COLUMNS`."""
        project_id = self._services.resolver.project(project).id if project is not None else None
        storage = self._services.parts.storage
        return frame_deployments(storage, storage.deployments.list(project_id))

    def delete(self, reference: DeploymentRef) -> None:
        """Stop a deployment and remove its records, artifacts, logs and data; telemetry stays."""
        self._services.deployments.delete(self._services.resolver.deployment(reference))


class BuildCollection:
    """All builds."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def get(self, reference: BuildRef) -> LiveBuild:
        """Return a build by id or ``<deployment>#<number>``."""
        return LiveBuild(self._services.resolver.build(reference), self._services)

    def list(
        self,
        deployment: DeploymentRef | None = None,
        *,
        project: ProjectRef | None = None,
        team: TeamRef | None = None,
        status: BuildStatus | str | None = None,
        since: Moment | None = None,
        limit: int | None = 100,
        after: Cursor | None = None,
    ) -> Sequence[LiveBuild]:
        """Return builds, newest first; filters as in `frame`, ``after`` a place such as ``Cursor.of(page[-1])``."""
        found = self._find(deployment, project, team, status, since, limit, after)
        return [LiveBuild(item, self._services) for item in found]

    def frame(
        self,
        *,
        project: ProjectRef | None = None,
        deployment: DeploymentRef | None = None,
        team: TeamRef | None = None,
        status: BuildStatus | str | None = None,
        since: Moment | None = None,
        limit: int | None = 1000,
    ) -> pd.DataFrame:
        """Return a row a build, newest first.

        Parameters:
            project, deployment, team: whose; all unless given.
            status: such as ``failed``.
            since: those queued after that: ``"7d"``, an aware datetime.
            limit: how many at most; ``None`` for all.

        Returns:
            Columns and dtypes of `columns.BUILD_COLUMNS`. ``frame.attrs["truncated"]`` says whether the limit cut it.

        Example:
            >>> admin.builds.frame(project="weather-agent", since="7d").groupby("status").total_s.median()
        """
        found = self._find(deployment, project, team, status, since, limit)
        return _say_if_cut(frame_builds(self._services.parts.storage, found), limit)

    def _find(
        self,
        deployment: DeploymentRef | None,
        project: ProjectRef | None,
        team: TeamRef | None,
        status: BuildStatus | str | None,
        since: Moment | None,
        limit: int | None,
        after: Cursor | None = None,
    ) -> Sequence[Build]:
        resolver = self._services.resolver
        return self._services.parts.storage.builds.list(
            resolver.deployment(deployment).id if deployment is not None else None,
            project_id=resolver.project(project).id if project is not None else None,
            team_id=resolver.team(team).id if team is not None else None,
            statuses=[choose(BuildStatus, status)] if status is not None else None,
            since=parse_moment(since) if since is not None else None,
            limit=limit,
            after=after,
        )


class EventCollection:
    """The audit log."""

    def __init__(self, parts: Parts, resolver: Resolver) -> None:
        self._parts, self._resolver = parts, resolver

    def list(
        self,
        *,
        object_type: str | None = None,
        object_id: str | None = None,
        action: str | None = None,
        actor: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        project: ProjectRef | None = None,
        team: TeamRef | None = None,
        limit: int | None = 1000,
        after: Cursor | None = None,
    ) -> Sequence[Event]:
        """Return who did what, newest first.

        Parameters:
            object_type: ``team``, ``project``, ``deployment``, ``build`` …
            object_id: of one object.
            action: such as ``deploy`` or ``set_env``.
            actor: who.
            since, until: a range of time: ``"24h"``, aware datetimes.
            project, team: about one of these, and what it has now: deployments, builds, tokens …
            limit: how many at most; ``None`` for all.
            after: only those after a place in that order, such as ``Cursor.of(page[-1])``.
        """
        return self._parts.storage.events.list(
            object_type=object_type,
            object_id=object_id,
            action=action,
            actor=actor,
            since=parse_moment(since) if since is not None else None,
            until=parse_moment(until) if until is not None else None,
            project_id=self._resolver.project(project).id if project is not None else None,
            team_id=self._resolver.team(team).id if team is not None else None,
            limit=limit,
            after=after,
        )

    def frame(self, *, limit: int | None = 1000, **filters: Any) -> pd.DataFrame:
        """Return a row an event, newest first: who did what to what, when, and from where; filters as in `list`.

        Returns:
            Columns and dtypes of `columns.EVENT_COLUMNS`. ``frame.attrs["truncated"]`` says whether the limit cut it.

        Example:
            >>> admin.events.frame(since="24h", object_type="deployment")
        """
        return _say_if_cut(frame_events(self._parts.storage, self.list(limit=limit, **filters)), limit)


def _say_if_cut(frame: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """Leave a note in ``frame.attrs`` when the limit cut the result: a cut result must not look like all there is."""
    frame.attrs["limit"] = limit
    frame.attrs["truncated"] = limit is not None and len(frame) >= limit
    return frame
