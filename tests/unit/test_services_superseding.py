"""Newer deploys take the place of older ones that wait; priority; how soon a queued build is begun."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House
from fixtures.quick import wait_until

from mastra_admin_sdk.errors import BuildSuperseded, Conflict
from mastra_admin_sdk.models import Build, BuildKind, BuildStatus, BuildTrigger, DesiredState
from mastra_admin_sdk.services.actors import acting
from mastra_admin_sdk.services.builds.bell import Bell


def read(house: House, build: Build) -> Build:
    return house.storage.builds.get(build.id)


@pytest.fixture
def keeping_house(tmp_path: Path) -> Iterator[House]:
    """A house where nothing is superseded."""
    made = House(tmp_path / "keeping", build_supersede=False)
    yield made
    made.close()


def test_a_newer_deploy_supersedes_all_older_ones_that_wait(house: House) -> None:
    deployment = house.add_deployment()
    first, second, third = (house.queue.enqueue(deployment) for _ in range(3))
    assert [read(house, item).status for item in (first, second, third)] == ["superseded", "superseded", "queued"]
    assert "#3" in str(read(house, second).error_message)


def test_waiting_for_a_superseded_build_names_the_newer_one(house: House) -> None:
    deployment = house.add_deployment()
    first, second = house.queue.enqueue(deployment), house.queue.enqueue(deployment)
    with pytest.raises(BuildSuperseded, match="#2 was queued after it") as caught:
        house.waiter.wait(first.id)
    assert caught.value.evidence["superseded_by"] == second.id
    assert caught.value.evidence["number"] == 2
    assert house.waiter.wait(second.id).status is BuildStatus.SUCCEEDED


def test_a_build_that_runs_is_not_superseded(house: House) -> None:
    deployment = house.add_deployment()
    running = house.claim(deployment)
    house.queue.enqueue(deployment)
    house.queue.enqueue(deployment)
    assert read(house, running).status is BuildStatus.BUILDING


@pytest.mark.parametrize(
    "kind", [BuildKind.RESTART, BuildKind.ROLLBACK, BuildKind.PROMOTE], ids=lambda kind: kind.value
)
def test_only_deploys_supersede_and_are_superseded(house: House, kind: BuildKind) -> None:
    deployment = house.add_deployment()
    built = house.deploy(deployment)
    deploy = house.queue.enqueue(deployment)
    other = house.queue.enqueue(deployment, kind=kind, of=built)
    assert read(house, deploy).status is BuildStatus.QUEUED
    house.queue.enqueue(deployment)
    assert read(house, other).status is BuildStatus.QUEUED
    assert read(house, deploy).status is BuildStatus.SUPERSEDED


def test_what_is_built_of_another_tag_or_commit_is_not_superseded(house: House) -> None:
    deployment = house.add_deployment()
    tag, first, second = (house.queue.enqueue(deployment, ref=ref, priority=1) for ref in ("v1", None, None))
    assert [read(house, item).status for item in (tag, first, second)] == ["queued", "superseded", "queued"]


def test_deployments_do_not_supersede_each_other(house: House) -> None:
    builds = [house.queue.enqueue(house.add_deployment(name)) for name in ("one", "two")]
    assert {read(house, item).status for item in builds} == {BuildStatus.QUEUED}


def test_nothing_is_superseded_where_the_setting_says_so(keeping_house: House) -> None:
    deployment = keeping_house.add_deployment()
    builds = [keeping_house.queue.enqueue(deployment) for _ in range(3)]
    assert {read(keeping_house, item).status for item in builds} == {BuildStatus.QUEUED}


def test_a_build_that_a_worker_claims_in_that_moment_is_built(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    first = house.queue.enqueue(deployment)
    transition = house.storage.builds.transition

    def claim_first(build_id: str, to: BuildStatus, **options: Any) -> Build:
        if to is BuildStatus.SUPERSEDED:
            assert house.storage.builds.claim("somebody", limit=10) is not None
        return transition(build_id, to, **options)

    monkeypatch.setattr(house.storage.builds, "transition", claim_first)
    second = house.queue.enqueue(deployment)
    assert read(house, first).status is BuildStatus.BUILDING
    assert read(house, second).status is BuildStatus.QUEUED


def test_of_superseding_and_claiming_at_once_exactly_one_gets_each_build(house: House) -> None:
    deployments = [house.add_deployment(f"app-{number}") for number in range(5)]
    stop = threading.Event()
    claimed: list[str] = []

    def claim_all() -> None:
        while not stop.is_set():
            found = house.storage.builds.claim("worker", limit=100)
            if found:
                claimed.append(found.id)
                house.storage.builds.transition(found.id, BuildStatus.FAILED, expected=[BuildStatus.BUILDING])

    thread = threading.Thread(target=claim_all)
    thread.start()
    for _ in range(10):
        for deployment in deployments:
            house.queue.enqueue(deployment)
    wait_until(lambda: not house.storage.builds.list(statuses=[BuildStatus.QUEUED]), what="the end of the queue")
    stop.set()
    thread.join()
    ended = house.storage.builds.list()
    assert {item.id for item in ended if item.status is BuildStatus.FAILED} == set(claimed)
    assert len(claimed) == len(set(claimed))
    assert all(item.status in (BuildStatus.FAILED, BuildStatus.SUPERSEDED) for item in ended)
    newest = [max(house.storage.builds.list(item.id), key=lambda build: build.number) for item in deployments]
    assert all(item.status is BuildStatus.FAILED for item in newest), "the newest is never superseded"


def test_a_build_that_is_given_back_is_superseded_by_one_that_came_meanwhile(house: House) -> None:
    deployment = house.add_deployment()
    house.source.write("weather", "behaviour.txt", "hangs")
    first = house.queue.enqueue(deployment)
    worker = house.make_worker()
    worker.start()
    wait_until(lambda: "build" in read(house, first).phases, what="the first build")
    second = house.queue.enqueue(deployment)
    worker.stop()
    assert read(house, first).status is BuildStatus.SUPERSEDED
    assert read(house, second).status is BuildStatus.QUEUED
    assert list(house.home.workspaces.iterdir()) == []


def test_what_is_superseded_leaves_its_priority_and_its_fresh_start_to_the_newer_one(house: House) -> None:
    deployment = house.add_deployment()
    house.queue.enqueue(deployment, priority=5, fresh=True)
    newer = house.queue.enqueue(deployment)
    assert (newer.priority, newer.fresh) == (5, True)


def test_builds_of_a_higher_priority_are_begun_first(house: House) -> None:
    names = ("low", "high", "middle")
    for name, priority in zip(names, (0, 9, 4), strict=True):
        house.queue.enqueue(house.add_deployment(name), priority=priority)
    claimed = [house.storage.builds.claim("worker", limit=10) for _ in names]
    assert [item.priority for item in claimed if item] == [9, 4, 0]


def test_a_build_names_who_asked_for_it(house: House) -> None:
    deployment = house.add_deployment()
    assert house.queue.enqueue(deployment).actor == "tester"
    with acting(actor="ana"):
        assert house.queue.enqueue(deployment).actor == "ana"


def test_what_is_asked_for_twice_under_one_id_is_queued_once(house: House) -> None:
    deployment = house.add_deployment()
    house.queue.enqueue(deployment, build_id="9f1f1f4e-0d5a-4c12-8f0e-111111111111")
    with pytest.raises(Conflict):
        house.queue.enqueue(deployment, build_id="9f1f1f4e-0d5a-4c12-8f0e-111111111111")
    assert len(house.storage.builds.list(deployment.id)) == 1


def test_what_fires_by_itself_does_not_revive_a_stopped_deployment(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    house.deployments.stop(deployment)
    house.queue.enqueue(deployment, trigger=BuildTrigger.WATCH, revive=False)
    assert house.read(deployment).desired_state is DesiredState.STOPPED


def test_a_queued_build_is_begun_within_50_ms_in_the_same_process(house: House) -> None:
    worker = house.make_worker()
    worker.start()
    seconds = []
    try:
        for _ in range(10):
            build = house.queue.enqueue(house.add_deployment(f"app-{len(seconds)}"))
            wait_until(lambda build=build: read(house, build).is_final, what="the build")
            ended = read(house, build)
            assert ended.started_at is not None
            seconds.append((ended.started_at - ended.queued_at).total_seconds())
    finally:
        worker.stop()
    assert sorted(seconds)[len(seconds) // 2] <= 0.05, seconds


def test_a_place_that_gets_free_is_taken_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_admin_sdk.services.builds.worker._POLL", 60.0)
    one, two = house.add_deployment("one"), house.add_deployment("two")
    house.source.write("one", "behaviour.txt", "hangs")
    first, second = house.queue.enqueue(one), house.queue.enqueue(two)
    workers = [house.make_worker() for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        wait_until(lambda: "build" in read(house, first).phases, what="the first build")
        assert read(house, second).status is BuildStatus.QUEUED
        house.queue.cancel(first.id)
        wait_until(lambda: read(house, second).is_final, timeout=10, what="the second build")
    finally:
        for worker in workers:
            worker.stop()


def test_a_bell_that_rang_before_the_wait_is_not_missed() -> None:
    bell = Bell()
    heard = bell.rings
    bell.ring()
    assert bell.wait(heard, timeout=60) == heard + 1
    assert bell.wait(heard + 1, timeout=0.01) == heard + 1


def test_several_threads_wait_for_builds_at_once(house: House) -> None:
    builds = [house.queue.enqueue(house.add_deployment(f"app-{number}")) for number in range(8)]
    ended: list[Build] = []
    threads = [
        threading.Thread(target=lambda build=build: ended.append(house.waiter.wait(build.id))) for build in builds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {item.id for item in ended} == {item.id for item in builds}
    house.waiter.close()
    assert not any(thread.name == "mastra-admin-worker" for thread in threading.enumerate())
