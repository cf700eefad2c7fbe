"""Cancelling at every stage of a build: what is left is what was there before."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from fixtures.house import House, dead_worker
from fixtures.quick import wait_until

from mastra_admin_sdk.models import (
    Build,
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DesiredState,
    ProcessStatus,
    Strategy,
)
from mastra_admin_sdk.services.builds.phases import PhaseClock
from mastra_admin_sdk.services.shutdown import shut_down

BEFORE_THE_SWITCH = ("copy", "install", "build", "start", "health", "route")


def read(house: House, build: Build) -> Build:
    return house.storage.builds.get(build.id)


def cancel_in(house: House, monkeypatch: pytest.MonkeyPatch, stage: str) -> Callable[[], None]:
    """Cancel the build that runs when it enters a phase, and return the cancel check for it."""
    enter = PhaseClock.enter

    def enter_and_cancel(self: PhaseClock, phase: str) -> None:
        enter(self, phase)
        if phase == stage:
            (active,) = [item for item in house.storage.builds.list() if not item.is_final]
            house.queue.cancel(active.id)

    monkeypatch.setattr(PhaseClock, "enter", enter_and_cancel)
    return lambda: None


def run_with_worker(house: House, build: Build) -> Build:
    worker = house.make_worker()
    worker.start()
    try:
        wait_until(lambda: read(house, build).is_final, what="the end of the build")
    finally:
        worker.stop()
    return read(house, build)


def assert_nothing_left(house: House, build: Build) -> None:
    """No workspace, no unfinished artifact, no process, no lock."""
    assert list(house.home.workspaces.glob("*")) == []
    if not read(house, build).artifact:
        assert list(house.home.artifacts.glob(f"{build.id}*")) == []
    processes = [item for item in house.storage.processes.list() if item.build_id == build.id]
    assert all(item.status is ProcessStatus.EXITED for item in processes)
    assert all(house.runner.world.servers[item.id].exit for item in processes)
    assert house.storage.leases.list() == []


def start_hanging(house: House, deployment: Deployment) -> Build:
    """Let a build hang in its build phase, and give the one that hangs."""
    house.source.write("weather", "behaviour.txt", "hangs")
    return house.queue.enqueue(deployment)


def test_a_build_cancelled_while_queued_leaves_nothing(house: House) -> None:
    deployment = house.add_deployment()
    build = house.queue.enqueue(deployment)
    assert house.queue.cancel(build.id).status is BuildStatus.CANCELLED
    assert_nothing_left(house, build)
    assert house.storage.builds.claim("worker", limit=1) is None


@pytest.mark.parametrize("stage", BEFORE_THE_SWITCH)
def test_a_first_build_cancelled_before_the_switch_leaves_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    deployment = house.add_deployment()
    slow_down(house, monkeypatch)
    cancel_in(house, monkeypatch, stage)
    build = run_with_worker(house, house.queue.enqueue(deployment))
    assert build.status is BuildStatus.CANCELLED
    assert stage in [*build.phases][-2:]
    assert_nothing_left(house, build)
    assert house.alive(deployment) == []
    assert house.storage.routes.list(deployment.id) == []
    assert house.router.routes == {}


@pytest.mark.parametrize("stage", BEFORE_THE_SWITCH)
def test_a_build_cancelled_before_the_switch_leaves_what_serves(
    house: House, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    deployment = house.add_deployment()
    first = house.deploy(deployment)
    old = house.serving(deployment)
    slow_down(house, monkeypatch)
    cancel_in(house, monkeypatch, stage)
    build = run_with_worker(house, house.queue.enqueue(deployment))
    assert build.status is BuildStatus.CANCELLED
    assert house.serving(deployment).id == old.id
    assert house.read(deployment).status is DeploymentStatus.RUNNING
    assert house.read(deployment).current_build_id == first.id
    assert_nothing_left(house, build)


def test_a_build_cancelled_while_the_old_server_drains_is_live_already(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    cancel_in(house, monkeypatch, "drain")
    build = run_with_worker(house, house.queue.enqueue(deployment))
    assert build.status is BuildStatus.SUCCEEDED
    assert house.serving(deployment).build_id == build.id
    assert house.storage.leases.list() == []


def test_a_recreate_cancelled_while_the_old_server_drains_brings_it_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment(strategy=Strategy.RECREATE)
    first = house.deploy(deployment)
    slow_down(house, monkeypatch)
    cancel_in(house, monkeypatch, "drain")
    build = run_with_worker(house, house.queue.enqueue(deployment))
    assert build.status is BuildStatus.CANCELLED
    assert house.serving(deployment).build_id == first.id
    assert_nothing_left(house, build)


def slow_down(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what comes after a cancel take a moment, as it does in reality: the worker is told by its pulse."""
    from mastra_admin_sdk.services.builds.worker import Pulse

    check = Pulse.check

    def look_first(self: Any) -> None:
        if house.storage.builds.get(self._build.id).cancel_requested:
            wait_until(self._cancelled.is_set, what="the pulse to hear of the cancel")
        check(self)

    monkeypatch.setattr(Pulse, "check", look_first)


