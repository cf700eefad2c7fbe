"""What every storage promises for teams, projects, deployments, processes, routes and events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fixtures.storage import make_build, make_deployment, make_process, make_project, make_team

from mastra_admin_sdk.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    StaleState,
)
from mastra_admin_sdk.models import (
    DeploymentStatus,
    EnvVar,
    Event,
    ProcessStatus,
    Route,
    Schedule,
    Team,
    Tls,
    new_id,
)
from mastra_admin_sdk.ports.storage import AdminStorage

EARLIER = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


# --- teams and projects -----------------------------------------------------------------------------------------------


def test_a_team_slug_is_taken_once(storage: AdminStorage) -> None:
    make_team(storage, "search")
    other = make_team(storage, "other")
    with pytest.raises(Conflict, match="'search'"):
        storage.teams.create(Team("Again", "search"))
    with pytest.raises(Conflict, match="'search'"):
        storage.teams.update(other.id, slug="search")
    assert storage.teams.get_by_slug("other") == other


def test_an_id_is_taken_once(storage: AdminStorage) -> None:
    team = make_team(storage)
    with pytest.raises(Conflict, match="id"):
        storage.teams.create(replace(team, slug="different"))


def test_a_project_slug_is_taken_once_in_its_team(storage: AdminStorage) -> None:
    one, two = make_team(storage, "one"), make_team(storage, "two")
    first = make_project(storage, "weather", one)
    assert make_project(storage, "weather", two).slug == "weather"
    with pytest.raises(Conflict, match="'weather'"):
        make_project(storage, "weather", one)
    assert storage.projects.get_by_slug(one.id, "weather") == first
    assert storage.projects.list(one.id) == [first]
    assert len(storage.projects.list()) == 2


def test_env_versions_keep_what_was_replaced(storage: AdminStorage) -> None:
    project = make_project(storage)
    first, second = [EnvVar("A", "1")], [EnvVar("A", "2"), EnvVar("B", "3", False)]
    assert storage.projects.list_env_versions(project.id) == []
    assert storage.projects.set_env(project.id, first).env_version == 1
    changed = storage.projects.set_env(project.id, second)
    assert (changed.env_vars, changed.env_version) == (tuple(second), 2)
    assert storage.projects.list_env_versions(project.id) == [(1, tuple(first)), (0, ())]
    for name in ("env_vars", "env_version"):
        with pytest.raises(InvalidInput):
            storage.projects.update(project.id, **{name: getattr(project, name)})


def test_deployments_keep_versions_of_their_overrides(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    storage.deployments.set_env(deployment.id, [EnvVar("A", "1")])
    changed = storage.deployments.set_env(deployment.id, [])
    assert (changed.env_overrides, changed.env_version) == ((), 2)
    assert storage.deployments.list_env_versions(deployment.id) == [(1, (EnvVar("A", "1"),)), (0, ())]


# --- deployments ------------------------------------------------------------------------------------------------------


def test_a_deployment_slug_is_taken_once_in_its_project(storage: AdminStorage) -> None:
    project = make_project(storage)
    first = make_deployment(storage, "main", project)
    with pytest.raises(Conflict, match="'main'"):
        make_deployment(storage, "main", project)
    assert storage.deployments.get_by_slug(project.id, "main") == first


def test_deployments_are_filtered_by_project_and_status(storage: AdminStorage) -> None:
    one, two = make_deployment(storage, "one"), make_deployment(storage, "two")
    running = storage.deployments.transition(one.id, DeploymentStatus.RUNNING, expected=[DeploymentStatus.PENDING])
    assert storage.deployments.list(statuses=[DeploymentStatus.RUNNING]) == [running]
    assert storage.deployments.list(two.project_id, statuses=[DeploymentStatus.RUNNING]) == []
    assert storage.deployments.list(two.project_id) == [two]
    assert storage.deployments.list(statuses=[]) == []
    with pytest.raises(InvalidInput):
        storage.deployments.list(statuses=["dancing"])  # type: ignore[list-item]


def test_a_transition_needs_the_expected_state(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    running = storage.deployments.transition(
        deployment.id, DeploymentStatus.RUNNING, expected=[DeploymentStatus.PENDING], status_reason="healthy"
    )
    assert (running.status, running.status_reason) == (DeploymentStatus.RUNNING, "healthy")
    with pytest.raises(StaleState) as caught:
        storage.deployments.transition(
            deployment.id, DeploymentStatus.BUILDING, expected=[DeploymentStatus.PENDING, DeploymentStatus.FAILED]
        )
    assert caught.value.evidence["current"] == "running"
    assert storage.deployments.get(deployment.id) == running


def test_a_transition_may_stay_where_it_is(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    changed = storage.deployments.transition(
        deployment.id, DeploymentStatus.PENDING, expected=[DeploymentStatus.PENDING], status_reason="waiting"
    )
    assert (changed.status, changed.status_reason) == (DeploymentStatus.PENDING, "waiting")


def test_a_transition_that_is_not_listed_is_refused(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    storage.deployments.transition(deployment.id, DeploymentStatus.RUNNING, expected=[DeploymentStatus.PENDING])
    for expected in ([DeploymentStatus.RUNNING], [DeploymentStatus.RUNNING, DeploymentStatus.STOPPED]):
        with pytest.raises(InvalidInput, match="running"):
            storage.deployments.transition(deployment.id, DeploymentStatus.BUILDING, expected=expected)
    with pytest.raises(InvalidInput):
        storage.deployments.transition(deployment.id, DeploymentStatus.STOPPED, expected=[])
    with pytest.raises(InvalidInput):
        storage.deployments.transition(
            deployment.id, DeploymentStatus.STOPPED, expected=[DeploymentStatus.RUNNING], env_overrides=()
        )
    assert storage.deployments.get(deployment.id).status is DeploymentStatus.RUNNING


def test_a_deployment_names_only_builds_that_exist(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    with pytest.raises(NotFound):
        storage.deployments.update(deployment.id, current_build_id=new_id())
    build = make_build(storage, deployment)
    assert storage.deployments.update(deployment.id, current_build_id=build.id).current_build_id == build.id


# --- deletes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["teams", "projects", "deployments"])
def test_a_delete_takes_everything_below_along(storage: AdminStorage, noun: str) -> None:
    kept, gone = make_deployment(storage, "kept"), make_deployment(storage, "gone")
    for port, deployment in ((4100, kept), (4101, gone)):
        build = make_build(storage, deployment)
        make_process(storage, port, build)
        storage.routes.put(Route(f"{deployment.slug}.localhost", "127.0.0.1", port, deployment.id))
        storage.deployments.update(deployment.id, current_build_id=build.id, previous_build_id=build.id)
        storage.deployments.set_env(deployment.id, [EnvVar("A", "1")])
        storage.projects.set_env(deployment.project_id, [EnvVar("A", "1")])
    project = storage.projects.get(gone.project_id)
    storage.events.append(Event("ana", "delete", noun, gone.id))

    ids = {"teams": project.team_id, "projects": project.id, "deployments": gone.id}
    getattr(storage, noun).delete(ids[noun])

    assert [deployment.id for deployment in storage.deployments.list()] == [kept.id]
    assert {build.deployment_id for build in storage.builds.list()} == {kept.id}
    assert {process.deployment_id for process in storage.processes.list()} == {kept.id}
    assert {route.deployment_id for route in storage.routes.list()} == {kept.id}
    assert len(storage.projects.list()) == (2 if noun == "deployments" else 1)
    assert len(storage.teams.list()) == (1 if noun == "teams" else 2)
    assert len(storage.events.list()) == 1


def test_deleting_a_build_empties_what_names_it(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    old, new = make_build(storage, deployment), make_build(storage, deployment)
    storage.deployments.update(deployment.id, current_build_id=new.id, previous_build_id=old.id)
    storage.builds.delete(new.id)
    left = storage.deployments.get(deployment.id)
    assert (left.current_build_id, left.previous_build_id) == (None, old.id)
    storage.builds.delete(old.id)
    assert storage.deployments.get(deployment.id).previous_build_id is None


def test_a_build_whose_server_runs_is_not_deleted(storage: AdminStorage) -> None:
    process = make_process(storage)
    with pytest.raises(Conflict, match="running"):
        storage.builds.delete(process.build_id)
    storage.processes.transition(process.id, ProcessStatus.EXITED, expected=[ProcessStatus.STARTING])
    storage.builds.delete(process.build_id)
    assert storage.processes.list() == []


# --- processes and routes ---------------------------------------------------------------------------------------------


def test_an_address_belongs_to_one_living_process(storage: AdminStorage) -> None:
    first = make_process(storage, 4100)
    with pytest.raises(Conflict, match=r"127\.0\.0\.1:4100"):
        make_process(storage, 4100)
    other = make_process(storage, 4101)
    with pytest.raises(Conflict, match="4100"):
        storage.processes.update(other.id, port=4100)
    ended = storage.processes.transition(
        first.id, ProcessStatus.EXITED, expected=[ProcessStatus.STARTING], exit_code=1, exit_reason="crashed"
    )
    assert (ended.exit_code, ended.exit_reason) == (1, "crashed")
    assert ended.exited_at is not None
    assert make_process(storage, 4100).port == 4100


def test_processes_are_filtered(storage: AdminStorage) -> None:
    one, two = make_process(storage, 4100), make_process(storage, 4101)
    running = storage.processes.transition(one.id, ProcessStatus.RUNNING, expected=[ProcessStatus.STARTING])
    alive = [status for status in ProcessStatus if status.is_alive]
    assert storage.processes.list(statuses=[ProcessStatus.RUNNING]) == [running]
    assert storage.processes.list(two.deployment_id, statuses=alive) == [two]
    assert storage.processes.list(build_id=one.build_id) == [running]
    assert storage.processes.list(two.deployment_id, build_id=one.build_id) == []


def test_process_transitions_are_checked(storage: AdminStorage) -> None:
    process = make_process(storage)
    with pytest.raises(StaleState):
        storage.processes.transition(process.id, ProcessStatus.DRAINING, expected=[ProcessStatus.RUNNING])
    storage.processes.transition(process.id, ProcessStatus.EXITED, expected=[ProcessStatus.STARTING])
    with pytest.raises(InvalidInput):
        storage.processes.transition(process.id, ProcessStatus.RUNNING, expected=[ProcessStatus.EXITED])
    with pytest.raises(InvalidInput):
        storage.processes.update(process.id, status=ProcessStatus.RUNNING)
    storage.processes.delete(process.id)
    assert storage.processes.list() == []


def test_a_route_is_pointed_elsewhere(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    route = storage.routes.put(Route("a.localhost", "127.0.0.1", 4100, deployment.id))
    moved = storage.routes.put(Route("a.localhost", "127.0.0.1", 4101, deployment.id))
    assert moved == replace(route, target_port=4101)
    assert storage.routes.list(deployment.id) == [moved]


def test_a_host_belongs_to_one_deployment(storage: AdminStorage) -> None:
    one, two = make_deployment(storage, "one"), make_deployment(storage, "two")
    route = storage.routes.put(Route("a.localhost", "127.0.0.1", 4100, one.id))
    with pytest.raises(Conflict, match=one.id):
        storage.routes.put(Route("a.localhost", "127.0.0.1", 4101, two.id))
    assert storage.routes.get_by_host("a.localhost") == route
    storage.routes.delete("a.localhost")
    storage.routes.delete("a.localhost")
    assert storage.routes.put(Route("a.localhost", "127.0.0.1", 4101, two.id)).deployment_id == two.id


# --- events -----------------------------------------------------------------------------------------------------------


def test_events_are_filtered_newest_first(storage: AdminStorage) -> None:
    for number in range(4):
        storage.events.append(
            Event("ana", str(number), "build" if number % 2 else "team", f"id-{number}", time=EARLIER)
        )
    assert [event.action for event in storage.events.list()] == ["3", "2", "1", "0"]
    assert [event.action for event in storage.events.list(object_type="build")] == ["3", "1"]
    assert [event.action for event in storage.events.list(object_id="id-2")] == ["2"]
    assert [event.action for event in storage.events.list(object_type="build", object_id="id-2")] == []
    assert [event.action for event in storage.events.list(limit=1)] == ["3"]
    assert [event.action for event in storage.events.list(action="2")] == ["2"]
    assert storage.events.list(actor="bob") == []
    assert len(storage.events.list(actor="ana", limit=None)) == 4


def test_events_of_a_range_of_time_begin_with_its_start_and_end_before_its_end(storage: AdminStorage) -> None:
    for minutes in range(3):
        storage.events.append(Event("ana", str(minutes), "team", "x", time=EARLIER + timedelta(minutes=minutes)))
    since, until = EARLIER + timedelta(minutes=1), EARLIER + timedelta(minutes=2)
    assert [event.action for event in storage.events.list(since=since)] == ["2", "1"]
    assert [event.action for event in storage.events.list(until=until)] == ["1", "0"]


# --- schedules --------------------------------------------------------------------------------------------------------


def test_a_schedule_fires_once(storage: AdminStorage) -> None:
    due, following = EARLIER, EARLIER.replace(year=2027)
    schedule = storage.schedules.create(Schedule(make_deployment(storage).id, "0 3 * * *", next_at=due))
    fired = storage.schedules.fire(schedule, at=due, next_at=following)
    assert (fired.last_fired_at, fired.next_at) == (due, following)
    with pytest.raises(StaleState):
        storage.schedules.fire(schedule, at=due, next_at=following)
    assert storage.schedules.get(schedule.id) == fired


def test_a_schedule_that_is_switched_off_does_not_fire(storage: AdminStorage) -> None:
    schedule = storage.schedules.create(Schedule(make_deployment(storage).id, "0 3 * * *", next_at=EARLIER))
    storage.schedules.update(schedule.id, enabled=False)
    with pytest.raises(StaleState):
        storage.schedules.fire(schedule, at=EARLIER, next_at=None)


def test_schedules_go_with_their_deployment(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    schedule = storage.schedules.create(Schedule(deployment.id, "@daily"))
    assert storage.schedules.list(deployment.id) == [schedule]
    with pytest.raises(NotFound):
        storage.schedules.create(Schedule("nobody", "@daily"))
    storage.deployments.delete(deployment.id)
    assert storage.schedules.list() == []


def test_a_route_keeps_the_targets_of_all_replicas(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    route = Route("a.localhost", "127.0.0.1", 4100, deployment.id, more_targets=("127.0.0.1:4101",), tls=Tls.INTERNAL)
    assert storage.routes.put(route).targets == ("127.0.0.1:4100", "127.0.0.1:4101")
    moved = storage.routes.put(Route("a.localhost", "127.0.0.1", 4102, deployment.id))
    assert (moved.targets, moved.tls) == (("127.0.0.1:4102",), Tls.OFF)
    assert storage.routes.get_by_host("a.localhost") == moved


def test_builds_are_found_by_when_they_were_queued(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    old, new = (make_build(storage, deployment, queued_at=EARLIER + timedelta(hours=hour)) for hour in (0, 2))
    assert storage.builds.list(since=EARLIER + timedelta(hours=1)) == [new]
    assert {build.id for build in storage.builds.list(since=EARLIER)} == {old.id, new.id}


def test_builds_are_found_by_what_went_into_them(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    same = make_build(storage, deployment)
    make_build(storage, deployment)
    same = storage.builds.update(same.id, cache_key="k", stats={"bytes": 5})
    assert storage.builds.list(cache_key="k") == [same]
    assert same.stats == {"bytes": 5}
