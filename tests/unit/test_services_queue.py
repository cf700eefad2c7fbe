"""The queue: cancelling in every phase, and what recovery makes of a worker that died at each step."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fixtures.house import House, dead_worker
from fixtures.quick import wait_until

from mastra_admin_sdk.errors import InvalidInput, ServerError
from mastra_admin_sdk.host import make_owner_id
from mastra_admin_sdk.models import Build, BuildKind, BuildStatus, DeploymentStatus, DesiredState
from mastra_admin_sdk.services.builds import queue as queue_module


class WorkerDied(BaseException):
    """What a kill -9 looks like from inside: nothing after it happens."""


def die(*_: Any, **__: Any) -> Any:
    raise WorkerDied


def run_until_death(house: House, build: Build, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Run a build whose worker is killed when it calls ``owner.name``; nothing of its clean-up happens."""
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        patch.setattr(house.path, "_put_back", lambda *_: None)
        patch.setattr(house.path, "retire", lambda *_, **__: None)
        if name != "end":
            patch.setattr(house.path.servers, "end", lambda *_, **__: None)
        with pytest.raises(WorkerDied):
            house.pipeline.run(build, lambda: None)
    for lease in house.storage.leases.list():
        house.storage.leases.release(lease)


def recover(house: House, build: Build) -> Build:
    house.queue.recover()
    return house.storage.builds.get(build.id)


# --- cancelling -------------------------------------------------------------------------------------------------------


def test_cancelling_a_queued_build_leaves_the_one_that_runs_alone(house: House) -> None:
    deployment = house.add_deployment()
    house.claim(deployment)
    house.storage.deployments.transition(deployment.id, DeploymentStatus.BUILDING, expected=[DeploymentStatus.PENDING])
    waiting = house.queue.enqueue(deployment)
    assert house.queue.cancel(waiting.id).status is BuildStatus.CANCELLED
    assert house.read(deployment).status is DeploymentStatus.BUILDING


def test_a_first_build_that_is_cancelled_while_it_waits_leaves_the_deployment_as_it_was(house: House) -> None:
    deployment = house.add_deployment()
    house.queue.cancel(house.queue.enqueue(deployment).id)
    assert house.read(deployment).status is DeploymentStatus.PENDING


def test_a_stopped_deployment_whose_start_is_cancelled_stays_stopped(house: House) -> None:
    deployment = house.add_deployment()
    build = house.deploy(deployment)
    house.deployments.stop(deployment)
    start = house.queue.enqueue(house.read(deployment), kind=BuildKind.RESTART, of=build)
    house.queue.cancel(start.id)
    house.supervise()
    found = house.read(deployment)
    assert (found.status, found.desired_state) == (DeploymentStatus.STOPPED, DesiredState.STOPPED)
    assert house.alive(deployment) == []


