"""What every storage promises for keys of requests: the same tests for the fake, SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fixtures.storage import make_build, make_deployment

from mastra_admin_sdk.errors import NotFound, StaleState
from mastra_admin_sdk.models import Build, IdempotencyKey, utc_now
from mastra_admin_sdk.ports.storage import AdminStorage

HOUR = timedelta(hours=1)


def make_key(digest: str = "d", *, fingerprint: str = "f", expires_in: timedelta = HOUR) -> IdempotencyKey:
    return IdempotencyKey(digest, fingerprint, expires_at=utc_now() + expires_in)


def test_a_key_is_kept_with_its_build(storage: AdminStorage) -> None:
    key = make_key()
    build = storage.builds.create(Build(make_deployment(storage).id), key=key)
    found = storage.idempotency_keys.get("d")
    assert (found.build_id, found.fingerprint, found.expires_at) == (build.id, "f", key.expires_at)


def test_a_key_that_is_used_stores_nothing(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    first = storage.builds.create(Build(deployment.id), key=make_key())
    with pytest.raises(StaleState):
        storage.builds.create(Build(deployment.id), key=make_key(fingerprint="other"))
    assert storage.builds.list() == [first]
    assert storage.idempotency_keys.get("d").fingerprint == "f"
    # Neither does a number go with it.
    assert make_build(storage, deployment).number == 2


def test_a_build_that_can_not_be_stored_uses_no_key(storage: AdminStorage) -> None:
    with pytest.raises(NotFound):
        storage.builds.create(Build("no deployment"), key=make_key())
    with pytest.raises(NotFound):
        storage.idempotency_keys.get("d")


def test_an_expired_key_is_as_good_as_gone(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    storage.builds.create(Build(deployment.id), key=make_key(expires_in=-HOUR))
    with pytest.raises(NotFound):
        storage.idempotency_keys.get("d")
    again = storage.builds.create(Build(deployment.id), key=make_key())
    assert storage.idempotency_keys.get("d").build_id == again.id


def test_only_expired_keys_are_pruned(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    for digest, expires_in in (("old", -HOUR), ("older", -2 * HOUR), ("new", HOUR)):
        storage.builds.create(Build(deployment.id), key=make_key(digest, expires_in=expires_in))
    assert storage.idempotency_keys.prune() == 2
    assert storage.idempotency_keys.prune() == 0
    assert storage.idempotency_keys.get("new").digest == "new"


def test_a_key_outlives_its_build(storage: AdminStorage) -> None:
    build = storage.builds.create(Build(make_deployment(storage).id), key=make_key())
    storage.builds.delete(build.id)
    assert storage.idempotency_keys.get("d").build_id is None


def test_of_many_threads_one_gets_the_key(storage: AdminStorage) -> None:
    deployments = [make_deployment(storage, f"d{number}") for number in range(4)]

    def ask(number: int) -> bool:
        try:
            storage.builds.create(Build(deployments[number % 4].id), key=make_key())
        except StaleState:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
    assert len(storage.builds.list()) == 1
