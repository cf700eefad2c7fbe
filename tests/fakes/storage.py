"""A storage in memory that keeps every promise of the port but the one to outlive its process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mastra_admin_sdk.errors import Conflict, LeaseLost, StaleState
from mastra_admin_sdk.models import (
    BUILD_TRANSITIONS,
    DEPLOYMENT_TRANSITIONS,
    PROCESS_TRANSITIONS,
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
    utc_now,
)
from mastra_admin_sdk.ports.storage import (
    AdminStorage,
    BuildRepository,
    DeploymentRepository,
    EventRepository,
    LeaseRepository,
    OffsetRepository,
    ProcessRepository,
    ProjectRepository,
    RouteRepository,
    ScheduleRepository,
    TeamRepository,
)

from .memory_tables import Memory, MemoryTable, Rule, clean, conform, list_statuses

ACTIVE = {BuildStatus.BUILDING, BuildStatus.DEPLOYING}


class FakeAdminStorage(AdminStorage):
    """All repositories in memory. ``clock`` is the one that leases go by."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._memory = Memory(clock)
        self.teams = FakeTeams(self._memory)
        self.projects = FakeProjects(self._memory)
        self.deployments = FakeDeployments(self._memory)
        self.builds = FakeBuilds(self._memory)
        self.processes = FakeProcesses(self._memory)
        self.routes = FakeRoutes(self._memory)
        self.schedules = FakeSchedules(self._memory)
        self.events = FakeEvents(self._memory)
        self.leases = FakeLeases(self._memory)
        self.offsets = FakeOffsets(self._memory, self.leases)

    def init(self) -> None:
        with self._memory.locked():
            pass

    def close(self) -> None:
        self._memory.check_process()
        self._memory.closed = True

    def describe(self) -> str:
        return "memory"

    def __repr__(self) -> str:
        return "FakeAdminStorage(memory)"


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

    def list(self) -> Sequence[Team]:
        return self._table.select()

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

    def list(self, team_id: str | None = None) -> Sequence[Project]:
        return self._table.select(lambda project: team_id in (None, project.team_id))

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
        self._history = _History(self._table, "env_overrides")

    def create(self, deployment: Deployment) -> Deployment:
        return self._table.insert(deployment)

    def get(self, deployment_id: str) -> Deployment:
        return self._table.get(deployment_id)

    def get_by_slug(self, project_id: str, slug: str) -> Deployment:
        return self._table.find(project_id=project_id, slug=slug)

    def list(
        self, project_id: str | None = None, *, statuses: Iterable[DeploymentStatus] | None = None
    ) -> Sequence[Deployment]:
        wanted = list_statuses(DeploymentStatus, DeploymentStatus if statuses is None else statuses)
        return self._table.select(lambda item: project_id in (None, item.project_id) and item.status in wanted)

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


