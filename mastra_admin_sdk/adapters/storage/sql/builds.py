"""Builds, and the queue that they form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Update, and_, func, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from mastra_admin_sdk.errors import Conflict, LeaseLost, MastraAdminError, NotFound
from mastra_admin_sdk.models import (
    BUILD_TRANSITIONS,
    Build,
    BuildStatus,
    Cursor,
    IdempotencyKey,
    ProcessStatus,
    utc_now,
)
from mastra_admin_sdk.ports.storage import BuildRepository

from . import tables
from .keys import keep_key
from .repository import Row, StatefulRepository
from .rows import Codec, encode_statuses
from .scopes import within

ACTIVE = (BuildStatus.BUILDING.value, BuildStatus.DEPLOYING.value)
_LARGEST_NUMBER = 2**63 - 1
_MOST_IDS = 500
_FROZEN = ("id", "deployment_id", "number", "status", "generation", "created_at")


class SqlBuilds(StatefulRepository[Build], BuildRepository):
    """Builds."""

    table = tables.builds
    codec = Codec(Build, frozen=_FROZEN)
    ties = ("number", "id")
    transitions = BUILD_TRANSITIONS

    def create(self, build: Build, *, key: IdempotencyKey | None = None) -> Build:
        values = self.codec.encode(build)
        conflict = f"There is a build with the id {build.id!r} already."

        def work(connection: Connection) -> Row:
            row = _insert_numbered(connection, values)
            if key is not None:
                keep_key(self._database, connection, key, build.id)
            return row

        return self.codec.decode(self._database.write(work, conflict=conflict))

    def get(self, build_id: str) -> Build:
        return self._get_by_id(build_id)

    def get_many(self, build_ids: Iterable[str]) -> Mapping[str, Build]:
        wanted = sorted(set(build_ids))
        found: dict[str, Build] = {}
        for start in range(0, len(wanted), _MOST_IDS):
            statement = select(self.table).where(self.table.c.id.in_(wanted[start : start + _MOST_IDS]))
            found.update((build.id, build) for build in self._fetch(statement))
        return found

    def get_by_number(self, deployment_id: str, number: int) -> Build:
        columns = self.table.c
        words = f"the number {number} in the deployment {deployment_id!r}"
        if not 0 < number <= _LARGEST_NUMBER:  # no driver takes what its column can't hold
            raise NotFound(f"There is no build with {words}.")
        return self._get(words, columns.deployment_id == deployment_id, columns.number == number)

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
        owner = self.table.c.deployment_id
        statement = self._select_newest_first(after)
        statement = statement.where(*within(owner, deployment_id=deployment_id, project_id=project_id, team_id=team_id))
        if statuses is not None:
            statement = statement.where(self.table.c.status.in_(encode_statuses(BuildStatus, statuses)))
        if cache_key is not None:
            statement = statement.where(self.table.c.cache_key == cache_key)
        if since is not None:
            statement = statement.where(self.table.c.queued_at >= since)
        return self._fetch(statement, limit)

    def list_last(self) -> Sequence[Build]:
        columns = self.table.c
        last = select(columns.deployment_id, func.max(columns.number).label("number")).group_by(columns.deployment_id)
        newest = last.subquery()
        same = and_(columns.deployment_id == newest.c.deployment_id, columns.number == newest.c.number)
        return self._fetch(self._select_newest_first().join(newest, same))

    def update(self, build_id: str, *, generation: int | None = None, **changes: Any) -> Build:
        return self._update(build_id, changes, only=_held(generation), refusal=_explain_lost_claim)

    def transition(
        self,
        build_id: str,
        to: BuildStatus,
        *,
        expected: Iterable[BuildStatus],
        generation: int | None = None,
        **changes: Any,
    ) -> Build:
        values = _list_consequences(to) | self.codec.encode_changes(changes)
        only = [] if generation is None else [self.table.c.generation == generation]
        return self._transition(build_id, to, expected, values, only=only, refusal=_explain_lost_claim)

    def claim(self, worker_id: str, *, limit: int) -> Build | None:
        def work(connection: Connection) -> Row | None:
            # The count of active builds is only true while nobody else claims. The lock is taken by a statement of
            # its own, because a statement sees the table as it was when it began.
            self._database.lock(connection, "claim")
            # Made only now: the time of a claim must not lie before that of a build which was queued meanwhile.
            return connection.execute(_make_claim(worker_id, limit)).mappings().one_or_none()

        row = self._database.write(work)
        return None if row is None else self.codec.decode(row)

    def heartbeat(self, build_id: str, *, generation: int) -> Build:
        return self.update(build_id, generation=generation, heartbeat_at=utc_now())

    def delete(self, build_id: str) -> None:
        alive = select(tables.processes.c.id).where(
            tables.processes.c.build_id == build_id, tables.processes.c.status != ProcessStatus.EXITED.value
        )
        self._delete(build_id, ~alive.exists(), refusal=_explain_running)


def _insert_numbered(connection: Connection, values: dict[str, Any]) -> Row:
    deployments = tables.deployments.c
    deployment_id = values["deployment_id"]
    # The update holds the deployment's row until the end, so two builds never get one number.
    count = update(tables.deployments).where(deployments.id == deployment_id)
    count = count.values(last_build_number=deployments.last_build_number + 1)
    number = connection.execute(count.returning(deployments.last_build_number)).scalar_one_or_none()
    if number is None:
        raise NotFound(f"There is no deployment with the id {deployment_id!r}.")
    statement = insert(tables.builds).values({**values, "number": number}).returning(*tables.builds.c)
    return connection.execute(statement).mappings().one()


def _list_consequences(to: BuildStatus) -> dict[str, Any]:
    if to == BuildStatus.QUEUED:
        return {"worker_id": None, "started_at": None, "phases": {}}
    if to in {status for status in BuildStatus if status.is_final}:
        return {"worker_id": None, "completed_at": utc_now()}
    return {}


def _held(generation: int | None) -> list[ColumnElement[bool]]:
    columns = tables.builds.c
    # A build that recovery has put back into the queue is nobody's, though its generation is still the last holder's.
    return [] if generation is None else [columns.generation == generation, columns.status != BuildStatus.QUEUED.value]


def _explain_lost_claim(row: Row) -> MastraAdminError:
    holder = f"the worker {row['worker_id']}" if row["worker_id"] else "nobody"
    return LeaseLost(
        f"The claim of the build {row['id']} is over: it is {row['status']} and belongs to {holder} now.",
        hint="Stop working on it: what is still to do is somebody else's.",
        evidence={"generation": row["generation"], "status": row["status"]},
    )


def _explain_running(row: Row) -> MastraAdminError:
    return Conflict(
        f"The build {row['id']} can't be deleted: a server of it is running.", hint="Stop its deployment first."
    )


def _make_claim(worker_id: str, limit: int) -> Update:
    builds = tables.builds
    now = utc_now()
    statement = update(builds).where(builds.c.id == _find_next(limit), builds.c.status == BuildStatus.QUEUED.value)
    return statement.values(
        status=BuildStatus.BUILDING.value,
        worker_id=worker_id,
        started_at=now,
        heartbeat_at=now,
        generation=builds.c.generation + 1,
    ).returning(*builds.c)


def _find_next(limit: int) -> Any:
    candidate = tables.builds.alias("candidate")
    other = tables.builds.alias("other")
    active = tables.builds.alias("active")
    in_the_way = select(other.c.id).where(
        other.c.deployment_id == candidate.c.deployment_id,
        or_(
            other.c.status.in_(ACTIVE),
            and_(other.c.status == BuildStatus.QUEUED.value, other.c.number < candidate.c.number),
        ),
    )
    count = select(func.count()).select_from(active).where(active.c.status.in_(ACTIVE)).scalar_subquery()
    return (
        select(candidate.c.id)
        .where(candidate.c.status == BuildStatus.QUEUED.value, count < limit, ~in_the_way.exists())
        .order_by(candidate.c.priority.desc(), candidate.c.queued_at, candidate.c.created_at, candidate.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
