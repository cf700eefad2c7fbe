"""Supervision: one pass brings servers, routes and states back to what the records want, one deployment at a time."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import LeaseLost, NoFreePort, ServerError
from mastra_admin_sdk.host import make_owner_id
from mastra_admin_sdk.models import (
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DesiredState,
    ProcessStatus,
    utc_now,
)
from mastra_admin_sdk.services.supervision import restarts


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "_LONGEST_PAUSE", 0.0)


@pytest.fixture
def deployment(house: House) -> Deployment:
    """A deployment that serves."""
    made = house.add_deployment()
    house.deploy(made)
    return made


def test_a_pass_over_what_is_right_changes_nothing(house: House, deployment: Deployment) -> None:
    before = house.serving(deployment)
    writes = len(house.router.writes)
    house.supervise(times=2)
    assert house.serving(deployment) == before
    assert len(house.router.writes) == writes


def test_a_server_that_ended_is_started_again_with_its_count(house: House, deployment: Deployment) -> None:
    first = house.serving(deployment)
    house.crash(first)
    house.supervise()
    again = house.serving(deployment)
    assert (again.restarts, again.build_id) == (1, first.build_id)
    ended = house.storage.processes.get(first.id)
    assert (ended.status, ended.exit_code) == (ProcessStatus.EXITED, 7)
    assert house.read(deployment).status is DeploymentStatus.RUNNING


def test_it_gives_up_after_the_limit_and_says_why(house: House, deployment: Deployment) -> None:
    house.crash(house.serving(deployment))
    house.runner.behaviour = "crashes_on_boot"
    for folder in house.home.artifacts.iterdir():
        (folder / "behaviour.txt").write_text("crashes_on_boot")
    house.supervise(times=restarts.MAX_RESTARTS + 2)
    found = house.read(deployment)
    assert found.status is DeploymentStatus.FAILED
    assert f"ended {restarts.MAX_RESTARTS + 1} times" in str(found.status_reason)
    starts = len(house.runner.starts)
    house.supervise(times=2)
    assert len(house.runner.starts) == starts == 1 + restarts.MAX_RESTARTS
    assert house.storage.routes.list() == []
    assert house.alive(deployment) == []


def test_ends_long_ago_and_stops_on_request_do_not_count(house: House, deployment: Deployment) -> None:
    for _ in range(restarts.MAX_RESTARTS + 2):
        house.crash(house.serving(deployment))
        house.supervise()
        for process in house.storage.processes.list(deployment.id, statuses=[ProcessStatus.EXITED]):
            house.storage.processes.update(process.id, exited_at=utc_now() - timedelta(minutes=11))
    for _ in range(restarts.MAX_RESTARTS + 2):
        house.path.retire(house.alive(deployment), grace=0.0)
        house.supervise()
    assert house.read(deployment).status is DeploymentStatus.RUNNING


def test_a_pause_grows_with_each_end(house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "_LONGEST_PAUSE", 60.0)
    house.crash(house.serving(deployment))
    house.supervise()
    house.crash(house.serving(deployment))
    house.supervise()
    assert house.alive(deployment) == []
    assert house.read(deployment).status is DeploymentStatus.PENDING


def test_an_artifact_that_is_gone_ends_the_attempts_at_once(house: House, deployment: Deployment) -> None:
    house.crash(house.serving(deployment))
    shutil.rmtree(house.home.artifacts)
    house.supervise()
    found = house.read(deployment)
    assert found.status is DeploymentStatus.FAILED
    assert "is gone" in str(found.status_reason)


def test_a_want_of_ports_is_waited_out(house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    house.crash(house.serving(deployment))

    def refuse(taken: frozenset[int]) -> int:
        raise NoFreePort("None is left.")

    with monkeypatch.context() as patch:
        patch.setattr(house.runner, "find_port", refuse)
        house.supervise(times=restarts.MAX_RESTARTS + 3)
    assert house.read(deployment).status is DeploymentStatus.PENDING
    house.supervise()
    house.serving(deployment)


def test_a_route_that_leads_nowhere_is_led_to_the_server(house: House, deployment: Deployment) -> None:
    process = house.serving(deployment)
    for route in house.storage.routes.list():
        house.storage.routes.put(type(route)(route.host, route.target_host, 1, deployment.id))
    house.supervise()
    assert house.serving(deployment).id == process.id


def test_a_server_without_a_route_gets_its_own(house: House, deployment: Deployment) -> None:
    house.path.routes.close(deployment.id)
    house.supervise()
    house.serving(deployment)


def test_a_router_that_was_killed_comes_back_with_its_routes(house: House, deployment: Deployment) -> None:
    house.router.stop()
    house.supervise()
    house.serving(deployment)


def test_a_stop_that_was_interrupted_is_finished(house: House, deployment: Deployment) -> None:
    house.storage.deployments.update(deployment.id, desired_state=DesiredState.STOPPED)
    house.supervise()
    assert house.read(deployment).status is DeploymentStatus.STOPPED
    assert house.alive(deployment) == []
    assert house.router.routes == {}


def test_a_stop_whose_last_word_is_missing_gets_it(house: House, deployment: Deployment) -> None:
    house.storage.deployments.update(deployment.id, desired_state=DesiredState.STOPPED)
    house.path.routes.close(deployment.id)
    house.path.retire(house.alive(deployment))
    house.supervise()
    assert house.read(deployment).status is DeploymentStatus.STOPPED


def test_a_deployment_that_seems_to_be_built_by_nobody_is_settled(house: House) -> None:
    deployment = house.add_deployment()
    house.storage.deployments.transition(deployment.id, DeploymentStatus.BUILDING, expected=[DeploymentStatus.PENDING])
    house.supervise()
    assert house.read(deployment).status is DeploymentStatus.FAILED


def test_a_deployment_with_a_build_on_its_way_to_live_is_left_to_its_worker(
    house: House, deployment: Deployment
) -> None:
    process = house.serving(deployment)
    build = house.claim(deployment, make_owner_id())
    house.storage.builds.transition(build.id, BuildStatus.DEPLOYING, expected=[BuildStatus.BUILDING])
    house.crash(process)
    house.supervise()
    assert house.storage.processes.get(process.id).status is ProcessStatus.RUNNING


def test_a_server_that_crashes_while_its_successor_is_built_is_started_again(
    house: House, deployment: Deployment
) -> None:
    process = house.serving(deployment)
    house.claim(deployment, make_owner_id())
    house.crash(process)
    house.supervise()
    assert house.serving(deployment).id != process.id


def test_one_deployment_that_resists_does_not_keep_the_others(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = house.add_deployment("other")
    house.deploy(other)
    stubborn = house.serving(other)
    house.crash(stubborn)
    house.crash(house.serving(deployment))
    stop = house.runner.stop

    def resist(server: Any, grace: float) -> Any:
        if server.process_id == stubborn.id:
            raise ServerError("It can't be ended.")
        return stop(server, grace)

    monkeypatch.setattr(house.runner, "stop", resist)
    house.supervise()
    house.serving(deployment)


def test_a_pass_ends_soon_when_its_process_is_to_stop(house: House, deployment: Deployment) -> None:
    house.crash(house.serving(deployment))
    role = house.take("supervisor")
    answers = iter([False, False, True])
    with pytest.raises(LeaseLost):
        house.supervisor.run_once(role, stopping=lambda: next(answers, True))
    assert house.alive(deployment) == []


def test_after_a_reboot_everything_comes_back(house: House, deployment: Deployment) -> None:
    house.runner.close()
    house.router.stop()
    house.supervise()
    house.serving(deployment)


def test_builds_of_dead_workers_are_recovered_in_each_pass(house: House) -> None:
    build = house.claim(house.add_deployment())
    house.supervise()
    assert house.storage.builds.get(build.id).status is BuildStatus.QUEUED
