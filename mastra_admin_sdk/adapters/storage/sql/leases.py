"""Roles, and the offsets that only the holder of one may save."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, case, delete, or_, select, update
from sqlalchemy.sql import ColumnElement

from mastra_admin_sdk.errors import LeaseLost
from mastra_admin_sdk.models import Lease, Offset, utc_now
from mastra_admin_sdk.ports.storage import LeaseRepository, OffsetRepository

from . import tables
from .columns import later
from .engine import Database
from .rows import Codec
from .upsert import make_upsert

_CHUNK = 500
_leases = tables.leases.c
_offsets = tables.offsets.c


class SqlLeases(LeaseRepository):
    """Leases. A given-back one keeps its row, without owner, so that no generation is used twice."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._codec = Codec(Lease)

    def acquire(self, name: str, owner: str, ttl: float, *, replace_generation: int | None = None) -> Lease | None:
        statement = make_upsert(
            self._database,
            tables.leases,
            {"name": name, "owner": owner, "generation": 1, "expires_at": self._database.clock(ttl)},
            keys=["name"],
            changed=["owner", "expires_at"],
            expressions=lambda new: {
                "generation": case((_leases.owner == new.owner, _leases.generation), else_=_leases.generation + 1)
            },
            where=lambda new: self._is_free(new.owner, replace_generation),
        ).returning(*_leases)
        row = self._database.write(lambda c: c.execute(statement).mappings().one_or_none())
        return None if row is None else self._codec.decode(row)

    def renew(self, lease: Lease, ttl: float) -> Lease:
        statement = update(tables.leases).where(*_held_by(lease)).values(expires_at=self._database.clock(ttl))
        row = self._database.write(lambda c: c.execute(statement.returning(*_leases)).mappings().one_or_none())
        if row is None:
            raise _make_lost(lease)
        return self._codec.decode(row)

    def release(self, lease: Lease) -> None:
        statement = update(tables.leases).where(*_held_by(lease)).values(owner=None)
        self._database.write(lambda c: c.execute(statement))

    def get(self, name: str) -> Lease | None:
        statement = select(tables.leases).where(_leases.name == name, _leases.owner.is_not(None))
        row = self._database.read(lambda c: c.execute(statement).mappings().one_or_none())
        return None if row is None else self._codec.decode(row)

    def list(self) -> Sequence[Lease]:
        statement = select(tables.leases).where(_leases.owner.is_not(None)).order_by(_leases.name)
        rows = self._database.read(lambda c: c.execute(statement).mappings().all())
        return [self._codec.decode(row) for row in rows]

    def _is_free(self, owner: ColumnElement[Any], replace_generation: int | None) -> ColumnElement[bool]:
        ways = [_leases.owner.is_(None), _leases.owner == owner, _leases.expires_at <= self._database.clock()]
        if replace_generation is not None:
            ways.append(_leases.generation == replace_generation)
        return or_(*ways)


class SqlOffsets(OffsetRepository):
    """Offsets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._codec = Codec(Offset)

    def list(self, paths: Sequence[str] | None = None) -> Sequence[Offset]:
        statement = select(tables.offsets).order_by(_offsets.updated_at.desc(), _offsets.path.desc())
        parts = [statement] if paths is None else [statement.where(_offsets.path.in_(part)) for part in _cut(paths)]
        rows = self._database.read(lambda c: [row for part in parts for row in c.execute(part).mappings()])
        return [self._codec.decode(row) for row in rows]

    def save(self, offsets: Iterable[Offset], lease: Lease) -> None:
        now = utc_now()
        rows = [{**self._codec.encode(offset), "updated_at": now} for offset in offsets]
        statement = make_upsert(
            self._database,
            tables.offsets,
            {},
            keys=["path"],
            changed=["position", "inode", "done", "head"],
            expressions=lambda new: {"updated_at": later(_offsets.updated_at, new.updated_at)},
        )

        def work(connection: Connection) -> None:
            # The shared lock keeps a take-over waiting until the offsets are in.
            held = select(_leases.name).where(*_held_by(lease)).with_for_update(read=True)
            if connection.execute(held).one_or_none() is None:
                raise _make_lost(lease)
            if rows:
                connection.execute(statement, rows)

        self._database.write(work)

    def delete(self, paths: Iterable[str]) -> None:
        names = [*paths]

        def work(connection: Connection) -> None:
            for part in _cut(names):
                connection.execute(delete(tables.offsets).where(_offsets.path.in_(part)))

        self._database.write(work)


def _cut(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]


def _held_by(lease: Lease) -> list[ColumnElement[bool]]:
    return [_leases.name == lease.name, _leases.owner == lease.owner, _leases.generation == lease.generation]


def _make_lost(lease: Lease) -> LeaseLost:
    return LeaseLost(
        f"The role {lease.name} is not held by {lease.owner} (generation {lease.generation}) any more.",
        hint="Stop the work of this role; acquire it again to go on.",
    )
