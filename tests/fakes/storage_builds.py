"""Builds, servers and routes in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from mastra_admin_sdk.errors import Conflict, LeaseLost, NotFound, StaleState
from mastra_admin_sdk.models import (
    BUILD_TRANSITIONS,
    PROCESS_TRANSITIONS,
    Build,
    BuildStatus,
    Cursor,
    Deployment,
    IdempotencyKey,
    Process,
    ProcessStatus,
    Route,
    utc_now,
)
from mastra_admin_sdk.ports.storage import (
    BuildRepository,
    IdempotencyKeyRepository,
    ProcessRepository,
    RouteRepository,
)

from .memory_tables import Memory, MemoryTable, Rule, list_statuses

ACTIVE = {BuildStatus.BUILDING, BuildStatus.DEPLOYING}


class FakeIdempotencyKeys(IdempotencyKeyRepository):
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._keys: dict[str, IdempotencyKey] = {}

    def get(self, digest: str) -> IdempotencyKey:
        with self._memory.locked():
            if not self.is_used(digest):
                raise NotFound("There is no such key.")
            key = self._keys[digest]
            return key if key.build_id in self._memory.tables[Build].records else replace(key, build_id=None)

    def prune(self) -> int:
        with self._memory.locked():
            expired = [digest for digest in self._keys if not self.is_used(digest)]
            for digest in expired:
                del self._keys[digest]
            return len(expired)

    def is_used(self, digest: str) -> bool:
        """True when there is a key that hasn't expired."""
        return digest in self._keys and self._keys[digest].expires_at > utc_now()

    def put(self, key: IdempotencyKey, build_id: str) -> None:
        """Store a key as that of a build."""
        self._keys[key.digest] = replace(key, build_id=build_id)


class FakeBuilds(BuildRepository):
    def __init__(self, memory: Memory, keys: FakeIdempotencyKeys) -> None:
        self._memory, self._keys = memory, keys
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
            ties=("number", "id"),
        )

    def create(self, build: Build, *, key: IdempotencyKey | None = None) -> Build:
        with self._memory.locked():
            if key is not None and self._keys.is_used(key.digest):
                raise StaleState("A request with that key came first.")
            number = self._numbers.get(build.deployment_id, 0) + 1
            new = self._table.insert(build, number=number)
            self._numbers[build.deployment_id] = number
            if key is not None:
                self._keys.put(key, new.id)
            return new

    def get(self, build_id: str) -> Build:
        return self._table.get(build_id)

    def get_many(self, build_ids: Iterable[str]) -> Mapping[str, Build]:
        wanted = set(build_ids)
        return {build.id: build for build in self._table.select(lambda build: build.id in wanted)}

    def get_by_number(self, deployment_id: str, number: int) -> Build:
        return self._table.find(deployment_id=deployment_id, number=number)

    def list(
        self,
        deployment_id: str | None = None,
        *,
        project_id: str | None = None,
        team_id: str | None = None,
        statuses: Iterable[BuildStatus] | None = None,
        cache_key: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Build]:
        wanted = list_statuses(BuildStatus, BuildStatus if statuses is None else statuses)
        return self._table.select(
            lambda build: (
                deployment_id in (None, build.deployment_id)
                and cache_key in (None, build.cache_key)
                and (since is None or build.queued_at >= since)
                and build.status in wanted
                and self._memory.owns(build, project_id=project_id, team_id=team_id)
            ),
            limit=limit,
            after=after,
        )

    def list_last(self) -> Sequence[Build]:
        with self._memory.locked():
            builds = self._table.select()
            last = {build.deployment_id: build.number for build in sorted(builds, key=lambda item: item.number)}
            return [build for build in builds if last[build.deployment_id] == build.number]

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
        self._memory = memory
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
        project_id: str | None = None,
        team_id: str | None = None,
        statuses: Iterable[ProcessStatus] | None = None,
        build_id: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Process]:
        wanted = list_statuses(ProcessStatus, ProcessStatus if statuses is None else statuses)
        return self._table.select(
            lambda process: (
                deployment_id in (None, process.deployment_id)
                and build_id in (None, process.build_id)
                and process.status in wanted
                and self._memory.owns(process, project_id=project_id, team_id=team_id)
            ),
            limit=limit,
            after=after,
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
