"""Teams and projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra_admin_sdk.models import Cursor, EnvVar, Project, Team
from mastra_admin_sdk.ports.storage import ProjectRepository, TeamRepository

from . import tables
from .environments import EnvironmentRepository
from .repository import SqlRepository
from .rows import Codec


class SqlTeams(SqlRepository[Team], TeamRepository):
    """Teams."""

    table = tables.teams
    codec = Codec(Team, frozen=("id", "created_at", "updated_at"))

    def create(self, team: Team) -> Team:
        return self._insert(team, conflict=f"There is a team with the slug {team.slug!r} already.")

    def get(self, team_id: str) -> Team:
        return self._get_by_id(team_id)

    def get_by_slug(self, slug: str) -> Team:
        return self._get(f"the slug {slug!r}", self.table.c.slug == slug)

    def list(self, *, limit: int | None = None, after: Cursor | None = None) -> Sequence[Team]:
        return self._fetch(self._select_newest_first(after), limit)

    def update(self, team_id: str, **changes: Any) -> Team:
        return self._update(
            team_id, changes, conflict=f"There is a team with the slug {changes.get('slug')!r} already."
        )

    def delete(self, team_id: str) -> None:
        self._delete(team_id)


class SqlProjects(EnvironmentRepository[Project], ProjectRepository):
    """Projects."""

    table = tables.projects
    codec = Codec(Project, frozen=("id", "team_id", "env_vars", "env_version", "created_at", "updated_at"))
    env_field = "env_vars"
    history = tables.project_env_versions

    def create(self, project: Project) -> Project:
        return self._insert(
            project,
            conflict=_describe_conflict(project.slug),
            missing=f"There is no team with the id {project.team_id!r}.",
        )

    def get(self, project_id: str) -> Project:
        return self._get_by_id(project_id)

    def get_by_slug(self, team_id: str, slug: str) -> Project:
        columns = self.table.c
        return self._get(f"the slug {slug!r} in the team {team_id!r}", columns.team_id == team_id, columns.slug == slug)

    def list(
        self, team_id: str | None = None, *, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Project]:
        statement = self._select_newest_first(after)
        return self._fetch(statement if team_id is None else statement.where(self.table.c.team_id == team_id), limit)

    def update(self, project_id: str, **changes: Any) -> Project:
        return self._update(project_id, changes, conflict=_describe_conflict(changes.get("slug")))

    def set_env(self, project_id: str, env_vars: Sequence[EnvVar]) -> Project:
        return self._set_env(project_id, env_vars)

    def list_env_versions(self, project_id: str) -> Sequence[tuple[int, tuple[EnvVar, ...]]]:
        return self._list_env_versions(project_id)

    def delete(self, project_id: str) -> None:
        self._delete(project_id)


def _describe_conflict(slug: str | None) -> str:
    return f"The team has a project with the slug {slug!r} already."