class FakeBuilds(BuildRepository):
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._numbers: dict[str, int] = {}
        self._table = MemoryTable(
            memory,
            Build,
            frozen=("id", "deployment_id", "number", "status", "generation", "created_at"),
            rules=[
                Rule(
                    ("deployment_id",),
                    "The deployment has a build in progress already.",
                    lambda build: build.status in ACTIVE,
                )
            ],
            parents={"deployment_id": Deployment},
        )

    def create(self, build: Build) -> Build:
        with self._memory.locked():
            number = self._numbers.get(build.deployment_id, 0) + 1
            new = self._table.insert(build, number=number)
            self._numbers[build.deployment_id] = number
            return new

    def get(self, build_id: str) -> Build:
        return self._table.get(build_id)

    def get_by_number(self, deployment_id: str, number: int) -> Build:
        return self._table.find(deployment_id=deployment_id, number=number)

    def list(
        self,
        deployment_id: str | None = None,
        *,
        statuses: Iterable[BuildStatus] | None = None,
        cache_key: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Sequence[Build]:
        wanted = list_statuses(BuildStatus, BuildStatus if statuses is None else statuses)
        return self._table.select(
            lambda build: (
                deployment_id in (None, build.deployment_id)
                and cache_key in (None, build.cache_key)
                and (since is None or build.queued_at >= since)
                and build.status in wanted
            ),
            limit=limit,
        )

    def update(self, build_id: str, *, generation: int | None = None, **changes: Any) -> Build:
        def guard(build: Build) -> None:
            _check_claim(build, generation)
            if generation is not None and build.status is BuildStatus.QUEUED:
                raise LeaseLost(f"The claim of the build {build.id} is over: it is queued again.")

        return self._table.update(build_id, changes, guard)

    def transition(
        self,
        build_id: str,
        to: BuildStatus,
        *,
        expected: Iterable[BuildStatus],
        generation: int | None = None,
        **changes: Any,
    ) -> Build:
        return self._table.transition(
            build_id,
            to,
            expected,
            BUILD_TRANSITIONS,
            changes,
            consequences=_list_consequences(to),
            guard=lambda build: _check_claim(build, generation),
        )

    def claim(self, worker_id: str, *, limit: int) -> Build | None:
        with self._memory.locked():
            builds = self._table.select()
            busy = {build.deployment_id for build in builds if build.status in ACTIVE}
            heads: dict[str, Build] = {}
            for build in sorted(builds, key=lambda item: item.number, reverse=True):
                if build.status is BuildStatus.QUEUED and build.deployment_id not in busy:
                    heads[build.deployment_id] = build
            if not heads or len(busy) >= limit:
                return None
            following = min(heads.values(), key=lambda item: (-item.priority, item.queued_at, item.created_at))
            return self._table.put(
                following,
                status=BuildStatus.BUILDING,
                worker_id=worker_id,
                started_at=utc_now(),
                heartbeat_at=utc_now(),
                generation=following.generation + 1,
            )

    def heartbeat(self, build_id: str, *, generation: int) -> Build:
        return self.update(build_id, generation=generation, heartbeat_at=utc_now())

    def delete(self, build_id: str) -> None:
        with self._memory.locked():
            processes = self._memory.tables[Process].records.values()
            if any(process.build_id == build_id and process.status.is_alive for process in processes):
                raise Conflict(f"The build {build_id} can't be deleted: a server of it is running.")
            self._table.delete(build_id)


def _check_claim(build: Build, generation: int | None) -> None:
    if generation is not None and build.generation != generation:
        raise LeaseLost(f"The build {build.id} was claimed by {build.worker_id}.")


def _list_consequences(to: BuildStatus) -> dict[str, Any]:
    if to == BuildStatus.QUEUED:
        return {"worker_id": None, "started_at": None, "phases": {}}
    return {"worker_id": None, "completed_at": utc_now()} if BuildStatus(to).is_final else {}


class FakeProcesses(ProcessRepository):
    def __init__(self, memory: Memory) -> None:
        self._table = MemoryTable(
            memory,
            Process,
            frozen=("id", "deployment_id", "build_id", "status", "created_at"),
            rules=[
                Rule(
                    ("host", "port"),
                    "The address {0.host}:{0.port} belongs to a process that hasn't exited.",
                    lambda process: process.status.is_alive,
                )
            ],
            parents={"deployment_id": Deployment, "build_id": Build},
        )

    def create(self, process: Process) -> Process:
        return self._table.insert(process)

    def get(self, process_id: str) -> Process:
        return self._table.get(process_id)

    def list(
        self,
        deployment_id: str | None = None,
        *,
        statuses: Iterable[ProcessStatus] | None = None,
        build_id: str | None = None,
    ) -> Sequence[Process]:
        wanted = list_statuses(ProcessStatus, ProcessStatus if statuses is None else statuses)
        return self._table.select(
            lambda process: (
                deployment_id in (None, process.deployment_id)
                and build_id in (None, process.build_id)
                and process.status in wanted
            )
        )

    def update(self, process_id: str, **changes: Any) -> Process:
        return self._table.update(process_id, changes)

    def transition(
        self, process_id: str, to: ProcessStatus, *, expected: Iterable[ProcessStatus], **changes: Any
    ) -> Process:
        consequences = {"exited_at": utc_now()} if to == ProcessStatus.EXITED else {}
        return self._table.transition(process_id, to, expected, PROCESS_TRANSITIONS, changes, consequences=consequences)

    def delete(self, process_id: str) -> None:
        self._table.delete(process_id)


class FakeRoutes(RouteRepository):
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._table = MemoryTable(memory, Route, parents={"deployment_id": Deployment})

    def put(self, route: Route) -> Route:
        with self._memory.locked():
            for current in self._table.select(lambda item: item.host == route.host):
                if current.deployment_id != route.deployment_id:
                    raise Conflict(f"The host {route.host} already leads to the deployment {current.deployment_id}.")
                return self._table.put(
                    current,
                    target_host=route.target_host,
                    target_port=route.target_port,
                    more_targets=tuple(route.more_targets),
                    tls=route.tls,
                )
            return self._table.insert(route)

    def get_by_host(self, host: str) -> Route:
        return self._table.find(host=host)

    def list(self, deployment_id: str | None = None) -> Sequence[Route]:
        return self._table.select(lambda route: deployment_id in (None, route.deployment_id))

    def delete(self, host: str) -> None:
        with self._memory.locked():
            for route in self._table.select(lambda item: item.host == host):
                self._table.delete(route.id)


class FakeSchedules(ScheduleRepository):
    def __init__(self, memory: Memory) -> None:
        self._table = MemoryTable(
            memory, Schedule, frozen=("id", "deployment_id", "created_at"), parents={"deployment_id": Deployment}
        )

    def create(self, schedule: Schedule) -> Schedule:
        return self._table.insert(schedule)

    def get(self, schedule_id: str) -> Schedule:
        return self._table.get(schedule_id)

    def list(self, deployment_id: str | None = None) -> Sequence[Schedule]:
        return self._table.select(lambda schedule: deployment_id in (None, schedule.deployment_id))

    def update(self, schedule_id: str, **changes: Any) -> Schedule:
        return self._table.update(schedule_id, changes)

    def fire(self, schedule: Schedule, *, at: datetime, next_at: datetime | None) -> Schedule:
        def guard(current: Schedule) -> None:
            if not current.enabled or current.next_at != schedule.next_at:
                raise StaleState(f"The schedule {schedule.id} was fired or changed by somebody else.")

        return self._table.update(schedule.id, {"last_fired_at": at, "next_at": next_at}, guard)

    def delete(self, schedule_id: str) -> None:
        self._table.delete(schedule_id)


class FakeEvents(EventRepository):
    def __init__(self, memory: Memory) -> None:
        self._table = MemoryTable(memory, Event)

    def append(self, event: Event) -> Event:
        return self._table.insert(event)

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
        return self._table.select(
            lambda event: (
                object_type in (None, event.object_type)
                and object_id in (None, event.object_id)
                and action in (None, event.action)
                and actor in (None, event.actor)
                and (since is None or event.time >= since)
                and (until is None or event.time < until)
            ),
            limit=limit,
            key="time",
        )


class FakeLeases(LeaseRepository):
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._held: dict[str, Lease] = {}
        self._generations: dict[str, int] = {}

    def acquire(self, name: str, owner: str, ttl: float, *, replace_generation: int | None = None) -> Lease | None:
        with self._memory.locked():
            current = self._held.get(name)
            generation = self._generations.get(name, 0)
            if current is not None and current.owner != owner:
                expired = current.expires_at <= self._memory.clock()
                if not expired and current.generation != replace_generation:
                    return None
            if current is None or current.owner != owner:
                generation += 1
            self._generations[name] = generation
            self._held[name] = Lease(name, owner, generation, self._expire_in(ttl))
            return self._held[name]

    def renew(self, lease: Lease, ttl: float) -> Lease:
        with self._memory.locked():
            self.check(lease)
            self._held[lease.name] = replace(self._held[lease.name], expires_at=self._expire_in(ttl))
            return self._held[lease.name]

    def release(self, lease: Lease) -> None:
        with self._memory.locked():
            if self._is_held(lease):
                del self._held[lease.name]

    def get(self, name: str) -> Lease | None:
        with self._memory.locked():
            return self._held.get(name)

    def list(self) -> Sequence[Lease]:
        with self._memory.locked():
            return [self._held[name] for name in sorted(self._held)]

    def check(self, lease: Lease) -> None:
        """Raise `LeaseLost` unless the lease is the one in force."""
        if not self._is_held(lease):
            raise LeaseLost(f"The role {lease.name} is not held by {lease.owner} any more.")

    def _is_held(self, lease: Lease) -> bool:
        current = self._held.get(lease.name)
        return current is not None and (current.owner, current.generation) == (lease.owner, lease.generation)

    def _expire_in(self, ttl: float) -> datetime:
        return self._memory.clock() + timedelta(seconds=ttl)


class FakeOffsets(OffsetRepository):
    def __init__(self, memory: Memory, leases: FakeLeases) -> None:
        self._memory, self._leases = memory, leases
        self._offsets: dict[str, Offset] = {}

    def list(self) -> Sequence[Offset]:
        with self._memory.locked():
            return sorted(self._offsets.values(), key=lambda offset: (offset.updated_at, offset.path), reverse=True)

    def save(self, offsets: Iterable[Offset], lease: Lease) -> None:
        new = [Offset(**conform(Offset, {name: getattr(one, name) for name in Offset.__slots__})) for one in offsets]
        with self._memory.locked():
            self._leases.check(lease)
            for offset in new:
                former = self._offsets.get(offset.path)
                moved = former.updated_at + timedelta(microseconds=1) if former else utc_now()
                self._offsets[offset.path] = replace(offset, updated_at=max(utc_now(), moved))

    def delete(self, paths: Iterable[str]) -> None:
        with self._memory.locked():
            for path in paths:
                self._offsets.pop(clean(path), None)
