"""Teams, their projects, and the deployments of those."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import (
    Cursor,
    Deployment,
    DeploymentStatus,
    EnvVar,
    Project,
    Schedule,
    Team,
)


class TeamRepository(ABC):
    """Teams."""

    @abstractmethod
    def create(self, team: Team) -> Team:
        """Store a new team; `Conflict` when its slug is taken."""

    @abstractmethod
    def get(self, team_id: str) -> Team:
        """Return a team or raise `NotFound`."""

    @abstractmethod
    def get_by_slug(self, slug: str) -> Team:
        """Return a team or raise `NotFound`."""

    @abstractmethod
    def list(self, *, limit: int | None = None, after: Cursor | None = None) -> Sequence[Team]:
        """Return all teams."""

    @abstractmethod
    def update(self, team_id: str, **changes: Any) -> Team:
        """Change fields of a team."""

    @abstractmethod
    def delete(self, team_id: str) -> None:
        """Remove a team with its projects, deployments, builds, processes and routes."""


class ProjectRepository(ABC):
    """Projects of teams."""

    @abstractmethod
    def create(self, project: Project) -> Project:
        """Store a new project; `Conflict` when its slug is taken in its team, `NotFound` without the team."""

    @abstractmethod
    def get(self, project_id: str) -> Project:
        """Return a project or raise `NotFound`."""

    @abstractmethod
    def get_by_slug(self, team_id: str, slug: str) -> Project:
        """Return a project or raise `NotFound`."""

    @abstractmethod
    def list(
        self, team_id: str | None = None, *, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Project]:
        """Return the projects of a team, or all."""

    @abstractmethod
    def update(self, project_id: str, **changes: Any) -> Project:
        """Change fields of a project. A change of ``env_vars`` goes through ``set_env``."""

    @abstractmethod
    def set_env(self, project_id: str, env_vars: Sequence[EnvVar]) -> Project:
        """Replace the variables, keep the former list as a numbered version, and raise ``env_version`` by one."""

    @abstractmethod
    def list_env_versions(self, project_id: str) -> Sequence[tuple[int, tuple[EnvVar, ...]]]:
        """Return (version, variables) of all former lists, newest first."""

    @abstractmethod
    def delete(self, project_id: str) -> None:
        """Remove a project with its deployments, builds, processes and routes."""


class DeploymentRepository(ABC):
    """Deployments of projects."""

    @abstractmethod
    def create(self, deployment: Deployment) -> Deployment:
        """Store a new deployment; `Conflict` when its slug is taken in its project."""

    @abstractmethod
    def get(self, deployment_id: str) -> Deployment:
        """Return a deployment or raise `NotFound`."""

    @abstractmethod
    def get_by_slug(self, project_id: str, slug: str) -> Deployment:
        """Return a deployment or raise `NotFound`."""

    @abstractmethod
    def list(
        self,
        project_id: str | None = None,
        *,
        team_id: str | None = None,
        statuses: Iterable[DeploymentStatus] | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Deployment]:
        """Return deployments, of one project, one team, or all."""

    @abstractmethod
    def update(self, deployment_id: str, **changes: Any) -> Deployment:
        """Change fields of a deployment, but neither ``status`` nor ``env_overrides``."""

    @abstractmethod
    def set_env(self, deployment_id: str, env_overrides: Sequence[EnvVar]) -> Deployment:
        """Replace the overrides, keep the former list as a numbered version, and raise ``env_version`` by one."""

    @abstractmethod
    def list_env_versions(self, deployment_id: str) -> Sequence[tuple[int, tuple[EnvVar, ...]]]:
        """Return (version, overrides) of all former lists, newest first."""

    @abstractmethod
    def transition(
        self, deployment_id: str, to: DeploymentStatus, *, expected: Iterable[DeploymentStatus], **changes: Any
    ) -> Deployment:
        """Change the status if it is one of ``expected`` (else `StaleState`), with other fields, in one statement.

        A change that `models.DEPLOYMENT_TRANSITIONS` doesn't list raises `InvalidInput`; staying the same is allowed.
        """

    @abstractmethod
    def delete(self, deployment_id: str) -> None:
        """Remove a deployment with its builds, processes and routes."""


class ScheduleRepository(ABC):
    """When deployments are deployed again by themselves."""

    @abstractmethod
    def create(self, schedule: Schedule) -> Schedule:
        """Store a new schedule; `NotFound` without its deployment."""

    @abstractmethod
    def get(self, schedule_id: str) -> Schedule:
        """Return a schedule or raise `NotFound`."""

    @abstractmethod
    def list(
        self,
        deployment_id: str | None = None,
        *,
        project_id: str | None = None,
        team_id: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Schedule]:
        """Return schedules, of one deployment, project or team, or all."""

    @abstractmethod
    def update(self, schedule_id: str, **changes: Any) -> Schedule:
        """Change fields of a schedule."""

    @abstractmethod
    def fire(self, schedule: Schedule, *, at: datetime, next_at: datetime | None) -> Schedule:
        """Record that a schedule fired and when it does next.

        Only while its ``next_at`` is still the one of the argument and it is enabled; else `StaleState`: somebody else
        fired it, or it was changed or switched off.
        """

    @abstractmethod
    def delete(self, schedule_id: str) -> None:
        """Remove a schedule."""
