"""Events, leases and offsets in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mastra_admin_sdk.errors import LeaseLost
from mastra_admin_sdk.models import Cursor, Event, Lease, Offset, utc_now
from mastra_admin_sdk.ports.storage import EventRepository, LeaseRepository, OffsetRepository

from .memory_tables import Memory, MemoryTable, clean, conform


class FakeEvents(EventRepository):
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._table = MemoryTable(memory, Event, ties=("sequence",))

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
        project_id: str | None = None,
        team_id: str | None = None,
        limit: int | None = 1000,
        after: Cursor | None = None,
    ) -> Sequence[Event]:
        everything = project_id is None and team_id is None
        objects = None if everything else _list_objects(self._memory, project_id, team_id)
        return self._table.select(
            lambda event: (
                object_type in (None, event.object_type)
                and object_id in (None, event.object_id)
                and action in (None, event.action)
                and actor in (None, event.actor)
                and (since is None or event.time >= since)
                and (until is None or event.time < until)
                and (objects is None or event.object_id in objects)
            ),
            limit=limit,
            after=after,
            key="time",
        )


def _list_objects(memory: Memory, project_id: str | None, team_id: str | None) -> set[str]:
    """The ids of a project or team and of all that it has."""
    tables = {kind.__name__: [*table.records.values()] for kind, table in memory.tables.items()}
    known = [item for item in tables["Project"] if team_id in (None, item.team_id)]
    projects = {item.id for item in known if project_id in (None, item.id)}
    deployments = {item.id for item in tables["Deployment"] if item.project_id in projects}
    owned = {item.id for name in ("Build", "Schedule") for item in tables[name] if item.deployment_id in deployments}
    teams = {team_id} if team_id is not None and project_id is None else set()
    tokens = {item.id for item in tables["Token"] if item.team_id in teams or item.project_id in projects}
    members = {item.id for item in tables["Member"] if item.team_id in teams}
    return teams | projects | deployments | owned | tokens | members


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

    def list(self, paths: Sequence[str] | None = None) -> Sequence[Offset]:
        with self._memory.locked():
            found = [item for item in self._offsets.values() if paths is None or item.path in paths]
            return sorted(found, key=lambda offset: (offset.updated_at, offset.path), reverse=True)

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
