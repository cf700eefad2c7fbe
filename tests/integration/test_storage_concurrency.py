"""Several processes on one database, for real."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from fixtures import storage_workers as workers
from fixtures.storage import make_build, make_deployment, make_project
from fixtures.storage_workers import Target, open_target, run_processes

from mastra_admin_sdk.models import BuildStatus
from mastra_admin_sdk.ports.storage import AdminStorage

# Each test starts Python and SQLAlchemy several times, which takes seconds on a busy machine.
pytestmark = pytest.mark.slow
PROCESSES = 4


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "sqlite":
        return {"path": str(tmp_path / "admin.db")}
    return {"url": request.getfixturevalue("postgres_url"), "schema": request.getfixturevalue("postgres_schema")}


@pytest.fixture
def shared(target: Target) -> Iterator[AdminStorage]:
    storage = open_target(target)
    storage.init()
    yield storage
    storage.close()


def test_processes_that_start_at_once_create_the_tables_once(target: Target) -> None:
    assert run_processes(workers.init, target, PROCESSES) == [0] * PROCESSES


def test_a_queue_is_worked_off_once_in_order_and_within_the_limit(target: Target, shared: AdminStorage) -> None:
    limit, numbers = 2, [1, 2, 3, 4, 5]
    deployments = [make_deployment(shared, f"d{index}") for index in range(6)]
    for _ in numbers:
        for deployment in deployments:
            make_build(shared, deployment)
    total = len(numbers) * len(deployments)

    answers = run_processes(workers.work_off_queue, target, PROCESSES, limit, total)

    claims = sorted((claim for answer in answers for claim in answer), key=lambda claim: claim[4])
    assert len({build for _, build, *_ in claims}) == len(claims) == total
    by_deployment = defaultdict(list)
    for deployment, _, number, active, _, _ in claims:
        by_deployment[deployment].append(number)
        assert active <= limit
    assert all(order == numbers for order in by_deployment.values())
    assert max(_count_overlaps(claims)) <= limit
    assert {build.generation for build in shared.builds.list()} == {1}


def test_processes_that_send_the_same_requests_at_once_queue_each_once(target: Target, shared: AdminStorage) -> None:
    deployment, keys = make_deployment(shared), [f"request {number}" for number in range(20)]
    answers = run_processes(workers.ask_once, target, PROCESSES, deployment.id, keys)
    assert all(answer == answers[0] for answer in answers)
    builds = shared.builds.list()
    assert sorted(build.id for build in builds) == sorted(answers[0])
    assert sorted(build.number for build in builds) == list(range(1, len(keys) + 1))


def _count_overlaps(claims: list[tuple[str, str, int, int, float, float]]) -> list[int]:
    """Return, for the begin of each claim, how many were held at that moment (the clock is the host's)."""
    return [sum(began <= moment <= ended for *_, began, ended in claims) for *_, moment, _ in claims]


def test_a_lease_is_held_by_one_process_at_a_time(target: Target, shared: AdminStorage) -> None:
    answers = run_processes(workers.hold_lease, target, PROCESSES, 10)
    held = sorted((hold for answer in answers for hold in answer), key=lambda hold: hold[1])
    generations = [generation for generation, _, _ in held]
    assert generations == list(range(1, 10 * PROCESSES + 1))
    assert all(later[1] >= earlier[2] for earlier, later in pairwise(held))
    [offset] = shared.offsets.list()
    assert offset.position == generations[-1]


def test_an_expired_lease_goes_to_one_of_many(target: Target, shared: AdminStorage) -> None:
    shared.leases.acquire("supervisor", "gone", 0.0)
    answers = run_processes(workers.take_expired_lease, target, PROCESSES)
    assert sorted(answer for answer in answers if answer is not None) == [2]


def test_a_dead_holder_is_replaced_by_one_of_many(target: Target, shared: AdminStorage) -> None:
    dead = shared.leases.acquire("supervisor", "dead", 600)
    assert dead is not None
    answers = run_processes(workers.replace_dead_holder, target, PROCESSES, dead.generation)
    assert sorted(answer for answer in answers if answer is not None) == [dead.generation + 1]


def test_offsets_of_a_former_holder_never_win(target: Target, shared: AdminStorage) -> None:
    run_processes(workers.save_as_former_holder, target, PROCESSES, 20)
    lease = shared.leases.get("ingester")
    assert lease is not None
    [offset] = shared.offsets.list()
    assert offset.position <= lease.generation
    assert shared.leases.acquire("ingester", lease.owner, 600) is not None
    shared.offsets.save([type(offset)("file", lease.generation)], lease)


def test_reading_and_then_writing_never_finds_the_database_locked(target: Target, shared: AdminStorage) -> None:
    project = make_project(shared)
    turns = 25
    assert run_processes(workers.read_then_write, target, PROCESSES, project.id, turns) == [turns] * PROCESSES
    versions = shared.projects.list_env_versions(project.id)
    assert [version for version, _ in versions] == list(range(PROCESSES * turns - 1, -1, -1))
    values = {variable.encrypted_value for _, variables in versions for variable in variables}
    values |= {variable.encrypted_value for variable in shared.projects.get(project.id).env_vars}
    assert len(values) == PROCESSES * turns


def test_builds_queued_at_once_get_numbers_without_gaps(target: Target, shared: AdminStorage) -> None:
    deployment = make_deployment(shared)
    answers = run_processes(workers.queue_builds, target, PROCESSES, deployment.id, 10)
    assert sorted(number for answer in answers for number in answer) == list(range(1, 10 * PROCESSES + 1))


def test_a_state_is_changed_by_one_of_many(target: Target, shared: AdminStorage) -> None:
    build = make_build(shared)
    answers = run_processes(workers.win_transition, target, PROCESSES, build.id)
    assert sorted(answers) == [False] * (PROCESSES - 1) + [True]
    assert shared.builds.get(build.id).status is BuildStatus.CANCELLED


def test_a_writer_that_is_killed_leaves_the_database_whole(target: Target, shared: AdminStorage) -> None:
    deployment = make_deployment(shared)
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        started = context.SimpleQueue()
        victim = context.Process(target=workers.write_until_killed, args=(target, started))
        victim.start()
        pid = started.get()
        before = len(shared.builds.list())
        while len(shared.builds.list()) < before + 5:
            assert victim.is_alive()
        os.kill(pid, signal.SIGKILL)
        victim.join(30)
    builds = shared.builds.list()
    assert [build.number for build in builds] == list(range(len(builds), 0, -1))
    current = shared.deployments.get(deployment.id)
    assert current.current_build_id in {build.id for build in builds}
    assert len(shared.deployments.list_env_versions(deployment.id)) == current.env_version
    assert make_build(shared, deployment).number == len(builds) + 1
    if "path" in target:
        with sqlite3.connect(target["path"]) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
