"""Several servers behind one address: on deploys, when one of them crashes, and when their number changes."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import InvalidInput, LeaseLost, ServerUnhealthy
from mastra_admin_sdk.models import (
    BuildKind,
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DesiredState,
    Process,
    ProcessStatus,
    Strategy,
)
from mastra_admin_sdk.services.deployments.live import lock_name
from mastra_admin_sdk.services.deployments.scaling import Scaling
from mastra_admin_sdk.services.supervision import restarts


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "_LONGEST_PAUSE", 0.0)


@pytest.fixture
def deployment(house: House) -> Deployment:
    """A deployment that serves with three servers."""
    made = house.deployments.find_or_create(house.add_project(), replicas=3)
    house.deploy(made)
    return made


def list_serving(house: House, deployment: Deployment) -> list[Process]:
    """Return the servers that serve, and see that all routes, recorded and in force, lead to them and nowhere else."""
    alive = sorted(house.alive(deployment), key=lambda item: item.replica)
    assert all(item.status is ProcessStatus.RUNNING and house.path.servers.is_running(item) for item in alive)
    targets = {f"{item.host}:{item.port}" for item in alive}
    recorded = house.storage.routes.list(deployment.id)
    assert recorded
    for route in recorded:
        assert set(route.targets) == targets == set(house.router.routes[route.host].targets)
    assert [item.id for item in house.deployments.list_serving(deployment.id)] == [item.id for item in alive]
    return alive


def scaling(house: House) -> Scaling:
    return house.deployments.scaling


# --- deploys ----------------------------------------------------------------------------------------------------------


def test_a_deploy_puts_all_servers_live_at_once_and_ends_all_old_ones(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list_serving(house, deployment)
    assert [item.replica for item in before] == [0, 1, 2]
    targets: list[int] = []
    register = house.router.register

    def watch(route: Any) -> None:
        targets.append(len(route.targets))
        register(route)

    monkeypatch.setattr(house.router, "register", watch)
    build = house.deploy(deployment)
    after = list_serving(house, deployment)
    assert {item.build_id for item in after} == {build.id}
    assert [item.replica for item in after] == [0, 1, 2]
    assert set(targets) == {3}
    assert not any(house.path.servers.is_running(item) for item in before)
    assert house.read(deployment).status is DeploymentStatus.RUNNING


@pytest.mark.parametrize("kind", [BuildKind.RESTART, BuildKind.ROLLBACK])
def test_a_restart_and_a_rollback_keep_the_number(house: House, deployment: Deployment, kind: BuildKind) -> None:
    first = house.storage.builds.get(house.read(deployment).current_build_id or "")
    house.deploy(deployment)
    house.deploy(house.read(deployment), kind=kind, of=first)
    assert len(list_serving(house, deployment)) == 3


def test_one_server_that_does_not_come_up_leaves_all_as_it_was(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list_serving(house, deployment)
    wait_healthy, waits = house.runner.wait_healthy, []

    def fail_second(server: Any, timeout: float, cancel: Any) -> None:
        waits.append(server)
        if len(waits) == 2:
            raise ServerUnhealthy("It never answered.")
        wait_healthy(server, timeout, cancel)

    monkeypatch.setattr(house.runner, "wait_healthy", fail_second)
    assert house.deploy(deployment).status is BuildStatus.FAILED
    assert list_serving(house, deployment) == before
    assert len(house.runner.find_servers()) == 3


def test_a_port_that_a_stranger_took_is_passed_over_by_one_of_several(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_healthy, taken = house.runner.wait_healthy, []

    def take_one(server: Any, timeout: float, cancel: Any) -> None:
        if not taken:
            taken.append(server.port)
            raise ServerUnhealthy("It was taken.", evidence={"port_taken": True})
        wait_healthy(server, timeout, cancel)

    monkeypatch.setattr(house.runner, "wait_healthy", take_one)
    build = house.deploy(deployment)
    after = list_serving(house, deployment)
    assert {item.build_id for item in after} == {build.id}
    assert taken[0] not in {item.port for item in after}


def test_recovery_after_the_switch_keeps_all_servers_of_the_build(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = house.claim(deployment)
    with monkeypatch.context() as patch:
        patch.setattr(house.path, "_retire_replaced", _die)
        with pytest.raises(LeaseLost):
            house.pipeline.run(build, lambda: None)
    house.queue.recover()
    assert {item.build_id for item in list_serving(house, deployment)} == {build.id}
    assert house.storage.builds.get(build.id).status is BuildStatus.SUCCEEDED


def test_recovery_before_the_switch_leads_back_to_all_old_servers(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list_serving(house, deployment)
    build = house.claim(deployment)
    with monkeypatch.context() as patch:
        patch.setattr(house.path, "_switch", _die)
        with pytest.raises(LeaseLost):
            house.pipeline.run(build, lambda: None)
    house.queue.recover()
    assert list_serving(house, deployment) == before


def _die(*_: Any, **__: Any) -> None:
    raise LeaseLost("This worker is gone.")


# --- supervision ------------------------------------------------------------------------------------------------------


def test_when_one_crashes_the_others_take_its_requests_at_once_and_it_comes_back(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = list_serving(house, deployment)
    house.crash(second)
    seen: list[tuple[set[str], DeploymentStatus]] = []
    start = house.runner.start

    def watch(spec: Any) -> Any:
        targets = {target for route in house.router.list_routes() for target in route.targets}
        seen.append((targets, house.read(deployment).status))
        return start(spec)

    monkeypatch.setattr(house.runner, "start", watch)
    house.supervise()
    left = {f"{item.host}:{item.port}" for item in (first, third)}
    assert seen == [(left, DeploymentStatus.RUNNING)]
    after = list_serving(house, deployment)
    assert [item.id for item in after if item.replica != 1] == [first.id, third.id]
    assert [item.restarts for item in after] == [0, 1, 0]
    found = house.read(deployment)
    assert (found.status, found.status_reason) == (DeploymentStatus.RUNNING, None)


def test_a_server_that_crashes_again_and_again_does_not_fail_a_deployment_that_others_serve(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, third = list_serving(house, deployment)
    for _ in range(restarts.MAX_RESTARTS + 3):
        for item in house.alive(deployment):
            if item.replica == 1:
                house.crash(item)
        house.supervise()
    assert {first.id, third.id} <= {item.id for item in list_serving(house, deployment)}
    assert house.read(deployment).status is DeploymentStatus.RUNNING


def test_all_that_crash_again_and_again_fail_it_with_their_last_line(house: House, deployment: Deployment) -> None:
    for item in list_serving(house, deployment):
        house.crash(item)
    for folder in house.home.artifacts.iterdir():
        (folder / "behaviour.txt").write_text("crashes_on_boot")
    house.supervise(times=restarts.MAX_RESTARTS + 2)
    found = house.read(deployment)
    assert found.status is DeploymentStatus.FAILED
    assert "Its last line: Error: no model" in str(found.status_reason)
    (given_up,) = [item for item in house.storage.events.list(object_id=deployment.id) if item.action == "gave_up"]
    assert given_up.details["last_lines"] == ["Error: no model"]
    assert house.runner.find_servers() == {}


def test_after_a_reboot_all_of_them_come_back(house: House, deployment: Deployment) -> None:
    for item in list_serving(house, deployment):
        house.storage.processes.update(item.id, boot_id="another boot")
    house.runner.close()
    house.router.stop()
    house.supervise()
    after = list_serving(house, deployment)
    assert [item.restarts for item in after] == [0, 0, 0]


def test_a_scaling_that_was_interrupted_is_finished(house: House, deployment: Deployment) -> None:
    kept = list_serving(house, deployment)[0]
    house.storage.deployments.update(deployment.id, replicas=1)
    house.supervise()
    assert [item.id for item in list_serving(house, deployment)] == [kept.id]
    house.storage.deployments.update(deployment.id, replicas=2)
    house.supervise()
    assert len(list_serving(house, deployment)) == 2


# --- scaling ----------------------------------------------------------------------------------------------------------


def test_scaling_up_starts_only_the_difference(house: House, deployment: Deployment) -> None:
    before = list_serving(house, deployment)
    starts = len(house.runner.starts)
    assert scaling(house).scale(deployment, 5).replicas == 5
    after = list_serving(house, deployment)
    assert after[:3] == before
    assert [item.replica for item in after] == [0, 1, 2, 3, 4]
    assert len(house.runner.starts) == starts + 2


def test_scaling_down_drains_before_it_stops(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list_serving(house, deployment)
    counted: set[int] = set()

    def count(host: str, port: int) -> int:
        counted.add(port)
        assert f"{host}:{port}" not in {target for route in house.router.list_routes() for target in route.targets}
        return 0

    monkeypatch.setattr(house.router, "count_requests", count)
    scaling(house).scale(deployment, 1)
    assert list_serving(house, deployment) == before[:1]
    assert counted == {item.port for item in before[1:]}
    house.supervise()
    assert list_serving(house, deployment) == before[:1]


def test_scaling_up_that_fails_leaves_the_number_and_the_servers(house: House, deployment: Deployment) -> None:
    before = list_serving(house, deployment)
    for folder in house.home.artifacts.iterdir():
        (folder / "behaviour.txt").write_text("crashes_on_boot")
    with pytest.raises(ServerUnhealthy):
        scaling(house).scale(deployment, 4)
    assert house.read(deployment).replicas == 3
    assert list_serving(house, deployment) == before


def test_what_is_stopped_keeps_the_number_for_its_next_start(house: House, deployment: Deployment) -> None:
    house.deployments.stop(deployment)
    starts = len(house.runner.starts)
    scaling(house).scale(deployment, 2)
    assert len(house.runner.starts) == starts
    house.deploy(house.read(deployment))
    assert len(list_serving(house, deployment)) == 2
    assert house.read(deployment).desired_state is DesiredState.RUNNING


def test_scaling_waits_for_its_turn(house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[list[str]] = []
    start = house.runner.start

    def watch(spec: Any) -> Any:
        held.append([lease.name for lease in house.storage.leases.list()])
        return start(spec)

    monkeypatch.setattr(house.runner, "start", watch)
    scaling(house).scale(deployment, 4)
    assert all(lock_name(deployment.id) in names for names in held)
    assert held


@pytest.mark.parametrize("number", [0, -1, 13, True, 2.5], ids=["none", "negative", "too-many", "flag", "fraction"])
def test_a_number_of_servers_that_cannot_be_is_refused(house: House, deployment: Deployment, number: Any) -> None:
    with pytest.raises(InvalidInput, match="from 1 to 12"):
        scaling(house).scale(deployment, number)
    assert house.read(deployment).replicas == 3


def test_an_app_that_cannot_run_twice_cannot_be_scaled(house: House, deployment: Deployment) -> None:
    with pytest.raises(InvalidInput, match="can't run twice"):
        scaling(house).set_strategy(deployment, Strategy.RECREATE)
    alone = house.add_deployment("alone", strategy=Strategy.RECREATE)
    with pytest.raises(InvalidInput, match="can't run twice"):
        scaling(house).scale(alone, 2)
    with pytest.raises(InvalidInput, match="can't run twice"):
        house.deployments.find_or_create(house.add_project("new"), strategy=Strategy.RECREATE, replicas=2)
    assert len(house.storage.deployments.list()) == 2


# --- limits -----------------------------------------------------------------------------------------------------------


def test_limits_bind_servers_from_their_next_start_on(house: House, deployment: Deployment) -> None:
    assert (house.runner.starts[-1].memory_mb, house.runner.starts[-1].nice) == (None, 0)
    scaling(house).set_limits(deployment, memory_mb=512, nice=5)
    scaling(house).set_limits(deployment, nice=7)
    house.deploy(house.read(deployment))
    assert (house.runner.starts[-1].memory_mb, house.runner.starts[-1].nice) == (512, 7)
    assert {item.memory_mb for item in house.runner.starts[-3:]} == {512}


def test_a_limit_of_its_own_beats_the_setting_and_none_brings_it_back(tmp_path: Any) -> None:
    house = House(tmp_path / "home", server_memory_mb=300, server_nice=3)
    try:
        deployment = house.add_deployment()
        for limits, expected in [
            ({}, (300, 3)),
            ({"memory_mb": 0, "nice": 0}, (None, 0)),
            ({"memory_mb": None, "nice": None}, (300, 3)),
        ]:
            scaling(house).set_limits(deployment, **limits)  # type: ignore[arg-type]
            house.deploy(house.read(deployment))
            assert (house.runner.starts[-1].memory_mb, house.runner.starts[-1].nice) == expected
    finally:
        house.close()


@pytest.mark.parametrize(
    "limits",
    [{"memory_mb": 10}, {"memory_mb": -1}, {"nice": 20}, {"nice": -1}],
    ids=["tiny", "negative", "high", "low"],
)
def test_limits_that_cannot_be_are_refused(house: House, deployment: Deployment, limits: Any) -> None:
    with pytest.raises(InvalidInput):
        scaling(house).set_limits(deployment, **limits)


@pytest.mark.parametrize("number", ["512", True, 100.5, 2**70], ids=repr)
@pytest.mark.parametrize("name", ["memory_mb", "nice"])
def test_limits_that_are_no_sensible_numbers_are_refused(
    house: House, deployment: Deployment, name: str, number: Any
) -> None:
    with pytest.raises(InvalidInput, match="A server can't"):
        scaling(house).set_limits(deployment, **{name: number})
