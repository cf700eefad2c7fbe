"""The one path to live, step by step: who is asked for, in which order, and what a failure in each step leaves."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import BuildCancelled, LeaseLost, RouterError, ServerError, ServerUnhealthy
from mastra_admin_sdk.models import BuildKind, BuildStatus, DeploymentStatus, DesiredState, ProcessStatus, Strategy
from mastra_admin_sdk.services.deployments.servers import explain_lock


def test_a_redeploy_leads_all_hosts_to_the_new_server_and_ends_the_old_one(house: House) -> None:
    deployment = house.add_deployment()
    first = house.deploy(deployment)
    before = house.serving(deployment)
    second = house.deploy(deployment)
    assert house.serving(deployment).build_id == second.id
    assert not house.path.servers.is_running(before)
    found = house.read(deployment)
    assert (found.current_build_id, found.previous_build_id) == (second.id, first.id)
    assert found.status is DeploymentStatus.RUNNING
    assert len(house.storage.routes.list()) == 2


def test_the_old_server_goes_on_while_a_request_that_was_not_counted_at_once_is_under_way(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    old = house.serving(deployment)
    counts = iter([0, 0, 3, 3, 1])
    seen: list[tuple[int, bool]] = []

    def count(host: str, port: int) -> int:
        left = next(counts, 0)
        seen.append((left, house.path.servers.is_running(old)))
        return left

    monkeypatch.setattr(house.router, "count_requests", count)
    house.deploy(deployment)
    assert [left for left, _ in seen][:5] == [0, 0, 3, 3, 1]
    assert all(running for _, running in seen)
    assert not house.path.servers.is_running(old)


def test_a_switch_that_fails_leads_hosts_back_before_the_new_server_ends(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    old = house.serving(deployment)
    targets_at_stop: list[set[int]] = []
    stop = house.runner.stop

    def watch(server: Any, grace: float) -> Any:
        targets_at_stop.append({route.target_port for route in house.router.list_routes()})
        return stop(server, grace)

    def refuse(*_: Any) -> None:
        raise RouterError("It doesn't answer.")

    monkeypatch.setattr(house.runner, "stop", watch)
    monkeypatch.setattr(house.path.routes, "check_answer", refuse)
    assert house.deploy(deployment).status is BuildStatus.FAILED
    assert targets_at_stop == [{old.port}]
    assert house.serving(deployment).id == old.id


def test_what_is_not_on_record_is_not_live(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    old = house.serving(deployment)

    def fail(build: Any, process: Any) -> None:
        raise RouterError("The database refused.")

    monkeypatch.setattr(house.pipeline, "record_live", fail)
    assert house.deploy(deployment).status is BuildStatus.FAILED
    assert house.serving(deployment).id == old.id


def test_an_old_server_that_cannot_be_ended_does_not_fail_the_build_that_is_live(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    old = house.serving(deployment)
    stop = house.runner.stop

    def resist(server: Any, grace: float) -> Any:
        raise ServerUnhealthy("It can't be ended.")

    monkeypatch.setattr(house.runner, "stop", resist)
    build = house.deploy(deployment)
    assert build.status is BuildStatus.SUCCEEDED
    assert house.read(deployment).current_build_id == build.id
    monkeypatch.setattr(house.runner, "stop", stop)
    house.supervise()
    assert house.serving(deployment).build_id == build.id
    assert not house.path.servers.is_running(old)


def test_a_router_that_cannot_count_does_not_keep_a_deployment_from_stopping(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)

    def hang(host: str, port: int) -> int:
        raise RouterError("The router doesn't answer.")

    monkeypatch.setattr(house.router, "count_requests", hang)
    assert house.deployments.stop(deployment).status is DeploymentStatus.STOPPED
    assert house.alive(deployment) == []


def test_with_recreate_what_served_before_comes_back_when_the_new_server_does_not_come_up(house: House) -> None:
    deployment = house.add_deployment(strategy=Strategy.RECREATE)
    first = house.deploy(deployment)
    house.runner.behaviour = "crashes_on_boot"
    failed = house.deploy(deployment)
    assert failed.status is BuildStatus.FAILED
    assert house.serving(deployment).build_id == first.id
    found = house.read(deployment)
    assert (found.status, found.current_build_id) == (DeploymentStatus.RUNNING, first.id)
    assert f"Build #{failed.number} failed" in str(found.status_reason)


def test_with_recreate_what_does_not_come_back_at_once_is_left_to_supervision(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment(strategy=Strategy.RECREATE)
    first = house.deploy(deployment)

    def refuse(*_: object, **__: object) -> None:
        raise ServerError("There is no memory left.")

    house.runner.behaviour = "crashes_on_boot"
    with monkeypatch.context() as patch:
        patch.setattr(house.path, "revive", refuse)
        assert house.deploy(deployment).status is BuildStatus.FAILED
    assert house.read(deployment).status is DeploymentStatus.PENDING
    house.supervise()
    assert house.serving(deployment).build_id == first.id
    assert house.read(deployment).status is DeploymentStatus.RUNNING


def test_with_recreate_nothing_comes_back_that_somebody_stopped_meanwhile(house: House) -> None:
    deployment = house.add_deployment(strategy=Strategy.RECREATE)
    house.deploy(deployment)
    build = house.claim(deployment)

    def stop_meanwhile() -> None:
        if house.runner.starts[-1].build_id == build.id:
            house.storage.deployments.update(deployment.id, desired_state=DesiredState.STOPPED)
            raise BuildCancelled("It was cancelled.")

    assert house.pipeline.run(build, stop_meanwhile).status is BuildStatus.CANCELLED
    assert house.alive(deployment) == []
    assert house.storage.routes.list() == []
    assert house.read(deployment).status is DeploymentStatus.STOPPED


def test_a_port_that_a_host_of_a_crashed_server_leads_to_is_not_given_to_another_app(house: House) -> None:
    crashed, other = house.add_deployment("weather"), house.add_deployment("search")
    house.deploy(crashed)
    process = house.serving(crashed)
    house.crash(process)
    house.path.servers.end(process)
    house.deploy(other)
    assert house.serving(other).port != process.port
    house.supervise()
    assert house.serving(crashed).port == process.port


def test_a_server_that_failed_leaves_no_process_route_or_running_state(house: House) -> None:
    deployment = house.add_deployment()
    house.runner.behaviour = "crashes_on_boot"
    assert house.deploy(deployment).status is BuildStatus.FAILED
    assert house.alive(deployment) == []
    assert house.storage.routes.list() == []
    assert house.read(deployment).status is DeploymentStatus.FAILED


def test_a_worker_that_is_stopped_in_the_middle_leaves_what_served_before(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    old = house.serving(deployment)
    build = house.claim(deployment)

    def stop_at_health() -> None:
        if any(item.build_id == build.id and item.pid for item in house.alive(deployment)):
            raise LeaseLost("This worker is to stop.")

    with pytest.raises(LeaseLost):
        house.pipeline.run(build, stop_at_health)
    assert house.serving(deployment).id == old.id
    assert house.storage.builds.get(build.id).status is BuildStatus.DEPLOYING


def test_going_back_starts_the_kept_artifact_with_the_variables_it_had(house: House) -> None:
    """Coolify 1976: going back deployed the newest code."""
    deployment = house.add_deployment(FLAVOUR="old")
    first = house.deploy(deployment)
    project = house.storage.projects.get(deployment.project_id)
    house.projects.set_env(project, {"FLAVOUR": "new"})
    house.deploy(deployment)
    assert house.runner.starts[-1].env == {"FLAVOUR": "new"}
    back = house.deploy(house.read(deployment), kind=BuildKind.ROLLBACK, of=first)
    assert house.runner.starts[-1].env == {"FLAVOUR": "old"}
    assert house.runner.starts[-1].artifact.path == house.home.artifacts / first.id
    house.deploy(house.read(deployment), kind=BuildKind.RESTART, of=back)
    assert house.runner.starts[-1].env == {"FLAVOUR": "new"}
    assert house.runner.starts[-1].artifact.path == house.home.artifacts / first.id
    assert len(house.runner.requests) == 2


def test_supervision_never_writes_routes_that_it_read_before_a_switch(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    old = house.serving(deployment)
    reconcile = house.router.reconcile
    held: list[str] = []

    def watch(routes: Any) -> int:
        held.extend(lease.name for lease in house.storage.leases.list())
        return reconcile(routes)

    monkeypatch.setattr(house.router, "reconcile", watch)
    house.router.routes.clear()
    assert house.path.routes.sync() == 2
    assert "routes" in held
    assert house.serving(deployment).id == old.id
    assert house.path.routes.sync() == 0
    assert held.count("routes") == 1


@pytest.mark.parametrize(
    ("line", "is_lock"),
    [("IO Error: Could not set lock on file /x.duckdb", True), ("Error: no model", False)],
    ids=["locked", "other"],
)
def test_a_file_that_is_locked_by_the_old_server_names_the_way_out(line: str, is_lock: bool) -> None:
    error = explain_lock(ServerUnhealthy("It ended.", evidence={"log_tail": [line]}))
    assert ('strategy="recreate"' in error.hint) is is_lock


def test_a_draining_server_is_not_what_serves(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    process = house.serving(deployment)
    house.storage.processes.transition(process.id, ProcessStatus.DRAINING, expected=[ProcessStatus.RUNNING])
    assert house.deployments.serving_process(deployment.id) is None
