"""What every storage promises for all nouns: the same tests for the fake, SQLite and PostgreSQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from fixtures.storage import make_build, make_deployment, make_team

from mastra_admin_sdk.errors import (
    ForkedProcess,
    InvalidInput,
    NotFound,
    StorageError,
)
from mastra_admin_sdk.models import (
    Build,
    BuildKind,
    BuildStatus,
    BuildTrigger,
    Deployment,
    DeploymentStatus,
    DeploymentType,
    DesiredState,
    EnvVar,
    Event,
    Process,
    ProcessStatus,
    Project,
    Route,
    Schedule,
    SourceType,
    Strategy,
    Team,
    Tls,
    new_id,
    utc_now,
)
from mastra_admin_sdk.ports.storage import AdminStorage

ACTIVE = (BuildStatus.BUILDING, BuildStatus.DEPLOYING)
OPEN = (BuildStatus.QUEUED, *ACTIVE)
EARLIER = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


# --- records come back as they were stored ----------------------------------------------------------------------------


def test_every_field_of_every_record_comes_back(storage: AdminStorage) -> None:
    env = (EnvVar("KEY", "gAAA=", True), EnvVar("ünïcode", "🔑", False))
    team = Team("Search & Rescue", "search", created_at=EARLIER, updated_at=EARLIER)
    project = Project(
        team.id, "Wetter", "wetter", SourceType.GIT, {"path": "/a b/ü", "deep": {"list": [1, 2.5, None, True]}},
        "trunk", env, 7, "gAAA=", created_at=EARLIER, updated_at=EARLIER,
    )  # fmt: skip
    deployment = Deployment(
        project.id, "feature/x", "feature-x", DeploymentType.PREVIEW, DeploymentStatus.STOPPED, DesiredState.STOPPED,
        Strategy.RECREATE, None, None, "http://x.localhost:8080", env, 3, "because", 3, 512, 10,
        ("a.example.com", "b.example.com"), Tls.AUTO, True, 7, 3600, EARLIER, created_at=EARLIER, updated_at=EARLIER,
    )  # fmt: skip
    build = Build(
        deployment.id, 1, BuildKind.ROLLBACK, BuildTrigger.WATCH, BuildStatus.FAILED, -5, "logs/1.log", EARLIER,
        EARLIER, EARLIER, {"install": 1.25, "build": 55.0}, "it broke", {"log_tail": ["a", "b"]}, ("note", "another"),
        "v1.2", "abc123", "ana", True, "key", {"bytes": 5, "output": "hit"}, "hash", new_id(), {"path": "/x"}, env,
        "3.1", "host/1", 4, EARLIER, True, created_at=EARLIER,
    )  # fmt: skip
    process = Process(
        deployment.id, build.id, "127.0.0.1", 4100, ProcessStatus.EXITED, 2**22, 2**40, 17, 2**41, "boot", "a.log", 2,
        3, {"memory_bytes": 2**33}, 1, 9, "killed", {"traced": True, "dropped": 0}, EARLIER, EARLIER,
        created_at=EARLIER,
    )  # fmt: skip
    route = Route(
        "x.search.localhost", "127.0.0.1", 4100, deployment.id, ("127.0.0.1:4101",), Tls.INTERNAL, created_at=EARLIER
    )
    schedule = Schedule(
        deployment.id, "*/5 * * * *", "Europe/Berlin", False, EARLIER, EARLIER, "build", "late", created_at=EARLIER
    )
    event = Event("ana", "deploy", "deployment", deployment.id, {"number": 1}, EARLIER)

    assert storage.teams.create(team) == storage.teams.get(team.id) == team
    assert storage.projects.create(project) == storage.projects.get(project.id) == project
    assert storage.deployments.create(deployment) == storage.deployments.get(deployment.id) == deployment
    assert storage.builds.create(build) == storage.builds.get(build.id) == build
    assert storage.processes.create(process) == storage.processes.get(process.id) == process
    assert storage.routes.put(route) == storage.routes.get_by_host(route.host) == route
    assert storage.schedules.create(schedule) == storage.schedules.get(schedule.id) == schedule
    assert storage.events.append(event) == storage.events.list()[0] == event


def test_states_come_back_as_enums_and_times_as_utc(storage: AdminStorage) -> None:
    abroad = timezone(timedelta(hours=5, minutes=30))
    build = make_build(storage, queued_at=EARLIER.astimezone(abroad))
    found = storage.builds.get(build.id)
    assert type(found.status) is BuildStatus
    assert found.queued_at == EARLIER
    assert found.queued_at.utcoffset() == timedelta(0)
    assert found.queued_at.microsecond == 678901


def test_text_that_databases_refuse_is_made_storable(storage: AdminStorage) -> None:
    build = make_build(storage)
    changed = storage.builds.update(
        build.id, error_message="a\0b \udcff c 😀", error={"lines": ["x\0", "\ud800"]}, notes=("\0",)
    )
    assert changed.error_message == "a\ufffdb \ufffd c 😀"
    assert changed.error == {"lines": ["x\ufffd", "\ufffd"]}
    assert changed.notes == ("\ufffd",)
    with pytest.raises(NotFound):
        storage.teams.get_by_slug("no\0such")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"colour": "red"}, id="unknown-field"),
        pytest.param({"id": "x"}, id="id"),
        pytest.param({"status": BuildStatus.FAILED}, id="status"),
        pytest.param({"number": 9}, id="number"),
        pytest.param({"kind": "party"}, id="unknown-state"),
        pytest.param({"priority": "high"}, id="text-for-a-number"),
        pytest.param({"priority": True}, id="flag-for-a-number"),
        pytest.param({"queued_at": datetime(2026, 1, 1)}, id="time-without-zone"),
        pytest.param({"phases": {"build": float("nan")}}, id="not-a-number"),
        pytest.param({"error": {"path": Path("/")}}, id="not-json"),
        pytest.param({"notes": "one"}, id="text-for-a-list"),
        pytest.param({"queued_at": None}, id="nothing-for-a-time"),
    ],
)
def test_an_update_that_does_not_fit_changes_nothing(storage: AdminStorage, changes: dict[str, Any]) -> None:
    build = make_build(storage)
    with pytest.raises(InvalidInput):
        storage.builds.update(build.id, **changes)
    assert storage.builds.get(build.id) == build


# --- rules that hold for all nouns ------------------------------------------------------------------------------------


def test_unknown_ids_raise_not_found(storage: AdminStorage) -> None:
    calls: list[Callable[[], object]] = [
        lambda: storage.teams.get("x"),
        lambda: storage.teams.get_by_slug("x"),
        lambda: storage.teams.update("x", name="y"),
        lambda: storage.teams.update("x"),
        lambda: storage.teams.delete("x"),
        lambda: storage.projects.get("x"),
        lambda: storage.projects.get_by_slug("x", "y"),
        lambda: storage.projects.update("x", name="y"),
        lambda: storage.projects.set_env("x", []),
        lambda: storage.projects.list_env_versions("x"),
        lambda: storage.projects.delete("x"),
        lambda: storage.projects.create(Project("x", "y", "y")),
        lambda: storage.deployments.get("x"),
        lambda: storage.deployments.get_by_slug("x", "y"),
        lambda: storage.deployments.update("x", branch="y"),
        lambda: storage.deployments.set_env("x", []),
        lambda: storage.deployments.list_env_versions("x"),
        lambda: storage.deployments.transition("x", DeploymentStatus.RUNNING, expected=[DeploymentStatus.PENDING]),
        lambda: storage.deployments.delete("x"),
        lambda: storage.deployments.create(Deployment("x", "y", "y")),
        lambda: storage.builds.get("x"),
        lambda: storage.builds.get_by_number("x", 1),
        lambda: storage.builds.update("x", commit="y"),
        lambda: storage.builds.update("x", generation=1, commit="y"),
        lambda: storage.builds.heartbeat("x", generation=1),
        lambda: storage.builds.transition("x", BuildStatus.FAILED, expected=OPEN),
        lambda: storage.builds.delete("x"),
        lambda: storage.builds.create(Build("x")),
        lambda: storage.processes.get("x"),
        lambda: storage.processes.update("x", restarts=1),
        lambda: storage.processes.transition("x", ProcessStatus.EXITED, expected=[ProcessStatus.RUNNING]),
        lambda: storage.processes.delete("x"),
        lambda: storage.processes.create(Process("x", "y", "127.0.0.1", 4100)),
        lambda: storage.routes.get_by_host("x"),
        lambda: storage.routes.put(Route("x.localhost", "127.0.0.1", 4100, "x")),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()


def test_an_empty_update_changes_nothing(storage: AdminStorage) -> None:
    team = make_team(storage)
    assert storage.teams.update(team.id) == team == storage.teams.get(team.id)


def test_every_change_moves_updated_at(storage: AdminStorage) -> None:
    ahead = utc_now() + timedelta(days=1)
    team = storage.teams.create(Team("A", "a", updated_at=ahead))
    for name in ("B", "B", "C"):
        changed = storage.teams.update(team.id, name=name)
        assert changed.updated_at > team.updated_at
        team = changed
    assert team.updated_at == ahead + 3 * MICROSECOND
    assert team.created_at < ahead


def test_every_way_to_change_a_deployment_moves_updated_at(storage: AdminStorage) -> None:
    seen = [make_deployment(storage)]
    record_id = seen[0].id
    seen.append(storage.deployments.update(record_id, branch="x"))
    seen.append(storage.deployments.set_env(record_id, [EnvVar("A", "1")]))
    seen.append(
        storage.deployments.transition(record_id, DeploymentStatus.RUNNING, expected=[DeploymentStatus.PENDING])
    )
    times = [deployment.updated_at for deployment in seen]
    assert times == sorted(set(times))


def test_lists_are_newest_first(storage: AdminStorage) -> None:
    times = [EARLIER + index * MICROSECOND for index in (2, 0, 3, 1)]
    for index, moment in enumerate(times):
        storage.teams.create(Team(str(index), str(index), created_at=moment))
    assert [team.created_at for team in storage.teams.list()] == sorted(times, reverse=True)


def test_lists_of_an_empty_storage_are_empty(storage: AdminStorage) -> None:
    for repository in (
        storage.teams, storage.projects, storage.deployments, storage.builds, storage.processes, storage.routes,
        storage.events, storage.leases, storage.offsets, storage.schedules, storage.alert_rules, storage.alert_states,
        storage.alert_messages, storage.datasets, storage.tokens,
    ):  # fmt: skip
        assert list(repository.list()) == []


def test_a_closed_storage_says_so(storage: AdminStorage) -> None:
    storage.close()
    storage.close()
    with pytest.raises(StorageError, match="closed"):
        storage.teams.list()


def test_use_after_a_fork_raises(storage: AdminStorage) -> None:
    storage.teams.list()
    calls = [storage.init, storage.close, storage.teams.list, lambda: storage.teams.create(Team("a", "a"))]
    child = os.fork()
    if child == 0:
        refused = 0
        for call in calls:
            try:
                call()
            except ForkedProcess:
                refused += 1
            except BaseException:  # the child must reach os._exit whatever happens
                break
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == len(calls)
    assert storage.teams.list() == []


def test_init_can_be_repeated_and_keeps_everything(storage: AdminStorage) -> None:
    team = make_team(storage)
    storage.init()
    assert storage.teams.list() == [team]


def test_many_threads_share_one_storage(storage: AdminStorage) -> None:
    failures: list[BaseException] = []

    def work(index: int) -> None:
        try:
            for step in range(5):
                make_team(storage, f"{index}-{step}")
        except BaseException as exc:  # handed to the main thread
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(storage.teams.list()) == 40
