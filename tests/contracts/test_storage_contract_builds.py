"""What every storage promises for builds and the queue that they form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fixtures.storage import make_build, make_deployment, succeed

from mastra_admin_sdk.errors import (
    Conflict,
    InvalidInput,
    LeaseLost,
    NotFound,
    StaleState,
)
from mastra_admin_sdk.models import (
    BuildStatus,
    utc_now,
)
from mastra_admin_sdk.ports.storage import AdminStorage

ACTIVE = (BuildStatus.BUILDING, BuildStatus.DEPLOYING)
OPEN = (BuildStatus.QUEUED, *ACTIVE)
EARLIER = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def test_builds_are_numbered_in_their_deployment(storage: AdminStorage) -> None:
    one, two = make_deployment(storage, "one"), make_deployment(storage, "two")
    numbers = [make_build(storage, deployment, number=77).number for deployment in (one, one, two, one)]
    assert numbers == [1, 2, 1, 3]
    assert [build.number for build in storage.builds.list(one.id)] == [3, 2, 1]
    assert storage.builds.get_by_number(one.id, 2).deployment_id == one.id


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30], ids=["zero", "negative", "too-large", "huge"])
def test_a_number_that_no_build_can_have_is_not_found(storage: AdminStorage, number: int) -> None:
    deployment = make_deployment(storage)
    make_build(storage, deployment)
    with pytest.raises(NotFound):
        storage.builds.get_by_number(deployment.id, number)


def test_the_last_build_of_each_deployment_is_read_at_once(storage: AdminStorage) -> None:
    one, two, _ = (make_deployment(storage, name) for name in ("one", "two", "none"))
    builds = [make_build(storage, owner) for owner in (one, two, one, one)]
    storage.builds.delete(builds[3].id)
    assert storage.builds.list_last() == [builds[2], builds[1]]


def test_many_builds_are_read_at_once(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    builds = [make_build(storage, deployment) for _ in range(3)]
    found = storage.builds.get_many([builds[0].id, builds[2].id, builds[0].id, *map(str, range(1200))])
    assert found == {builds[0].id: builds[0], builds[2].id: builds[2]}
    assert storage.builds.get_many([]) == {}


def test_the_number_of_a_deleted_build_is_not_given_again(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    storage.builds.delete(make_build(storage, deployment).id)
    assert make_build(storage, deployment).number == 2


def test_builds_of_the_same_moment_are_listed_by_number(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    for _ in range(5):
        make_build(storage, deployment, created_at=EARLIER)
    assert [build.number for build in storage.builds.list()] == [5, 4, 3, 2, 1]


def test_builds_are_filtered_and_limited(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    builds = [make_build(storage, deployment) for _ in range(3)]
    storage.builds.transition(builds[0].id, BuildStatus.CANCELLED, expected=[BuildStatus.QUEUED])
    assert [build.number for build in storage.builds.list(statuses=[BuildStatus.QUEUED])] == [3, 2]
    assert [build.number for build in storage.builds.list(deployment.id, limit=2)] == [3, 2]
    assert storage.builds.list(limit=0) == []
    assert storage.builds.list("x") == []
    with pytest.raises(InvalidInput):
        storage.builds.list(limit=-1)


def test_a_claim_gives_the_oldest_build_to_the_worker(storage: AdminStorage) -> None:
    before = utc_now()
    newer = make_build(storage, queued_at=EARLIER + MICROSECOND)
    older = make_build(storage, queued_at=EARLIER)
    claimed = storage.builds.claim("worker", limit=5)
    assert claimed is not None
    assert claimed == storage.builds.get(older.id)
    assert (claimed.status, claimed.worker_id, claimed.generation) == (BuildStatus.BUILDING, "worker", 1)
    assert claimed.started_at is not None
    assert claimed.heartbeat_at is not None
    assert before <= claimed.started_at <= utc_now()
    following = storage.builds.claim("worker", limit=5)
    assert following is not None
    assert following.id == newer.id
    assert storage.builds.claim("worker", limit=5) is None


def test_a_claim_prefers_priority(storage: AdminStorage) -> None:
    make_build(storage, queued_at=EARLIER)
    urgent = make_build(storage, priority=1)
    claimed = storage.builds.claim("worker", limit=1)
    assert claimed is not None
    assert claimed.id == urgent.id


def test_a_deployment_builds_one_at_a_time_in_order(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    for priority in (0, 9, 0):
        make_build(storage, deployment, priority=priority)
    for number in (1, 2, 3):
        claimed = storage.builds.claim("worker", limit=9)
        assert claimed is not None
        assert claimed.number == number
        assert storage.builds.claim("other", limit=9) is None
        succeed(storage, claimed)


def test_no_more_builds_are_active_than_the_limit(storage: AdminStorage) -> None:
    for _ in range(4):
        make_build(storage)
    first, second = storage.builds.claim("a", limit=2), storage.builds.claim("b", limit=2)
    assert first is not None
    assert second is not None
    assert storage.builds.claim("c", limit=2) is None
    assert storage.builds.claim("c", limit=0) is None
    assert storage.builds.claim("c", limit=-1) is None
    storage.builds.transition(first.id, BuildStatus.DEPLOYING, expected=ACTIVE[:1])
    assert storage.builds.claim("c", limit=2) is None
    assert storage.builds.claim("c", limit=3) is not None


def test_a_deployment_never_has_two_active_builds(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    first, second = make_build(storage, deployment), make_build(storage, deployment)
    storage.builds.claim("worker", limit=1)
    with pytest.raises(Conflict, match="in progress"):
        storage.builds.transition(second.id, BuildStatus.BUILDING, expected=[BuildStatus.QUEUED])
    succeed(storage, first)
    storage.builds.transition(second.id, BuildStatus.BUILDING, expected=[BuildStatus.QUEUED])


def test_a_final_state_ends_the_claim(storage: AdminStorage) -> None:
    build = make_build(storage)
    storage.builds.claim("worker", limit=1)
    failed = storage.builds.transition(
        build.id, BuildStatus.FAILED, expected=OPEN, generation=1, error_message="broken", error={"exit_code": 1}
    )
    assert failed.worker_id is None
    assert failed.completed_at is not None
    assert failed.is_final
    assert (failed.error_message, failed.error) == ("broken", {"exit_code": 1})
    given = make_build(storage)
    ended = storage.builds.transition(given.id, BuildStatus.CANCELLED, expected=OPEN, completed_at=EARLIER)
    assert ended.completed_at == EARLIER


def test_a_build_that_is_queued_again_forgets_its_first_try(storage: AdminStorage) -> None:
    build = make_build(storage)
    storage.builds.claim("worker", limit=1)
    storage.builds.update(build.id, generation=1, phases={"copy": 0.5})
    queued = storage.builds.transition(build.id, BuildStatus.QUEUED, expected=ACTIVE)
    assert (queued.worker_id, queued.started_at, queued.phases) == (None, None, {})
    again = storage.builds.claim("other", limit=1)
    assert again is not None
    assert (again.id, again.worker_id, again.generation) == (build.id, "other", 2)


def test_whoever_lost_a_claim_can_write_no_more(storage: AdminStorage) -> None:
    build = make_build(storage)
    storage.builds.claim("slow", limit=1)
    storage.builds.transition(build.id, BuildStatus.QUEUED, expected=ACTIVE)
    writes: list[Callable[[], object]] = [
        lambda: storage.builds.heartbeat(build.id, generation=1),
        lambda: storage.builds.update(build.id, generation=1, commit="abc"),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    current = storage.builds.claim("quick", limit=1)
    writes.append(lambda: storage.builds.transition(build.id, BuildStatus.FAILED, expected=ACTIVE, generation=1))
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    assert storage.builds.get(build.id) == current


def test_a_heartbeat_shows_what_was_asked_meanwhile(storage: AdminStorage) -> None:
    build = make_build(storage)
    claimed = storage.builds.claim("worker", limit=1)
    storage.builds.update(build.id, cancel_requested=True)
    beaten = storage.builds.heartbeat(build.id, generation=1)
    assert claimed is not None
    assert beaten.heartbeat_at is not None
    assert claimed.heartbeat_at is not None
    assert beaten.heartbeat_at >= claimed.heartbeat_at
    assert beaten.cancel_requested


def test_build_transitions_are_checked(storage: AdminStorage) -> None:
    build = make_build(storage)
    with pytest.raises(InvalidInput):
        storage.builds.transition(build.id, BuildStatus.SUCCEEDED, expected=[BuildStatus.QUEUED])
    with pytest.raises(InvalidInput):
        storage.builds.transition(build.id, BuildStatus.QUEUED, expected=[BuildStatus.QUEUED])
    with pytest.raises(StaleState):
        storage.builds.transition(build.id, BuildStatus.DEPLOYING, expected=[BuildStatus.BUILDING])
    with pytest.raises(InvalidInput):
        storage.builds.transition(build.id, BuildStatus.CANCELLED, expected=OPEN, colour="red")
    assert storage.builds.get(build.id) == build