@pytest.mark.parametrize("priority", ["high", None, True, 1.5, 2**31, -(2**70)], ids=repr)
def test_a_priority_that_is_none_is_refused_and_leaves_a_stopped_deployment_stopped(
    house: House, priority: Any
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    house.deployments.stop(deployment)
    with pytest.raises(InvalidInput, match="priority"):
        house.deployments.deploy(house.read(deployment), priority=priority)
    house.supervise()
    assert house.read(deployment).desired_state is DesiredState.STOPPED
    assert house.alive(deployment) == []


def test_a_build_that_is_given_back_while_it_is_cancelled_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    build = house.claim(house.add_deployment())
    update = house.storage.builds.update

    def give_back_first(build_id: str, **changes: Any) -> Build:
        house.storage.builds.transition(build_id, BuildStatus.QUEUED, expected=[BuildStatus.BUILDING])
        return update(build_id, **changes)

    monkeypatch.setattr(house.storage.builds, "update", give_back_first)
    assert house.queue.cancel(build.id).status is BuildStatus.CANCELLED


def test_cancelling_what_has_ended_changes_nothing(house: House) -> None:
    build = house.deploy(house.add_deployment())
    assert house.queue.cancel(build.id) == build


def test_stopping_waits_for_no_worker_when_there_is_none(house: House) -> None:
    deployment = house.add_deployment()
    running = house.claim(deployment)
    waiting = house.queue.enqueue(deployment)
    stopped = house.deployments.stop(deployment)
    assert stopped.status is DeploymentStatus.STOPPED
    assert house.storage.builds.get(running.id).status is BuildStatus.CANCELLED
    assert house.storage.builds.get(waiting.id).status is BuildStatus.CANCELLED


# --- recovery ---------------------------------------------------------------------------------------------------------


def test_a_worker_that_lives_keeps_its_build(house: House) -> None:
    build = house.claim(house.add_deployment(), make_owner_id())
    assert recover(house, build).status is BuildStatus.BUILDING


def test_a_worker_that_lives_but_stops_beating_loses_its_build(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    build = house.claim(house.add_deployment(), make_owner_id())
    monkeypatch.setattr(queue_module, "_SILENCE", -1.0)
    assert recover(house, build).status is BuildStatus.BUILDING  # the first look: how long it is silent isn't known
    house.storage.builds.heartbeat(build.id, generation=build.generation)
    assert recover(house, build).status is BuildStatus.BUILDING
    assert recover(house, build).status is BuildStatus.QUEUED


def test_several_threads_look_for_dead_workers_at_once(house: House) -> None:
    for number in range(8):
        house.claim(house.add_deployment(f"app-{number}"), make_owner_id())
    failures: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(50):
                house.queue.recover()
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []


def test_a_build_of_a_dead_worker_is_queued_again_without_its_leftovers(house: House) -> None:
    build = house.claim(house.add_deployment())
    workspace = house.home.workspaces / build.id
    workspace.mkdir(parents=True)
    assert recover(house, build).status is BuildStatus.QUEUED
    assert not workspace.exists()
    assert house.runner.ended_builds == [build.id]


def test_a_build_that_kills_its_workers_ends_and_leaves_no_artifact(house: House) -> None:
    deployment = house.add_deployment()
    build = house.claim(deployment)
    for _ in range(queue_module.MOST_CLAIMS - 1):
        house.queue.recover()
        again = house.storage.builds.claim(dead_worker(), limit=1)
        assert again is not None
    for name in (build.id, f"{build.id}.partial"):
        (house.home.artifacts / name).mkdir(parents=True)
    ended = recover(house, build)
    assert ended.status is BuildStatus.FAILED
    assert "died 3 times" in str(ended.error_message)
    assert list(house.home.artifacts.iterdir()) == []
    assert house.read(deployment).status is DeploymentStatus.FAILED


def test_a_build_that_was_given_back_on_purpose_counts_no_death_for_it(house: House) -> None:
    deployment = house.add_deployment()
    house.source.write("weather", "behaviour.txt", "hangs")
    build = house.queue.enqueue(deployment)
    for claims in range(1, queue_module.MOST_CLAIMS + 1):
        worker = house.make_worker()
        worker.start()
        wait_until(lambda: "build" in house.storage.builds.get(build.id).phases, what="the build")
        worker.stop()
        assert house.storage.builds.get(build.id).generation == claims
    assert house.storage.builds.claim(dead_worker(), limit=1) is not None
    assert recover(house, build).status is BuildStatus.QUEUED


def test_one_build_that_cannot_be_recovered_does_not_keep_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = house.claim(house.add_deployment("one")), house.claim(house.add_deployment("two"))

    def resist(build_id: str) -> None:
        if build_id == second.id:
            raise ServerError("It can't be ended.")

    monkeypatch.setattr(house.runner, "end_build", resist)
    house.queue.recover()
    assert house.storage.builds.get(first.id).status is BuildStatus.QUEUED
    assert house.storage.builds.get(second.id).status is BuildStatus.BUILDING


@pytest.mark.parametrize("cancelled", [False, True], ids=["wanted", "cancelled"])
def test_a_worker_killed_before_the_switch_leaves_the_old_server_in_place(
    house: House, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    old = house.serving(deployment)
    build = house.claim(deployment)
    run_until_death(house, build, monkeypatch, house.path.routes, "lead_to")
    assert len(house.alive(deployment)) == 2
    house.storage.builds.update(build.id, cancel_requested=cancelled)
    assert recover(house, build).status is (BuildStatus.CANCELLED if cancelled else BuildStatus.QUEUED)
    assert house.serving(deployment).id == old.id


@pytest.mark.parametrize("after", [1, 2], ids=["first-host", "both-hosts"])
@pytest.mark.parametrize("cancelled", [False, True], ids=["wanted", "cancelled"])
def test_a_worker_killed_in_the_switch_leaves_the_new_server_with_all_hosts(
    house: House, monkeypatch: pytest.MonkeyPatch, after: int, cancelled: bool
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    build = house.claim(deployment)
    put, done = house.storage.routes.put, []

    def put_some(route: Any) -> Any:
        if len(done) == after:
            raise WorkerDied
        done.append(route)
        return put(route)

    with monkeypatch.context() as patch:
        patch.setattr(house.storage.routes, "put", put_some)
        run_until_death(house, build, monkeypatch, house.router, "register")
    house.storage.builds.update(build.id, cancel_requested=cancelled)
    assert recover(house, build).status is BuildStatus.SUCCEEDED
    assert house.serving(deployment).build_id == build.id
    assert house.read(deployment).current_build_id == build.id


@pytest.mark.parametrize("step", ["record_live", "succeed"])
def test_a_worker_killed_after_the_switch_has_its_build_finished(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    deployment = house.add_deployment()
    first = house.deploy(deployment)
    build = house.claim(deployment)
    run_until_death(house, build, monkeypatch, house.pipeline, step)
    assert recover(house, build).status is BuildStatus.SUCCEEDED
    assert house.serving(deployment).build_id == build.id
    found = house.read(deployment)
    assert (found.current_build_id, found.previous_build_id) == (build.id, first.id)


def test_a_new_server_that_crashed_with_its_worker_gives_the_hosts_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    old = house.serving(deployment)
    build = house.claim(deployment)
    run_until_death(house, build, monkeypatch, house.path.routes, "check_answer")
    (new,) = [item for item in house.alive(deployment) if item.build_id == build.id]
    house.crash(new)
    assert recover(house, build).status is BuildStatus.QUEUED
    assert house.serving(deployment).id == old.id


def test_a_server_started_in_the_moment_of_death_is_found_by_its_reserved_record(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    build = house.claim(deployment)
    run_until_death(house, build, monkeypatch, house.storage.processes, "update")
    (process,) = house.alive(deployment)
    assert process.pid is None
    assert recover(house, build).status is BuildStatus.QUEUED
    assert house.alive(deployment) == []
    assert house.runner.world.servers[process.id].exit is not None


def test_a_build_that_was_interrupted_after_its_artifact_uses_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    build = house.claim(deployment)
    run_until_death(house, build, monkeypatch, house.path, "go_live")
    house.queue.recover()
    again = house.storage.builds.claim(dead_worker(), limit=1)
    assert again is not None
    assert house.pipeline.run(again, lambda: None).status is BuildStatus.SUCCEEDED
    assert len(house.runner.requests) == 1


# --- going back -------------------------------------------------------------------------------------------------------


def test_only_builds_that_served_can_be_gone_back_to(house: House) -> None:
    deployment, other = house.add_deployment("one"), house.add_deployment("two")
    with pytest.raises(InvalidInput, match="no earlier build"):
        house.deployments.rollback(deployment)
    house.runner.behaviour = "crashes_on_boot"
    failed = house.deploy(deployment)
    with pytest.raises(InvalidInput, match="is failed"):
        house.deployments.rollback(deployment, failed)
    with pytest.raises(InvalidInput, match="another deployment"):
        house.deployments.rollback(other, failed)
