"""Teams, projects, deployments and schedules in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.errors import StaleState
from mastra_admin_sdk.models import (
    DEPLOYMENT_TRANSITIONS,
    Build,
    Cursor,
    Deployment,
    DeploymentStatus,
    EnvVar,
    Project,
    Schedule,
    Team,
)
from mastra_admin_sdk.ports.storage import DeploymentRepository, ProjectRepository, ScheduleRepository, TeamRepository

from .memory_tables import Memory, MemoryTable, Rule, conform, list_statuses


class FakeTeams(TeamRepository):
    def __init__(self, memory: Memory) -> None:
        rules = [Rule(("slug",), "There is a team with the slug {0.slug!r} already.")]
        self._table = MemoryTable(memory, Team, frozen=("id", "created_at", "updated_at"), rules=rules)

    def create(self, team: Team) -> Team:
        return self._table.insert(team)

    def get(self, team_id: str) -> Team:
        return self._table.get(team_id)

    def get_by_slug(self, slug: str) -> Team:
        return self._table.find(slug=slug)

    def list(self, *, limit: int | None = None, after: Cursor | None = None) -> Sequence[Team]:
        return self._table.select(limit=limit, after=after)

    def update(self, team_id: str, **changes: Any) -> Team:
        return self._table.update(team_id, changes)

    def delete(self, team_id: str) -> None:
        self._table.delete(team_id)


class _History:
    """Variables of a record and the lists that they replaced."""

    def __init__(self, table: MemoryTable[Any], field: str) -> None:
        self._table, self._field = table, field
        self._former: dict[str, list[tuple[int, tuple[EnvVar, ...]]]] = {}

    def replace(self, record_id: str, variables: Sequence[EnvVar]) -> Any:
        new = conform(self._table.kind, {self._field: variables})[self._field]
        with self._table.memory.locked():
            current = self._table.get(record_id)
            former = (current.env_version, getattr(current, self._field))
            self._former.setdefault(record_id, []).insert(0, former)
            return self._table.put(current, **{self._field: new, "env_version": current.env_version + 1})

    def list(self, record_id: str) -> Sequence[tuple[int, tuple[EnvVar, ...]]]:
        with self._table.memory.locked():
            self._table.get(record_id)
            return [*self._former.get(record_id, [])]


class FakeProjects(ProjectRepository):
    def __init__(self, memory: Memory) -> None:
        self._table = MemoryTable(
            memory,
            Project,
            frozen=("id", "team_id", "env_vars", "env_version", "created_at", "updated_at"),
            rules=[Rule(("team_id", "slug"), "The team has a project with the slug {0.slug!r} already.")],
            parents={"team_id": Team},
        )
        self._history = _History(self._table, "env_vars")

    def create(self, project: Project) -> Project:
        return self._table.insert(project)

    def get(self, project_id: str) -> Project:
        return self._table.get(project_id)

    def get_by_slug(self, team_id: str, slug: str) -> Project:
        return self._table.find(team_id=team_id, slug=slug)

    def list(
        self, team_id: str | None = None, *, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Project]:
        return self._table.select(lambda project: team_id in (None, project.team_id), limit=limit, after=after)

    def update(self, project_id: str, **changes: Any) -> Project:
        return self._table.update(project_id, changes)

    def set_env(self, project_id: str, env_vars: Sequence[EnvVar]) -> Project:
        return self._history.replace(project_id, env_vars)

    def list_env_versions(self, project_id: str) -> Sequence[tuple[int, tuple[EnvVar, ...]]]:
        return self._history.list(project_id)

    def delete(self, project_id: str) -> None:
        self._table.delete(project_id)


class FakeDeployments(DeploymentRepository):
    def __init__(self, memory: Memory) -> None:
        self._table = MemoryTable(
            memory,
            Deployment,
            frozen=("id", "project_id", "status", "env_overrides", "env_version", "created_at", "updated_at"),
            rules=[Rule(("project_id", "slug"), "The project has a deployment with the slug {0.slug!r} already.")],
            parents={"project_id": Project},
            links={"current_build_id": Build, "previous_build_id": Build},
        )
        self._memory = memory
        self._history = _History(self._table, "env_overrides")

    def create(self, deployment: Deployment) -> Deployment:
        return self._table.insert(deployment)

    def get(self, deployment_id: str) -> Deployment:
        return self._table.get(deployment_id)

    def get_by_slug(self, project_id: str, slug: str) -> Deployment:
        return self._table.find(project_id=project_id, slug=slug)

    def list(
        self,
        project_id: str | None = None,
        *,
        team_id: str | None = None,
        statuses: Iterable[DeploymentStatus] | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Deployment]:
        wanted = list_statuses(DeploymentStatus, DeploymentStatus if statuses is None else statuses)
        projects = self._memory.tables[Project].records
        return self._table.select(
            lambda item: (
                project_id in (None, item.project_id)
                and team_id in (None, projects[item.project_id].team_id)
                and item.status in wanted
            ),
            limit=limit,
            after=after,
        )

    def update(self, deployment_id: str, **changes: Any) -> Deployment:
        return self._table.update(deployment_id, changes)

    def set_env(self, deployment_id: str, env_overrides: Sequence[EnvVar]) -> Deployment:
        return self._history.replace(deployment_id, env_overrides)

    def list_env_versions(self, deployment_id: str) -> Sequence[tuple[int, tuple[EnvVar, ...]]]:
        return self._history.list(deployment_id)

    def transition(
        self, deployment_id: str, to: DeploymentStatus, *, expected: Iterable[DeploymentStatus], **changes: Any
    ) -> Deployment:
        return self._table.transition(deployment_id, to, expected, DEPLOYMENT_TRANSITIONS, changes, may_stay=True)

    def delete(self, deployment_id: str) -> None:
        self._table.delete(deployment_id)


class FakeSchedules(ScheduleRepository):
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._table = MemoryTable(
            memory, Schedule, frozen=("id", "deployment_id", "created_at"), parents={"deployment_id": Deployment}
        )

    def create(self, schedule: Schedule) -> Schedule:
        return self._table.insert(schedule)

    def get(self, schedule_id: str) -> Schedule:
        return self._table.get(schedule_id)

    def list(
        self,
        deployment_id: str | None = None,
        *,
        project_id: str | None = None,
        team_id: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Schedule]:
        return self._table.select(
            lambda schedule: (
                deployment_id in (None, schedule.deployment_id)
                and self._memory.owns(schedule, project_id=project_id, team_id=team_id)
            ),
            limit=limit,
            after=after,
        )

    def update(self, schedule_id: str, **changes: Any) -> Schedule:
        return self._table.update(schedule_id, changes)

    def fire(self, schedule: Schedule, *, at: datetime, next_at: datetime | None) -> Schedule:
        def guard(current: Schedule) -> None:
            if not current.enabled or current.next_at != schedule.next_at:
                raise StaleState(f"The schedule {schedule.id} was fired or changed by somebody else.")

        return self._table.update(schedule.id, {"last_fired_at": at, "next_at": next_at}, guard)

    def delete(self, schedule_id: str) -> None:
        self._table.delete(schedule_id)
