"""Leases with a time of their own: renewed in time, given up when they were not."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from fakes.storage import FakeAdminStorage
from fixtures.quick import wait_until

from mastra_admin_sdk.errors import LeaseLost
from mastra_admin_sdk.host import make_owner_id
from mastra_admin_sdk.services.leases import LeaseKeeper


@pytest.fixture
def storage() -> FakeAdminStorage:
    return FakeAdminStorage()


@pytest.fixture
def keeper(storage: FakeAdminStorage) -> Iterator[LeaseKeeper]:
    made = LeaseKeeper(storage.leases)
    yield made
    made.close()


def test_a_short_lease_is_renewed_in_time_beside_a_long_one(storage: FakeAdminStorage, keeper: LeaseKeeper) -> None:
    assert keeper.try_acquire("supervisor") is not None
    held = keeper.try_acquire("ingester", 0.3)
    assert held is not None
    first = held.current.expires_at
    wait_until(lambda: held.current.expires_at > first, timeout=5, what="a renewal")
    held.confirm()


def test_one_that_lives_but_does_not_renew_is_replaced_after_the_time_of_its_lease(
    storage: FakeAdminStorage, keeper: LeaseKeeper
) -> None:
    storage.leases.acquire("ingester", make_owner_id(), 0.2)
    started = time.monotonic()
    assert keeper.try_acquire("ingester", 0.2) is None
    wait_until(lambda: keeper.try_acquire("ingester", 0.2), timeout=5, what="the take-over")
    assert time.monotonic() - started >= 0.2


def test_a_lease_that_ran_out_is_not_confirmed_until_it_was_renewed(keeper: LeaseKeeper) -> None:
    held = keeper.try_acquire("ingester", 60.0)
    assert held is not None
    held.confirm()
    held.renewed_at -= 61
    with pytest.raises(LeaseLost, match="not renewed in time"):
        held.confirm()
    held.check()  # nobody is known to have it
