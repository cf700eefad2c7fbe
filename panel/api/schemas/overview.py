"""The state of everything at a glance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field

from mastra_admin_sdk import LiveBuild, models
from mastra_admin_sdk.services import overview as services

from .base import Answer, Moment
from .builds import Build
from .deployments import DeploymentStanding
from .projects import Project
from .teams import Team


class ProjectStanding(Project):
    """A project with its deployments."""

    deployments: Sequence[DeploymentStanding]


class TeamStanding(Team):
    """A team with its projects."""

    projects: Sequence[ProjectStanding]


class RecentBuild(Build):
    """A build, and whose it is."""

    deployment: str | None = Field(description="`team/project/slug`; null when it was deleted in this moment.")


class Router(Answer):
    """The reverse proxy."""

    running: bool


class Lag(Answer):
    """How far the stored telemetry is behind what was written."""

    files: int
    bytes: int
    seconds: float


class Overview(Answer):
    """What runs, what fails, and what runs it all."""

    home: str = Field(description="The folder that holds everything; empty for a token of a team.")
    looked_at: Moment = Field(description="When all of it was read.")
    seen_at: Moment = Field(description="When servers were seen: the earliest of their health checks.")
    is_supervised: bool = Field(description="Some process restarts servers that end.")
    roles: dict[str, str | None] = Field(description="Who holds each role of the background work.")
    router: Router
    engine: dict[str, Any] = Field(description="The analytics engine; `running` says whether it does.")
    lag: Lag
    ingestion: dict[str, Any] = Field(description="How the storing of telemetry goes.")
    firing: Sequence[str] = Field(description="Alerts that fire.")
    counts: dict[str, int] = Field(description="Deployments by status.")
    teams: Sequence[TeamStanding]
    builds: Sequence[RecentBuild] = Field(description="The newest builds.")

    @classmethod
    def of(
        cls,
        overview: services.Overview,
        teams: Sequence[models.Team],
        projects: Sequence[models.Project],
        builds: Sequence[LiveBuild],
    ) -> Self:
        """Return all of it: teams with their projects, those with their deployments; builds; what runs it."""
        lag, views = overview.lag, {view.deployment.id: view for view in overview.deployments}
        return cls(
            home=overview.home,
            looked_at=overview.looked_at,
            seen_at=overview.seen_at,
            is_supervised=overview.is_supervised,
            roles=dict(overview.roles),
            router=Router(running=overview.router_running),
            engine=dict(overview.engine),
            lag=Lag(files=lag.files, bytes=lag.bytes, seconds=lag.seconds),
            ingestion=overview.ingestion.to_dict(),
            firing=list(overview.firing),
            counts=dict(Counter(view.deployment.status.value for view in overview.deployments)),
            teams=_nest(teams, projects, overview.deployments),
            builds=[_name(build, views) for build in builds],
        )

    def limit(self, team_id: str, project_id: str | None = None) -> Self:
        """Return what of it is a team's, or one project's of that."""
        teams = [_cut(team, project_id) for team in self.teams if team.id == team_id]
        deployments = [item for team in teams for project in team.projects for item in project.deployments]
        known = {item.id for item in deployments}
        return self.model_copy(
            update={
                "home": "",
                "firing": [],
                "teams": teams,
                "counts": dict(Counter(item.status.value for item in deployments)),
                "builds": [build for build in self.builds if build.deployment_id in known],
            }
        )


def _cut(team: TeamStanding, project_id: str | None) -> TeamStanding:
    kept = [project for project in team.projects if project_id in (None, project.id)]
    return team.model_copy(update={"projects": kept})


def _nest(
    teams: Sequence[models.Team],
    projects: Sequence[models.Project],
    views: Sequence[services.DeploymentView],
) -> list[TeamStanding]:
    deployments: dict[str, list[DeploymentStanding]] = {}
    for view in views:
        deployments.setdefault(view.project.id, []).append(DeploymentStanding.look(view))
    owned: dict[str, list[ProjectStanding]] = {}
    for project in projects:
        standing = ProjectStanding(**dict(Project.of(project)), deployments=deployments.get(project.id, []))
        owned.setdefault(project.team_id, []).append(standing)
    return [TeamStanding(**dict(Team.of(team)), projects=owned.get(team.id, [])) for team in teams]


def _name(build: LiveBuild, views: Mapping[str, services.DeploymentView]) -> RecentBuild:
    view = views.get(build.record.deployment_id)
    place = f"{view.team.slug}/{view.project.slug}/{view.deployment.slug}" if view else None
    return RecentBuild(**dict(Build.of(build.record)), deployment=place)
