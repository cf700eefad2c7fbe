"""Leases between processes: who counts as dead, and that none stays taken for nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fakes.storage import FakeAdminStorage
from fixtures.house import dead_worker
from fixtures.quick import wait_until

from mastra_admin_sdk.errors import Conflict, LeaseLost, StorageError
from mastra_admin_sdk.host import make_owner_id
from mastra_admin_sdk.services import leases as leases_module
from mastra_admin_sdk.services.background.roles import RoleThread
from mastra_admin_sdk.services.leases import LeaseKeeper


@pytest.fixture
def storage() -> FakeAdminStorage:
    return FakeAdminStorage()


@pytest.fixture
def keeper(storage: FakeAdminStorage) -> Iterator[LeaseKeeper]:
    made = LeaseKeeper(storage.leases)
    yield made
    made.close()


@pytest.fixture
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "TTL", 0.3)


def test_one_holder_at_a_time_also_among_threads_of_one_process(keeper: LeaseKeeper) -> None:
    held = keeper.try_acquire("ingester")
    assert held is not None
    assert keeper.try_acquire("ingester") is None
    keeper.release(held)
    keeper.release(held)
    assert keeper.try_acquire("ingester") is not None


def test_a_holder_whose_process_is_gone_is_replaced_at_once(storage: FakeAdminStorage, keeper: LeaseKeeper) -> None:
    storage.leases.acquire("supervisor", dead_worker(), 3600)
    assert keeper.holder("supervisor") is None
    held = keeper.try_acquire("supervisor")
    assert held is not None
    assert held.current.generation == 2


def test_a_holder_on_another_host_keeps_it_until_it_expires(storage: FakeAdminStorage, keeper: LeaseKeeper) -> None:
    storage.leases.acquire("supervisor", "elsewhere/boot/1/1/x", 3600)
    assert keeper.try_acquire("supervisor") is None
    storage.leases.acquire("supervisor", "elsewhere/boot/1/1/x", -1)
    assert keeper.try_acquire("supervisor") is not None


def test_a_holder_that_lives_keeps_it_though_its_time_is_over(storage: FakeAdminStorage, keeper: LeaseKeeper) -> None:
    storage.leases.acquire("supervisor", make_owner_id(), -3600)  # the laptop slept for an hour
    assert keeper.try_acquire("supervisor") is None


@pytest.mark.usefixtures("_in_a_hurry")
def test_a_holder_that_lives_but_is_seen_not_to_renew_loses_it(storage: FakeAdminStorage, keeper: LeaseKeeper) -> None:
    storage.leases.acquire("supervisor", make_owner_id(), 3600)
    assert keeper.try_acquire("supervisor") is None
    wait_until(lambda: keeper.try_acquire("supervisor"), timeout=5, what="the take-over")


@pytest.mark.usefixtures("_in_a_hurry")
def test_a_holder_that_renews_is_not_replaced(storage: FakeAdminStorage, keeper: LeaseKeeper) -> None:
    other = LeaseKeeper(storage.leases)
    try:
        held = other.try_acquire("supervisor")
        assert held is not None
        with pytest.raises(Conflict, match="is changing it"), keeper.hold("supervisor", timeout=0.8, what="it"):
            pass
        held.check()
    finally:
        other.close()


@pytest.mark.usefixtures("_in_a_hurry")
def test_who_was_replaced_hears_of_it(storage: FakeAdminStorage, keeper: LeaseKeeper) -> None:
    held = keeper.try_acquire("supervisor")
    assert held is not None
    storage.leases.acquire("supervisor", "thief", 60, replace_generation=held.current.generation)
    wait_until(held.lost.is_set, timeout=5, what="the loss")
    with pytest.raises(LeaseLost):
        held.check()
    keeper.release(held)
    assert storage.leases.get("supervisor") is not None


@pytest.mark.usefixtures("_in_a_hurry")
def test_what_could_not_be_given_back_is_given_back_when_the_database_is_there_again(
    storage: FakeAdminStorage, keeper: LeaseKeeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(lease: Any) -> None:
        raise StorageError("The database is away.")

    with caplog.at_level(logging.CRITICAL), monkeypatch.context() as patch:
        with keeper.hold("deployment/x", timeout=1, what="x"):
            patch.setattr(storage.leases, "release", fail)
        assert storage.leases.get("deployment/x") is not None
    wait_until(lambda: storage.leases.get("deployment/x") is None, timeout=5, what="the return")


def test_closing_gives_all_back_and_tells_who_still_works(storage: FakeAdminStorage) -> None:
    keeper = LeaseKeeper(storage.leases)
    held = keeper.try_acquire("deployment/x")
    assert held is not None
    keeper.close()
    assert storage.leases.list() == []
    with pytest.raises(LeaseLost):
        held.check()


def test_a_role_goes_on_after_errors_and_is_given_back_in_the_end(
    storage: FakeAdminStorage, keeper: LeaseKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()
    errors = iter([StorageError("Away."), ValueError("odd"), LeaseLost("Over.")])

    def step(held: Any) -> None:
        for error in errors:
            raise error
        done.set()

    role = RoleThread("ingester", step, 0.01, keeper)
    with caplog.at_level(logging.CRITICAL):
        role.start()
        assert done.wait(5)
        role.stop()
    assert role.stopping
    assert storage.leases.get("ingester") is None


def test_a_second_process_stands_by_for_a_role(storage: FakeAdminStorage, keeper: LeaseKeeper) -> None:
    first = keeper.try_acquire("ingester")
    assert first is not None
    done = threading.Event()
    role = RoleThread("ingester", lambda _: done.set(), 0.01, keeper)
    role.start()
    assert not done.wait(0.1)
    keeper.release(first)
    assert done.wait(5)
    role.stop()