def test_a_cancel_is_heard_at_once_in_the_same_process(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_admin_sdk.services.builds.worker._HEARTBEAT", 60.0)
    build = start_hanging(house, house.add_deployment())
    worker = house.make_worker()
    worker.start()
    try:
        wait_until(lambda: "build" in read(house, build).phases, what="the build")
        house.queue.cancel(build.id)
        wait_until(lambda: read(house, build).is_final, timeout=10, what="its end")
    finally:
        worker.stop()
    assert read(house, build).status is BuildStatus.CANCELLED


def test_a_cancelled_build_whose_worker_is_dead_ends_in_that_call(house: House) -> None:
    """Coolify 11327: cancel answered an error after it had committed, and nothing ended the build."""
    deployment = house.add_deployment()
    build = house.claim(deployment, dead_worker())
    (house.home.workspaces / build.id).mkdir(parents=True)
    began = time.monotonic()
    assert house.queue.cancel(build.id).status is BuildStatus.CANCELLED
    assert time.monotonic() - began < 1.0
    assert house.runner.ended_builds == [build.id]
    assert_nothing_left(house, build)
    following = house.queue.enqueue(deployment)
    claimed = house.storage.builds.claim("worker", limit=1)
    assert claimed is not None
    assert claimed.id == following.id


def test_cancelling_wakes_the_queue_for_the_builds_behind(house: House) -> None:
    """Coolify 11327: the queue stood still behind a build that was cancelled."""
    build = start_hanging(house, house.add_deployment())
    behind = house.queue.enqueue(house.add_deployment("other"))
    worker = house.make_worker()
    worker.start()
    try:
        wait_until(lambda: "build" in read(house, build).phases, what="the build")
        house.queue.cancel(build.id)
        wait_until(lambda: read(house, behind).is_final, what="the build behind it")
    finally:
        worker.stop()
    assert read(house, behind).status is BuildStatus.SUCCEEDED


def test_a_build_whose_host_died_does_not_stay_running(house: House) -> None:
    """Dokploy 4461: a build exhausted its host; its row and its lock stayed as they were."""
    deployment = house.add_deployment()
    build = house.claim(deployment, dead_worker())
    house.storage.leases.acquire(f"deployment/{deployment.id}", dead_worker(), 3600)
    worker = house.make_worker()
    worker.start()
    try:
        wait_until(lambda: read(house, build).is_final, what="the end of the build")
    finally:
        worker.stop()
    assert read(house, build).status is BuildStatus.SUCCEEDED
    assert read(house, build).generation == 2


def test_deleting_a_deployment_cancels_its_builds_first(house: House) -> None:
    """CapRover 641: a build that could not be cancelled kept its app from being deleted."""
    deployment = house.add_deployment()
    build = start_hanging(house, deployment)
    worker = house.make_worker()
    worker.start()
    try:
        wait_until(lambda: "build" in read(house, build).phases, what="the build")
        house.queue.enqueue(deployment)
        house.deployments.delete(deployment)
    finally:
        worker.stop()
    assert house.storage.deployments.list() == []
    assert house.storage.builds.list() == []
    assert list(house.home.workspaces.glob("*")) == []
    assert list(house.home.artifacts.glob("*")) == []


def test_a_begun_build_that_is_cancelled_in_the_queue_leaves_no_folder(house: House) -> None:
    build = house.claim(house.add_deployment(), dead_worker())
    (house.home.artifacts / f"{build.id}.partial").mkdir(parents=True)
    house.queue.recover()
    assert house.queue.cancel(build.id).status is BuildStatus.CANCELLED
    assert list(house.home.artifacts.glob("*")) == []


@pytest.mark.parametrize("stage", BEFORE_THE_SWITCH)
def test_a_stopped_deployment_is_stopped_again_when_the_build_that_would_start_it_is_cancelled(
    house: House, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    deployment = house.add_deployment()
    run_with_worker(house, house.queue.enqueue(deployment))
    house.deployments.stop(house.storage.deployments.get(deployment.id))
    house.source.write("weather", "new.txt", "changed")
    slow_down(house, monkeypatch)
    cancel_in(house, monkeypatch, stage)
    build = run_with_worker(house, house.queue.enqueue(deployment))
    found = house.storage.deployments.get(deployment.id)
    assert build.status is BuildStatus.CANCELLED
    assert (found.status, found.desired_state) == (DeploymentStatus.STOPPED, DesiredState.STOPPED)
    assert_nothing_left(house, build)


def test_a_deployment_that_down_ended_still_comes_back_when_a_queued_build_is_cancelled(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    shut_down(house.parts, house.path, house.queue, lambda _: None)
    house.queue.cancel(house.queue.enqueue(deployment).id)
    found = house.read(deployment)
    assert (found.status, found.desired_state) == (DeploymentStatus.STOPPED, DesiredState.RUNNING)


def test_a_stopped_deployment_is_stopped_again_when_the_newest_of_several_builds_is_cancelled(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    house.deployments.stop(house.read(deployment))
    house.queue.enqueue(deployment)
    house.queue.cancel(house.queue.enqueue(deployment).id)
    assert house.read(deployment).desired_state is DesiredState.STOPPED


def test_a_bad_build_does_not_end_the_attempts_to_start_what_crashed_again(house: House) -> None:
    deployment = house.add_deployment()
    first = house.deploy(deployment)
    process = house.serving(deployment)
    house.crash(process)
    house.path.servers.end(process)
    house.storage.deployments.transition(
        deployment.id, DeploymentStatus.PENDING, expected=[DeploymentStatus.RUNNING], status_reason="It crashed."
    )
    house.source.write("weather", "behaviour.txt", "fails")
    build = run_with_worker(house, house.queue.enqueue(deployment))
    assert build.status is BuildStatus.FAILED
    assert house.read(deployment).status is DeploymentStatus.PENDING
    house.supervise()
    assert house.read(deployment).status is DeploymentStatus.RUNNING
    assert house.serving(deployment).build_id == first.id
