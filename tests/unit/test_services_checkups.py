"""Health checks of running servers: never on a single miss, not after a sleep, and few writes to the database."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.house import House
from fixtures.quick import wait_until

from mastra_admin_sdk.errors import SettingError
from mastra_admin_sdk.models import Deployment, DeploymentStatus, Process, ProcessStatus, ServerUsage
from mastra_admin_sdk.services.deployments import live
from mastra_admin_sdk.services.supervision import restarts
from mastra_admin_sdk.services.supervision.checkups import Checkups, Wakefulness
from mastra_admin_sdk.settings import load_settings


@pytest.fixture
def deployment(house: House) -> Deployment:
    """A deployment that serves."""
    made = house.add_deployment()
    house.deploy(made)
    return made


class Clocks:
    """Two clocks that tests set."""

    def __init__(self) -> None:
        self.awake, self.total = 100.0, 500.0

    def run(self, seconds: float) -> None:
        self.awake += seconds
        self.total += seconds

    def sleep(self, seconds: float) -> None:
        self.total += seconds

    def make(self) -> Wakefulness:
        return Wakefulness(lambda: self.awake, lambda: self.total)


def sicken(house: House, *ids: str) -> None:
    """Let servers answer no more."""
    is_healthy = type(house.runner).is_healthy
    house.runner.is_healthy = lambda server: (  # type: ignore[method-assign]
        server.process_id not in ids and is_healthy(house.runner, server)
    )


def miss(house: House, process: Process, times: int) -> None:
    for _ in range(times):
        house.supervisor.checkups.check(process)


# --- replacing --------------------------------------------------------------------------------------------------------


def test_one_miss_replaces_nothing_whatever_is_set(house: House, deployment: Deployment) -> None:
    with pytest.raises(SettingError, match="at least 2"):
        load_settings({"home": str(house.home.path), "health_failures": 1}, {})
    process = house.serving(deployment)
    sicken(house, process.id)
    miss(house, process, 1)
    house.supervise()
    assert house.serving(deployment).id == process.id


def test_a_server_that_does_not_answer_is_replaced_by_a_new_one_before_it_is_stopped(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = house.serving(deployment)
    sicken(house, process.id)
    miss(house, process, 3)
    running_at_start: list[bool] = []
    start = house.runner.start

    def watch(spec: Any) -> Any:
        running_at_start.append(house.path.servers.is_running(process))
        return start(spec)

    monkeypatch.setattr(house.runner, "start", watch)
    house.supervise()
    assert running_at_start == [True]
    again = house.serving(deployment)
    assert (again.id != process.id, again.build_id) == (True, process.build_id)
    ended = house.storage.processes.get(process.id)
    assert ended.status is ProcessStatus.EXITED
    assert "didn't answer 3 health checks" in str(ended.exit_reason)
    actions = [event.action for event in house.storage.events.list(object_id=deployment.id)]
    assert actions.count("server_unhealthy") == 1
    assert "server_ended" in actions
    assert house.read(deployment).status is DeploymentStatus.RUNNING


def test_one_answer_makes_a_server_fit_again(house: House, deployment: Deployment) -> None:
    process = house.serving(deployment)
    sicken(house, process.id)
    miss(house, process, 2)
    sicken(house)
    miss(house, process, 1)
    sicken(house, process.id)
    miss(house, process, 2)
    house.supervise()
    assert house.serving(deployment).id == process.id


def test_while_others_answer_one_that_does_not_gets_no_requests_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.deployments.find_or_create(house.add_project(), replicas=2)
    house.deploy(deployment)
    first, second = house.deployments.list_serving(deployment.id)
    sicken(house, first.id)
    miss(house, first, 3)
    targets: list[set[str]] = []
    start = house.runner.start

    def watch(spec: Any) -> Any:
        targets.append({target for route in house.router.list_routes() for target in route.targets})
        return start(spec)

    monkeypatch.setattr(house.runner, "start", watch)
    house.supervise()
    assert targets == [{f"{second.host}:{second.port}"}]
    again = house.deployments.list_serving(deployment.id)
    assert [item.replica for item in again] == [0, 1]
    assert again[1].id == second.id
    assert not house.path.servers.is_running(first)


def test_a_server_that_stops_answering_again_and_again_fails_its_deployment(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "_LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(live, "_QUIET", 0.0)
    for _ in range(restarts.MAX_RESTARTS + 1):
        process = house.serving(deployment)
        sicken(house, process.id)
        miss(house, process, 3)
        house.supervise()
    process = house.serving(deployment)
    sicken(house, process.id)
    miss(house, process, 3)
    house.supervise(times=2)
    found = house.read(deployment)
    assert found.status is DeploymentStatus.FAILED
    assert "health checks" in str(found.status_reason)
    assert house.alive(deployment) == []


def test_a_replacement_that_does_not_come_up_leaves_the_old_server(house: House, deployment: Deployment) -> None:
    process = house.serving(deployment)
    for folder in house.home.artifacts.iterdir():
        (folder / "behaviour.txt").write_text("crashes_on_boot")
    sicken(house, process.id)
    miss(house, process, 3)
    house.supervise()
    assert house.path.servers.is_running(process)
    assert {route.target_port for route in house.router.list_routes()} == {process.port}


# --- sleep ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["machine", "process"])
def test_what_is_missed_just_after_a_sleep_does_not_count(house: House, deployment: Deployment, way: str) -> None:
    clocks = Clocks()
    checkups = Checkups(house.parts, clocks.make())
    process = house.serving(deployment)
    sicken(house, process.id)
    checkups.begin([process])
    clocks.sleep(3600) if way == "machine" else clocks.run(60)
    checkups.begin([process])
    for _ in range(5):
        checkups.check(process)
    assert checkups.explain_unfit(process) is None
    for _ in range(40):
        clocks.run(1)
        checkups.begin([process])
    for _ in range(3):
        checkups.check(process)
    assert checkups.explain_unfit(process)
    checkups.stop()


def test_a_machine_that_is_awake_has_not_slept() -> None:
    clocks = Clocks()
    wakefulness = clocks.make()
    for _ in range(100):
        clocks.run(1.1)
        wakefulness.look()
    assert not wakefulness.has_just_woken


# --- figures ----------------------------------------------------------------------------------------------------------


def test_what_a_server_holds_is_on_its_record(house: House, deployment: Deployment) -> None:
    process = house.serving(deployment)
    house.supervisor.checkups.check(process)
    stats = house.storage.processes.get(process.id).stats
    expected = {
        "healthy": True,
        "missed": 0,
        "memory_bytes": 1_000_000,
        "open_files": 5,
        "threads": 3,
        "cpu_seconds": 0.5,
    }
    assert expected.items() <= stats.items()
    assert stats["last_health_at"] == stats["measured_at"]


def test_the_database_is_written_to_rarely_but_a_change_of_health_at_once(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    process = house.serving(deployment)
    writes: list[Any] = []
    update = house.storage.processes.update

    def watch(process_id: str, **changes: Any) -> Any:
        writes.append(changes)
        return update(process_id, **changes)

    monkeypatch.setattr(house.storage.processes, "update", watch)
    checkups = Checkups(house.parts, clock=lambda: clock[0])
    memory = [1_000_000]
    monkeypatch.setattr(house.runner, "measure", lambda server: ServerUsage(memory[0], 5, 1, 3, clock[0]))

    def check(seconds: float) -> int:
        clock[0] += seconds
        checkups.check(process)
        return len(writes)

    assert check(1) == 1
    assert check(20) == 1  # nothing but CPU seconds changed
    memory[0] = 2_000_000
    assert check(1) == 2  # it did, and the last write is long ago
    memory[0] = 4_000_000
    assert check(1) == 2
    assert check(10) == 3
    assert check(61) == 4
    sicken(house, process.id)
    assert check(1) == 5
    assert writes[-1]["stats"]["healthy"] is False


def test_the_figures_of_a_server_that_has_ended_stay_as_they_are(house: House, deployment: Deployment) -> None:
    process = house.serving(deployment)
    house.crash(process)
    house.path.servers.end(process)
    before = house.storage.processes.get(process.id)
    house.supervisor.checkups.check(process)
    assert house.storage.processes.get(process.id) == before


def test_only_servers_whose_turn_it_is_are_asked(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    clock = [1000.0]
    checkups = Checkups(house.parts, clock=lambda: clock[0])
    process = house.serving(deployment)
    monkeypatch.setattr(checkups, "check", lambda process: asked.append(process.id))
    for second in range(25):
        checkups.begin([process])
        wait_until(lambda due=(second + 8) // 10: len(asked) == due)
        clock[0] += 1
    checkups.stop()
