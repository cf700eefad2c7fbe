"""Whether servers answer: who is asked, who was seen a moment ago, and that each view says when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import Seeded, make_fake_admin, seed

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import Build, BuildStatus, Process, ProcessStatus, utc_now
from mastra_admin_sdk.services.observation import observe, read_usage
from mastra_admin_sdk.services.supervision.supervisor import ROLE as SUPERVISOR

FIGURES = {"memory_bytes": 5, "open_files": 1, "processes": 1, "threads": 2, "cpu_seconds": 0.5}


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home") as made:
        yield made


@pytest.fixture
def asked(admin: MastraAdmin, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the servers that were asked for their health; all of them answer."""
    found: list[str] = []
    monkeypatch.setattr(admin.runner, "is_healthy", lambda server: found.append(server.process_id) or True)
    monkeypatch.setattr(admin.runner, "is_running", lambda server: True)
    return found


def see(admin: MastraAdmin, process: Process, *, seconds_ago: float, healthy: bool = True, **figures: Any) -> None:
    at = (utc_now() - timedelta(seconds=seconds_ago)).isoformat()
    admin.storage.processes.update(process.id, stats={"healthy": healthy, "last_health_at": at, **figures})


def supervise(admin: MastraAdmin) -> None:
    assert admin._parts.leases.try_acquire(SUPERVISOR)


def test_what_the_supervisor_saw_lately_is_not_asked_again(admin: MastraAdmin, asked: list[str]) -> None:
    seeded = seed(admin.storage, admin.home.path)
    supervise(admin)
    see(admin, seeded.process, seconds_ago=30, healthy=False, **FIGURES)
    overview = admin.overview(seen_within=60)
    [view] = overview.deployments
    assert (asked, view.answers, view.memory_bytes) == ([], False, 5)
    assert overview.seen_at == view.servers[0].seen_at < overview.looked_at
    assert 25 < (utc_now() - view.servers[0].seen_at).total_seconds() < 60
    [view] = admin.overview(seen_within=10).deployments
    assert (asked, view.answers) == ([seeded.process.id], True)
    assert (utc_now() - view.servers[0].seen_at).total_seconds() < 10


def test_without_a_supervisor_every_server_is_asked(admin: MastraAdmin, asked: list[str]) -> None:
    seeded = seed(admin.storage, admin.home.path)
    see(admin, seeded.process, seconds_ago=1, healthy=False)
    assert admin.overview(seen_within=60).deployments[0].answers is True
    assert admin.overview().deployments[0].answers is True
    assert asked == [seeded.process.id] * 2


def test_a_server_that_ended_since_does_not_answer(
    admin: MastraAdmin, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded = seed(admin.storage, admin.home.path)
    supervise(admin)
    see(admin, seeded.process, seconds_ago=1)
    monkeypatch.setattr(admin.runner, "is_running", lambda server: False)
    [view] = admin.overview(seen_within=60).deployments
    assert (asked, view.answers) == ([], False)


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-01T00:00:00", None, 5])
def test_a_record_that_says_no_time_counts_for_nothing(admin: MastraAdmin, asked: list[str], moment: Any) -> None:
    seeded = seed(admin.storage, admin.home.path)
    process = replace(seeded.process, stats={"healthy": True, "last_health_at": moment})
    assert observe(admin._parts, [process], seen_within=1e12)[process.id].answers
    assert asked == [process.id]
    assert read_usage(process) is None


def test_an_overview_takes_a_few_queries_however_much_there_is(
    admin: MastraAdmin, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        seed(admin.storage, admin.home.path, name=f"App {number}", slug=f"app-{number}", port=4200 + number)
    queued = admin.storage.builds.create(Build(admin.storage.deployments.list()[0].id))
    calls: list[str] = []
    for name in ("builds", "processes", "deployments", "projects", "teams"):
        repository = getattr(admin.storage, name)
        for method in ("list", "get", "get_many"):
            if original := getattr(repository, method, None):
                note = _make_note(calls, f"{name}.{method}", original)
                monkeypatch.setattr(repository, method, note)
    overview = admin.overview()
    assert len(asked) == len(overview.deployments) == 12
    assert [view.active_build.id for view in overview.deployments if view.active_build] == [queued.id]
    assert all(view.build and view.build.status is BuildStatus.SUCCEEDED for view in overview.deployments)
    assert len(calls) <= 8, calls


def _make_note(calls: list[str], name: str, original: Any) -> Any:
    def call(*args: Any, **options: Any) -> Any:
        calls.append(name)
        return original(*args, **options)

    return call


def test_servers_that_are_drained_are_no_part_of_it(admin: MastraAdmin, asked: list[str]) -> None:
    seeded: Seeded = seed(admin.storage, admin.home.path)
    admin.storage.processes.transition(seeded.process.id, ProcessStatus.EXITED, expected=[ProcessStatus.RUNNING])
    [view] = admin.overview().deployments
    assert (asked, view.answers, view.servers) == ([], None, ())
