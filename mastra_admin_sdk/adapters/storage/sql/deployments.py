"""Deployments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mastra_admin_sdk.models import DEPLOYMENT_TRANSITIONS, Cursor, Deployment, DeploymentStatus, EnvVar
from mastra_admin_sdk.ports.storage import DeploymentRepository

from . import tables
from .environments import EnvironmentRepository
from .repository import StatefulRepository
from .rows import Codec, encode_statuses
from .scopes import select_projects

_FROZEN = ("id", "project_id", "status", "env_overrides", "env_version", "created_at", "updated_at")
_NO_BUILD = "A deployment can only name a build that exists as current or previous."


class SqlDeployments(StatefulRepository[Deployment], EnvironmentRepository[Deployment], DeploymentRepository):
    """Deployments."""

    table = tables.deployments
    codec = Codec(Deployment, frozen=_FROZEN)
    transitions = DEPLOYMENT_TRANSITIONS
    may_stay = True
    env_field = "env_overrides"
    history = tables.deployment_env_versions

    def create(self, deployment: Deployment) -> Deployment:
        return self._insert(
            deployment,
            conflict=_describe_conflict(deployment.slug),
            missing=f"There is no project with the id {deployment.project_id!r}, or no build that it names.",
        )

    def get(self, deployment_id: str) -> Deployment:
        return self._get_by_id(deployment_id)

    def get_by_slug(self, project_id: str, slug: str) -> Deployment:
        columns = self.table.c
        words = f"the slug {slug!r} in the project {project_id!r}"
        return self._get(words, columns.project_id == project_id, columns.slug == slug)

    def list(
        self,
        project_id: str | None = None,
        *,
        team_id: str | None = None,
        statuses: Iterable[DeploymentStatus] | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Deployment]:
        columns = self.table.c
        statement = self._select_newest_first(after)
        if project_id is not None:
            statement = statement.where(columns.project_id == project_id)
        if team_id is not None:
            statement = statement.where(columns.project_id.in_(select_projects(team_id)))
        if statuses is not None:
            statement = statement.where(columns.status.in_(encode_statuses(DeploymentStatus, statuses)))
        return self._fetch(statement, limit)

    def update(self, deployment_id: str, **changes: Any) -> Deployment:
        conflict = _describe_conflict(changes.get("slug"))
        return self._update(deployment_id, changes, conflict=conflict, missing=_NO_BUILD)

    def set_env(self, deployment_id: str, env_overrides: Sequence[EnvVar]) -> Deployment:
        return self._set_env(deployment_id, env_overrides)

    def list_env_versions(self, deployment_id: str) -> Sequence[tuple[int, tuple[EnvVar, ...]]]:
        return self._list_env_versions(deployment_id)

    def transition(
        self, deployment_id: str, to: DeploymentStatus, *, expected: Iterable[DeploymentStatus], **changes: Any
    ) -> Deployment:
        values = self.codec.encode_changes(changes)
        return self._transition(deployment_id, to, expected, values, missing=_NO_BUILD)

    def delete(self, deployment_id: str) -> None:
        self._delete(deployment_id)


def _describe_conflict(slug: str | None) -> str:
    return f"The project has a deployment with the slug {slug!r} already."
