"""What alert rules measure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.lines import make_chunk, make_span, new_trace, now
from fixtures.monitoring import Traffic, Watchtower

from mastra_admin_sdk.models import AlertKind, AlertRule, AlertStatus, Build, BuildStatus, Deployment, Offset
from mastra_admin_sdk.services.monitoring.decisions import Reading
from mastra_admin_sdk.services.monitoring.measures import Measures


@pytest.fixture
def tower(tmp_path: Path) -> Iterator[Watchtower]:
    made = Watchtower(tmp_path / "home")
    yield made
    made.close()


def read(tower: Watchtower, kind: AlertKind, subject: str = "", **fields: object) -> Reading:
    rule = AlertRule("r", kind, 1.0, **fields)  # type: ignore[arg-type]
    return Measures(tower.parts, tower.house.ingester, tower.now).read(rule)[subject]


def serve(tower: Watchtower, name: str = "weather", replicas: int = 1) -> Deployment:
    """Return a deployment that runs."""
    deployment = tower.add(name)
    tower.storage.deployments.update(deployment.id, replicas=replicas)
    tower.house.deploy(deployment)
    return tower.storage.deployments.get(deployment.id)


def test_a_rule_is_for_one_deployment_for_those_of_a_project_or_for_all(tower: Watchtower) -> None:
    one, two = tower.add("one"), tower.add("two")
    measures = Measures(tower.parts, tower.house.ingester, tower.now)
    assert set(measures.read(AlertRule("r", AlertKind.DOWN, 1))) == {one.id, two.id}
    assert set(measures.read(AlertRule("r", AlertKind.DOWN, 1, project_id=one.project_id))) == {one.id}
    assert set(measures.read(AlertRule("r", AlertKind.DOWN, 1, deployment_id=two.id))) == {two.id}


def test_servers_that_end_by_themselves_are_counted(tower: Watchtower) -> None:
    deployment = serve(tower)
    assert read(tower, AlertKind.CRASH, deployment.id).value == 0.0
    tower.house.crash(tower.house.serving(deployment))
    tower.house.supervise()
    tower.pass_time(1)
    found = read(tower, AlertKind.CRASH, deployment.id)
    assert (found.value, found.words) == (1.0, "1 server ended without being asked to in the last 5 minutes")
    tower.pass_time(3600)
    assert read(tower, AlertKind.CRASH, deployment.id).value == 0.0


def test_servers_that_are_stopped_have_not_crashed(tower: Watchtower) -> None:
    deployment = serve(tower)
    tower.house.deployments.stop(deployment)
    tower.house.supervise()
    tower.pass_time(1)
    assert read(tower, AlertKind.CRASH, deployment.id).value == 0.0
    assert read(tower, AlertKind.DOWN, deployment.id).value == 0.0


def test_servers_that_ended_with_the_machine_have_not_crashed(tower: Watchtower) -> None:
    deployment = serve(tower)
    process = tower.house.serving(deployment)
    tower.storage.processes.update(process.id, boot_id="another")
    tower.parts.record("server_ended", "deployment", deployment.id, process=process.id)
    tower.pass_time(1)
    assert read(tower, AlertKind.CRASH, deployment.id).value == 0.0


def test_servers_that_should_answer_and_do_not_are_counted(tower: Watchtower) -> None:
    deployment = serve(tower, replicas=2)
    assert read(tower, AlertKind.DOWN, deployment.id).value == 0.0
    first, _ = tower.house.alive(deployment)
    tower.storage.processes.update(first.id, stats={"healthy": False})
    found = read(tower, AlertKind.DOWN, deployment.id)
    assert (found.value, found.words) == (1.0, "1 of 2 servers don't answer")
    assert read(tower, AlertKind.DOWN, tower.add("never-deployed").id).value == 0.0


def test_memory_is_that_of_all_servers(tower: Watchtower) -> None:
    deployment = serve(tower, replicas=2)
    assert read(tower, AlertKind.MEMORY, deployment.id).value is None
    for process in tower.house.alive(deployment):
        tower.storage.processes.update(process.id, stats={"memory_bytes": 300 * 1024 * 1024})
    assert read(tower, AlertKind.MEMORY, deployment.id) == Reading(600.0, "2 servers hold 600 MB")


def test_builds_that_failed_are_counted(tower: Watchtower) -> None:
    deployment = tower.add()
    for status in (BuildStatus.FAILED, BuildStatus.SUCCEEDED, BuildStatus.FAILED):
        old = tower.now - timedelta(hours=2)
        finished = tower.now - timedelta(minutes=1)
        tower.storage.builds.create(Build(deployment.id, status=status, queued_at=old, completed_at=finished))
    assert read(tower, AlertKind.BUILD, deployment.id).value == 2.0
    assert read(tower, AlertKind.BUILD, deployment.id, window_seconds=30).value == 0.0


def test_lag_is_that_of_the_home(tower: Watchtower) -> None:
    assert read(tower, AlertKind.LAG).value == 0.0
    folder = tower.parts.home.telemetry / "d" / "b" / "p" / "spans"
    folder.mkdir(parents=True)
    begun = int((now() - timedelta(minutes=5)).timestamp() * 1000)
    line = make_span("ended", new_trace(), "s", now(), 1, timestamp=begun)
    (folder / f"{begun}_0d0e.jsonl").write_text(f"{line}\n")
    found = read(tower, AlertKind.LAG)
    assert found.value is not None
    assert 299 < found.value < 400
    assert "1 file" in found.words


def test_lines_that_were_refused_are_counted(tower: Watchtower) -> None:
    tower.traffic.insert([make_chunk("{broken"), make_chunk("{}", "42", path="x")])
    tower.pass_time(1)
    assert read(tower, AlertKind.REJECTS).value == 3.0
    tower.pass_time(3600)
    assert read(tower, AlertKind.REJECTS).value == 0.0


def test_an_engine_that_rests_is_not_woken_when_nothing_was_stored(
    tower: Watchtower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tower.traffic, "status", lambda: {"engine": "embedded", "running": False})
    deployment = tower.add()
    tower.traffic.ended = {deployment.id: (10, 10, 1.0)}
    tower.traffic.away = True
    assert read(tower, AlertKind.ERROR_RATE, deployment.id).value is None
    assert read(tower, AlertKind.REJECTS).value == 0.0
    tower.traffic.away = False
    role = tower.house.take("ingester")
    tower.storage.offsets.save([Offset("x", 1)], role.current)
    assert read(tower, AlertKind.ERROR_RATE, deployment.id).value == 1.0


def test_a_rule_over_real_traces_fires(tower: Watchtower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Traffic, "activity", FakeObservabilityStore.activity)
    deployment = tower.add()
    tower.alerts.create("slow", kind="latency", threshold=500, percentile=90, min_count=2)
    begun = now() - timedelta(seconds=20)
    owner = {"projectId": deployment.project_id, "deploymentId": deployment.id}
    tower.traffic.insert([make_chunk(*(make_span("ended", new_trace(), "s", begun, 900, **owner) for _ in range(3)))])
    tower.look()
    assert tower.status("slow") is AlertStatus.FIRING
