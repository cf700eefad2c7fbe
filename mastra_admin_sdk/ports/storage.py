"""Where the records are kept: teams, projects, deployments, builds, processes, routes, events, leases, offsets.

Rules for every adapter:

- Lists are newest first.
- ``update`` takes field names of the record, returns the new record and always moves ``updated_at`` where there is
  one; an empty update changes nothing; an unknown id raises `NotFound`, an unknown field `InvalidInput`.
- A change of status goes through ``transition``: a compare-and-set in one statement, so that of two processes only
  one gets it; the other gets `StaleState`.
- A write that breaks uniqueness raises `Conflict` with a message that names the thing.
- JSON columns that hold null or rubbish read as empty.
- Objects may be used from several threads. Used after a fork they raise `ForkedProcess`.
- Failures of the database itself are `StorageError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import (
    Build,
    BuildStatus,
    Deployment,
    DeploymentStatus,
    EnvVar,
    Event,
    Lease,
    Offset,
    Process,
    ProcessStatus,
    Project,
    Route,
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
    def list(self) -> Sequence[Team]:
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
    def list(self, team_id: str | None = None) -> Sequence[Project]:
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
        self, project_id: str | None = None, *, statuses: Iterable[DeploymentStatus] | None = None
    ) -> Sequence[Deployment]:
        """Return deployments, of one project or all."""

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


class BuildRepository(ABC):
    """Builds, which are also the queue.

    A claim gives a build to one worker. It raises ``generation`` by one; whoever writes for the build later passes
    that number, and gets `LeaseLost` when somebody else has claimed the build since.
    """

    @abstractmethod
    def create(self, build: Build) -> Build:
        """Store a new build with the next number of its deployment (``number`` of the argument is ignored)."""

    @abstractmethod
    def get(self, build_id: str) -> Build:
        """Return a build or raise `NotFound`."""

    @abstractmethod
    def get_by_number(self, deployment_id: str, number: int) -> Build:
        """Return a build or raise `NotFound`."""

    @abstractmethod
    def list(
        self,
        deployment_id: str | None = None,
        *,
        statuses: Iterable[BuildStatus] | None = None,
        cache_key: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Sequence[Build]:
        """Return builds, of one deployment or all, of one ``cache_key`` or any, queued at ``since`` or later."""

    @abstractmethod
    def update(self, build_id: str, *, generation: int | None = None, **changes: Any) -> Build:
        """Change fields of a build, but not its status; with ``generation`` only for the holder of that claim."""

    @abstractmethod
    def transition(
        self,
        build_id: str,
        to: BuildStatus,
        *,
        expected: Iterable[BuildStatus],
        generation: int | None = None,
        **changes: Any,
    ) -> Build:
        """Change the status if it is one of ``expected`` (else `StaleState`), with other fields, in one statement.

        A change that `models.BUILD_TRANSITIONS` doesn't list raises `InvalidInput`. With ``generation``, `LeaseLost`
        when the claim is somebody else's by now. A final status also sets ``completed_at`` unless given, and clears
        ``worker_id``. Back to ``queued`` clears ``worker_id``, ``started_at`` and ``phases``.
        """

    @abstractmethod
    def claim(self, worker_id: str, *, limit: int) -> Build | None:
        """Give the next queued build to a worker, atomically, and return it as ``building``; ``None`` if there is none.

        Highest ``priority`` first, then oldest. A deployment has one active build (``building`` or ``deploying``) at a
        time, in the order of its numbers; no more than ``limit`` builds are active in all. Sets ``worker_id``,
        ``started_at`` and ``heartbeat_at``, raises ``generation``.
        """

    @abstractmethod
    def heartbeat(self, build_id: str, *, generation: int) -> Build:
        """Move ``heartbeat_at`` to now and return the build (its ``cancel_requested`` is what the worker looks for)."""

    @abstractmethod
    def delete(self, build_id: str) -> None:
        """Remove a build; deployments that name it as current or previous then name none."""


class ProcessRepository(ABC):
    """Server processes, and with them the ports: a host and port belong to at most one process that hasn't exited."""

    @abstractmethod
    def create(self, process: Process) -> Process:
        """Store a new process; `Conflict` when a process that hasn't exited has its host and port."""

    @abstractmethod
    def get(self, process_id: str) -> Process:
        """Return a process or raise `NotFound`."""

    @abstractmethod
    def list(
        self,
        deployment_id: str | None = None,
        *,
        statuses: Iterable[ProcessStatus] | None = None,
        build_id: str | None = None,
    ) -> Sequence[Process]:
        """Return processes, of one deployment or all."""

    @abstractmethod
    def update(self, process_id: str, **changes: Any) -> Process:
        """Change fields of a process, but not its status."""

    @abstractmethod
    def transition(
        self, process_id: str, to: ProcessStatus, *, expected: Iterable[ProcessStatus], **changes: Any
    ) -> Process:
        """Change the status if it is one of ``expected`` (else `StaleState`); ``exited`` frees the port."""

    @abstractmethod
    def delete(self, process_id: str) -> None:
        """Remove a process record."""


