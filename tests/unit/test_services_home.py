"""What is said of a whole home, and how all of it is ended."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import InvalidInput, ServerError
from mastra_admin_sdk.host import make_owner_id
from mastra_admin_sdk.models import BuildStatus, DeploymentStatus, DesiredState
from mastra_admin_sdk.services.doctor import Check, examine
from mastra_admin_sdk.services.overview import look_around
from mastra_admin_sdk.services.shutdown import shut_down
from mastra_admin_sdk.services.telemetry.service import TelemetryService


def shut(house: House) -> list[str]:
    steps: list[str] = []
    shut_down(house.parts, house.path, house.queue, steps.append)
    return steps


def find(checks: Any, name: str) -> Check:
    return next(check for check in checks if check.name == name)


# --- overview ---------------------------------------------------------------------------------------------------------


def test_the_overview_says_what_answers_and_who_looks_after_it(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    waiting = house.queue.enqueue(deployment)
    seen = look_around(house.parts, house.ingester)
    (view,) = seen.deployments
    assert (view.team.slug, view.project.slug, view.deployment.slug) == ("search", "weather", "main")
    assert view.answers is True
    assert view.active_build == waiting
    assert (seen.is_supervised, seen.router_running) == (False, True)
    house.take("supervisor")
    house.crash(house.alive(deployment)[0])
    seen = look_around(house.parts, house.ingester)
    assert seen.is_supervised
    assert seen.deployments[0].answers is False


def test_a_supervisor_whose_process_is_gone_supervises_nothing(house: House) -> None:
    house.storage.leases.acquire("supervisor", make_owner_id().replace("/", "/gone", 1), 3600)
    assert not look_around(house.parts, house.ingester).is_supervised


# --- shutdown ---------------------------------------------------------------------------------------------------------


def test_all_is_ended_and_what_should_run_is_remembered(house: House) -> None:
    deployment = house.add_deployment()
    build = house.deploy(deployment)
    assert shut(house) == ["Stopping search/weather/main", "Stopping the router", "Stopping the analytics engine"]
    found = house.read(deployment)
    assert (found.status, found.desired_state) == (DeploymentStatus.STOPPED, DesiredState.RUNNING)
    assert house.alive(deployment) == []
    assert not house.router.running
    assert not house.engine.running
    house.supervise()
    assert house.serving(deployment).build_id == build.id


def test_builds_that_run_elsewhere_are_cancelled_and_waited_for(house: House) -> None:
    deployment = house.add_deployment()
    house.source.write("weather", "behaviour.txt", "hangs")
    running = house.queue.enqueue(deployment)
    worker = house.make_worker()
    worker.start()
    try:
        while not house.runner.requests:
            pass
        worker.retire()
        assert "Cancelling build #1" in shut(house)
        assert house.storage.builds.get(running.id).status is BuildStatus.CANCELLED
        assert list(house.home.workspaces.glob("*")) == []
    finally:
        worker.stop()


def test_what_cannot_be_stopped_does_not_keep_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = house.add_deployment("one"), house.add_deployment("two")
    for deployment in (first, second):
        house.deploy(deployment)
    stubborn, stop = house.alive(first)[0], house.runner.stop

    def resist(server: Any, grace: float) -> Any:
        if server.process_id == stubborn.id:
            raise ServerError("It can't be ended.")
        return stop(server, grace)

    monkeypatch.setattr(house.runner, "stop", resist)
    with caplog.at_level(logging.CRITICAL), pytest.raises(ServerError, match="one/main could not be stopped") as caught:
        shut(house)
    assert caught.value.evidence == {"search/one/main": "It can't be ended."}
    assert house.alive(second) == []
    assert not house.router.running
    assert not house.engine.running


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_all_is_well_in_a_good_home(house: House) -> None:
    checks = [check for check in examine(house.parts) if check.name != "router port"]
    assert [check.name for check in checks if not check.ok] == []


def test_each_check_says_how_to_mend_what_it_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.home.path.chmod(0o755)
    house.runner.tool_missing = "There is no Node."
    house.engine.away = True

    def explode(**_: Any) -> Any:
        raise RuntimeError("odd")

    monkeypatch.setattr(house.source, "scan", explode)
    checks = examine(house.parts)
    assert "chmod 700" in find(checks, "home").hint
    assert find(checks, "node").text == "There is no Node."
    assert not find(checks, "engine").ok
    assert find(checks, "source").text == "RuntimeError: odd"
    assert find(checks, "database").ok


def test_ports_in_use_are_counted(house: House) -> None:
    house.deploy(house.add_deployment())
    assert "1 in use" in find(examine(house.parts), "ports").text


# --- filters ----------------------------------------------------------------------------------------------------------


def test_a_filter_that_there_is_not_is_answered_with_a_near_one(house: House) -> None:
    service = TelemetryService(house.parts, house.resolver, house.ingester)
    with pytest.raises(InvalidInput, match="no filter 'statos'") as caught:
        service.make_filter(statos="error")
    assert caught.value.hint == "Did you mean 'status'?"
    with pytest.raises(InvalidInput, match="project_id"):
        service.make_filter(project_id="x")
    assert service.make_filter(status="error", limit=None).limit is None
