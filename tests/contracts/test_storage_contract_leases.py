"""What every storage promises for leases and offsets."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from mastra_admin_sdk.errors import (
    LeaseLost,
)
from mastra_admin_sdk.models import (
    Offset,
    utc_now,
)
from mastra_admin_sdk.ports.storage import AdminStorage


def test_a_lease_has_one_holder(storage: AdminStorage) -> None:
    lease = storage.leases.acquire("ingester", "one", 60)
    assert lease is not None
    assert (lease.name, lease.owner, lease.generation) == ("ingester", "one", 1)
    assert timedelta(seconds=50) < lease.expires_at - utc_now() < timedelta(seconds=70)
    assert storage.leases.acquire("ingester", "two", 60) is None
    assert storage.leases.get("ingester") == lease
    supervisor = storage.leases.acquire("supervisor", "two", 60)
    assert storage.leases.list() == [lease, supervisor]


def test_the_holder_may_take_its_lease_again(storage: AdminStorage) -> None:
    first = storage.leases.acquire("ingester", "one", 60)
    again = storage.leases.acquire("ingester", "one", 120)
    assert first is not None
    assert again is not None
    assert again.generation == first.generation
    assert again.expires_at > first.expires_at
    assert storage.leases.renew(first, 240).expires_at > again.expires_at


def test_an_expired_lease_goes_to_the_next(storage: AdminStorage) -> None:
    old = storage.leases.acquire("ingester", "one", 0.0)
    assert old is not None
    assert storage.leases.get("ingester") == old
    new = _acquire_soon(storage, "two")
    assert new.generation == old.generation + 1
    with pytest.raises(LeaseLost):
        storage.leases.renew(old, 60)
    storage.leases.release(old)
    assert storage.leases.get("ingester") == new


def test_an_expired_lease_that_nobody_took_can_be_renewed(storage: AdminStorage) -> None:
    lease = storage.leases.acquire("ingester", "one", 0.0)
    assert lease is not None
    renewed = storage.leases.renew(lease, 60)
    assert renewed.generation == lease.generation
    assert storage.leases.acquire("ingester", "two", 60) is None


def test_a_dead_holder_is_replaced_by_generation(storage: AdminStorage) -> None:
    dead = storage.leases.acquire("ingester", "dead", 600)
    assert dead is not None
    assert storage.leases.acquire("ingester", "two", 60, replace_generation=dead.generation + 1) is None
    new = storage.leases.acquire("ingester", "two", 60, replace_generation=dead.generation)
    assert new is not None
    assert new.generation == dead.generation + 1
    assert storage.leases.acquire("ingester", "three", 60, replace_generation=dead.generation) is None


def test_a_released_lease_never_gives_its_generation_out_again(storage: AdminStorage) -> None:
    lease = storage.leases.acquire("ingester", "one", 60)
    assert lease is not None
    storage.leases.release(lease)
    storage.leases.release(lease)
    assert storage.leases.get("ingester") is None
    assert storage.leases.list() == []
    with pytest.raises(LeaseLost):
        storage.leases.renew(lease, 60)
    again = storage.leases.acquire("ingester", "one", 60)
    assert again is not None
    assert again.generation == 2


def _acquire_soon(storage: AdminStorage, owner: str) -> Any:
    # The lease ended at the moment it began, but the clock that says so may stand still for a moment.
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lease = storage.leases.acquire("ingester", owner, 60)
        if lease is not None:
            return lease
    raise AssertionError("the lease never expired")


def test_offsets_are_saved_and_replaced(storage: AdminStorage) -> None:
    lease = storage.leases.acquire("ingester", "one", 60)
    assert lease is not None
    storage.offsets.save([Offset("a", 10, inode=2**64 - 1), Offset("b", 2**40, done=True)], lease)
    first = {offset.path: offset for offset in storage.offsets.list()}
    assert first["a"].inode == 2**64 - 1
    assert (first["b"].position, first["b"].done) == (2**40, True)
    storage.offsets.save([Offset("a", 20, inode=5, head=2**32 - 1)], lease)
    assert [(one.path, one.head) for one in storage.offsets.list(["a", "unknown"])] == [("a", 2**32 - 1)]
    assert storage.offsets.list([]) == []
    newest, _ = storage.offsets.list()
    assert (newest.path, newest.position, newest.inode) == ("a", 20, 5)
    assert newest.updated_at > first["a"].updated_at
    storage.offsets.delete(["a", "unknown"])
    assert [offset.path for offset in storage.offsets.list()] == ["b"]
    storage.offsets.save([], lease)
    storage.offsets.delete([])


def test_many_offsets_go_in_and_out_at_once(storage: AdminStorage) -> None:
    lease = storage.leases.acquire("ingester", "one", 60)
    assert lease is not None
    storage.offsets.save((Offset(f"file-{number}", number) for number in range(1200)), lease)
    assert len(storage.offsets.list()) == 1200
    storage.offsets.delete(f"file-{number}" for number in range(1199))
    assert [offset.path for offset in storage.offsets.list()] == ["file-1199"]


def test_only_the_holder_saves_offsets(storage: AdminStorage) -> None:
    old = storage.leases.acquire("ingester", "one", 600)
    assert old is not None
    storage.offsets.save([Offset("a", 10)], old)
    new = storage.leases.acquire("ingester", "two", 60, replace_generation=old.generation)
    assert new is not None
    with pytest.raises(LeaseLost):
        storage.offsets.save([Offset("a", 99), Offset("b", 1)], old)
    assert [(offset.path, offset.position) for offset in storage.offsets.list()] == [("a", 10)]


def test_it_describes_itself(storage: AdminStorage) -> None:
    assert storage.describe() in repr(storage)