class RouteRepository(ABC):
    """Routes as they should be; the router is made to agree with them."""

    @abstractmethod
    def put(self, route: Route) -> Route:
        """Create the route, or point its host to another target; `Conflict` if another deployment has that host."""

    @abstractmethod
    def get_by_host(self, host: str) -> Route:
        """Return a route or raise `NotFound`."""

    @abstractmethod
    def list(self, deployment_id: str | None = None) -> Sequence[Route]:
        """Return routes, of one deployment or all."""

    @abstractmethod
    def delete(self, host: str) -> None:
        """Remove a route; an unknown host is no error."""


class ScheduleRepository(ABC):
    """When deployments are deployed again by themselves."""

    @abstractmethod
    def create(self, schedule: Schedule) -> Schedule:
        """Store a new schedule; `NotFound` without its deployment."""

    @abstractmethod
    def get(self, schedule_id: str) -> Schedule:
        """Return a schedule or raise `NotFound`."""

    @abstractmethod
    def list(self, deployment_id: str | None = None) -> Sequence[Schedule]:
        """Return schedules, of one deployment or all."""

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


class EventRepository(ABC):
    """The audit log: only ever appended to."""

    @abstractmethod
    def append(self, event: Event) -> Event:
        """Store an event."""

    @abstractmethod
    def list(
        self,
        *,
        object_type: str | None = None,
        object_id: str | None = None,
        action: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = 1000,
    ) -> Sequence[Event]:
        """Return events; of a range of time those at ``since`` or later, and before ``until``."""


class LeaseRepository(ABC):
    """Roles that one process at a time holds."""

    @abstractmethod
    def acquire(self, name: str, owner: str, ttl: float, *, replace_generation: int | None = None) -> Lease | None:
        """Take a role for ``ttl`` seconds; ``None`` when somebody else holds it.

        It is free when nobody has it, when it has expired, or when it is the owner's already. With
        ``replace_generation`` it is also taken from a holder of exactly that generation, whom the caller knows to be
        dead. Every change of owner raises the generation.
        """

    @abstractmethod
    def renew(self, lease: Lease, ttl: float) -> Lease:
        """Hold it for another ``ttl`` seconds; `LeaseLost` when it has gone to somebody else."""

    @abstractmethod
    def release(self, lease: Lease) -> None:
        """Give it back; nothing happens when it is somebody else's by now."""

    @abstractmethod
    def get(self, name: str) -> Lease | None:
        """Return who holds a role, expired or not; ``None`` when nobody ever did or it was given back."""

    @abstractmethod
    def list(self) -> Sequence[Lease]:
        """Return all roles that somebody holds."""


class OffsetRepository(ABC):
    """How far each telemetry file has been stored."""

    @abstractmethod
    def list(self) -> Sequence[Offset]:
        """Return all offsets."""

    @abstractmethod
    def save(self, offsets: Iterable[Offset], lease: Lease) -> None:
        """Store offsets in one transaction, only while ``lease`` is still the one in force (else `LeaseLost`)."""

    @abstractmethod
    def delete(self, paths: Iterable[str]) -> None:
        """Forget files."""


class AdminStorage(ABC):
    """All repositories of one database."""

    teams: TeamRepository
    projects: ProjectRepository
    deployments: DeploymentRepository
    builds: BuildRepository
    processes: ProcessRepository
    routes: RouteRepository
    schedules: ScheduleRepository
    events: EventRepository
    leases: LeaseRepository
    offsets: OffsetRepository

    @abstractmethod
    def init(self) -> None:
        """Create or migrate the tables. Can be repeated, also by several processes at once."""

    @abstractmethod
    def close(self) -> None:
        """Close what this object opened; a caller's own engine stays open. Can be repeated."""

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words which database this is, without any password: for reprs and ``doctor``."""
