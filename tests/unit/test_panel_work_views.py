"""What the pages of the overview, teams, projects and deployments show, worked out from records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mastra_admin_panel.viewmodels.builds import describe_build, find_phase
from mastra_admin_panel.viewmodels.deployments import (
    choose_actions,
    describe_condition,
    describe_ended,
    describe_row,
    describe_server,
    describe_tracing,
    find_last_failure,
    group_rows,
    list_agents,
    list_lifetimes,
    list_targets,
)
from mastra_admin_panel.viewmodels.environment import list_variables, merge_variables
from mastra_admin_panel.viewmodels.overview import describe_overview
from mastra_admin_panel.viewmodels.projects import describe_projects
from mastra_admin_panel.viewmodels.schedules import describe_schedules
from mastra_admin_panel.viewmodels.sources import describe_sources
from mastra_admin_panel.viewmodels.teams import describe_teams
from mastra_admin_panel.wording import format_milliseconds, format_share, until
from mastra_admin_sdk.models import (
    Build,
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DeploymentType,
    DesiredState,
    EnvVar,
    Process,
    ProcessStatus,
    Project,
    Schedule,
    ServerUsage,
    SkippedFolder,
    SourceProject,
    Team,
    utc_now,
)
from mastra_admin_sdk.ports.source import SourceListing
from mastra_admin_sdk.services.monitoring.measures import Activity
from mastra_admin_sdk.services.overview import DeploymentView, ServerView

TEAM = Team("Search", "search")
PROJECT = Project(TEAM.id, "Weather", "weather", source_config={"path": "/srv/weather"})
BUILD = Build("d", number=3, status=BuildStatus.SUCCEEDED)
DEPLOYMENT = Deployment(PROJECT.id, "main", "main", status=DeploymentStatus.RUNNING, current_build_id=BUILD.id, id="d")


def serve(*answers: bool, **fields: Any) -> tuple[ServerView, ...]:
    return tuple(
        ServerView(
            Process("d", BUILD.id, "127.0.0.1", 4100 + number, replica=number, pid=7, **fields),
            answer,
            ServerUsage(250 * 1024 * 1024, 1, 1, 1, 0.0),
            seen_at=utc_now(),
        )
        for number, answer in enumerate(answers)
    )


def look(deployment: Deployment = DEPLOYMENT, *answers: bool, active: Build | None = None) -> DeploymentView:
    servers = serve(*answers)
    process = servers[0].process if servers else None
    return DeploymentView(
        TEAM, PROJECT, deployment, BUILD, active, process, any(answers) if answers else None, servers=servers
    )


def write_document(*deployments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    project = {"id": PROJECT.id, "slug": "weather", "deployments": list(deployments)}
    return {
        "home": "/home",
        "is_supervised": True,
        "router": {"running": True},
        "engine": {"running": True},
        "lag": {"files": 0, "bytes": 0, "seconds": 0.0},
        "ingestion": {"trouble": "", "rejected": 0},
        "firing": [],
        "teams": [{"id": TEAM.id, "slug": "search", "projects": [project]}],
        **fields,
    }


def write_deployment(slug: str, status: str = "running", **fields: Any) -> dict[str, Any]:
    defaults = {"answers": True, "servers": [{"answers": True}], "type": "production", "url": None}
    more = {"updated_at": f"2026-11-23T10:00:0{len(slug) % 10}.000+00:00", "current_build_id": "b", "build": None}
    return {"id": slug, "slug": slug, "status": status, "status_reason": None, **defaults, **more, **fields}


# --- a deployment ---


@pytest.mark.parametrize(
    ("answers", "word", "tone"),
    [
        ((True, True), "running", "good"),
        ((True, False), "partly answering", "wait"),
        ((False, False), "not answering", "bad"),
    ],
)
def test_a_deployment_is_running_when_all_its_servers_answer(answers: tuple[bool, ...], word: str, tone: str) -> None:
    found = describe_condition(look(DEPLOYMENT, *answers))
    assert (found.word, found.tone) == (word, tone)


@pytest.mark.parametrize(
    ("status", "build", "word"),
    [
        (DeploymentStatus.PENDING, "b", "restarting"),
        (DeploymentStatus.PENDING, None, "not deployed"),
        (DeploymentStatus.FAILED, "b", "failed"),
        (DeploymentStatus.STOPPED, "b", "stopped"),
    ],
)
def test_a_deployment_that_doesnt_run_says_what_it_does(status: DeploymentStatus, build: str | None, word: str) -> None:
    record = replace(DEPLOYMENT, status=status, current_build_id=build, status_reason="why")
    found = describe_condition(look(record))
    assert (found.word, found.reason) == (word, "why")


def test_actions_are_those_that_make_sense_now() -> None:
    assert choose_actions(look(DEPLOYMENT, True)) == {"restart", "promote", "stop"}
    stopped = replace(DEPLOYMENT, status=DeploymentStatus.STOPPED, desired_state=DesiredState.STOPPED)
    assert choose_actions(look(stopped)) == {"start", "promote"}
    new = replace(DEPLOYMENT, status=DeploymentStatus.PENDING, current_build_id=None)
    assert choose_actions(look(new)) == {"stop"}


def test_a_server_shows_what_it_holds_rounded() -> None:
    (server,) = serve(True, status=ProcessStatus.RUNNING, restarts=2)
    row = describe_server(server)
    assert (row.memory_mb, row.restarts, row.address, row.answers) == (250, 2, "http://127.0.0.1:4100", True)
    known = replace(server.process, stats={"memory_bytes": 101 * 1024 * 1024})
    assert describe_server(replace(server, process=known, answers=False, usage=None)).memory_mb == 100


def test_tracing_says_why_not_and_what_was_dropped() -> None:
    assert describe_tracing(()).word == "unknown"
    assert describe_tracing(serve(True, trace_status={"traced": True})).tone == "good"
    untraced = describe_tracing(serve(True, trace_status={"traced": False, "reason": "bundled"}))
    assert (untraced.word, untraced.note) == ("not traced", "bundled")
    dropping = describe_tracing(serve(True, True, trace_status={"traced": True, "dropped": 600}))
    assert (dropping.tone, dropping.note) == ("wait", "1,200 lines of telemetry were dropped since the start.")


def test_agents_come_by_name_with_model_and_tools() -> None:
    inventory = {"agents": {"w": {"name": "weather", "provider": "openai", "modelId": "x", "tools": ["get"]}, "A": {}}}
    assert [(agent.name, agent.model, agent.tools) for agent in list_agents(inventory)] == [
        ("A", "", ()),
        ("weather", "openai/x", ("get",)),
    ]
    assert list_agents({}) == ()


def test_targets_of_a_promotion_are_siblings_and_types_that_are_missing() -> None:
    staging = replace(DEPLOYMENT, id="s", type=DeploymentType.STAGING)
    preview = replace(DEPLOYMENT, id="p", branch="x", type=DeploymentType.PREVIEW)
    assert [value for value, _ in list_targets(preview, [preview, staging])] == ["s", "production"]
    assert [value for value, _ in list_targets(DEPLOYMENT, [DEPLOYMENT, staging])] == ["s"]


def test_a_lifetime_that_was_chosen_elsewhere_can_be_seen() -> None:
    assert list_lifetimes(5400)[0] == (5400, "after 1.5 h")
    assert list_lifetimes(0) == list_lifetimes()


def test_the_last_build_is_a_failure_unless_something_newer_serves() -> None:
    failed = replace(BUILD, number=4, status=BuildStatus.FAILED, error_message="no")
    found = find_last_failure(BUILD, [failed, BUILD])
    assert found is not None
    assert found.number == 4
    assert find_last_failure(replace(BUILD, number=5), [failed]) is None
    assert find_last_failure(BUILD, [BUILD]) is None
    assert find_last_failure(None, []) is None


def test_servers_that_ended_say_how() -> None:
    ended = Process("d", "b", "h", 1, status=ProcessStatus.EXITED, exit_code=3)
    killed = replace(ended, exit_code=None, exit_signal=9)
    asked = replace(ended, exit_code=None, exit_signal=15)
    running = replace(ended, status=ProcessStatus.RUNNING)
    found = describe_ended([ended, running, killed, asked])
    assert [(item["reason"], item["is_crash"]) for item in found] == [
        ("exit code 3", True),
        ("ended by signal 9", True),
        ("ended by signal 15", False),
    ]


def test_rows_of_deployments_come_with_what_needs_a_look_first() -> None:
    rows = [
        describe_row(replace(DEPLOYMENT, branch=branch, type=kind, status=status), {BUILD.id: 3})
        for branch, kind, status in (
            ("p", DeploymentType.PREVIEW, DeploymentStatus.RUNNING),
            ("m", DeploymentType.PRODUCTION, DeploymentStatus.RUNNING),
            ("f", DeploymentType.PREVIEW, DeploymentStatus.FAILED),
        )
    ]
    assert [row.branch for row in group_rows(rows)[PROJECT.id]] == ["f", "m", "p"]
    assert rows[0].build == 3


# --- builds, variables, schedules, sources ---


def test_a_build_tells_its_phase_until_it_has_ended() -> None:
    build = replace(BUILD, status=BuildStatus.BUILDING, phases={"copy": 0.2, "install": 0.0})
    assert find_phase(build) == "install"
    assert find_phase(replace(build, status=BuildStatus.FAILED)) is None
    assert describe_build(build, expected={"copy": 1.0, "install": 12.0}).expected_seconds == 13.0


def test_the_value_of_a_secret_is_not_taken() -> None:
    own = [EnvVar("KEY", "x", is_secret=True), EnvVar("A", "y", is_secret=False)]
    found = list_variables(own, {"KEY": "told by mistake", "A": "plain"})
    assert [(item.key, item.value) for item in found] == [("A", "plain"), ("KEY", None)]


def test_variables_of_a_deployment_stand_in_place_of_the_projects() -> None:
    plain = [EnvVar("A", "", is_secret=False), EnvVar("B", "", is_secret=False)]
    project = list_variables(plain, {"A": "1", "B": "2"})
    own = list_variables(
        [EnvVar("B", "", is_secret=False), EnvVar("C", "", is_secret=False)], {"B": "3", "C": "4"}, "deployment"
    )
    found = {item.key: (item.value, item.origin, item.overrides) for item in merge_variables(project, own)}
    assert found == {
        "A": ("1", "project", False),
        "B": ("3", "deployment", True),
        "C": ("4", "deployment", False),
    }


def test_a_schedule_names_its_deployment() -> None:
    (row,) = describe_schedules([Schedule("d", "0 3 * * *")], {"d": "main"})
    assert (row.deployment, row.cron, row.next_at) == ("main", "0 3 * * *", None)


def test_sources_that_are_free_come_first_and_warnings_are_told() -> None:
    used = SourceProject("1", "a", "/srv/weather", mastra_version="1.71.0", has_lockfile=True)
    free = SourceProject("2", "b", "/b", mastra_version="1.71.0")
    old = SourceProject("3", "c", "/c", git_commit="0123456789abcdef", git_dirty=True)
    listing = SourceListing((used, free, old), (SkippedFolder("/d", "broken"),), ("/srv",))
    found = describe_sources(listing, [PROJECT])
    assert [(row.name, row.used_by) for row in found.rows] == [("b", ()), ("c", ()), ("a", ((PROJECT.id, "Weather"),))]
    assert [bool(row.warning) for row in found.rows] == [True, True, False]
    assert (found.rows[1].commit, found.rows[1].is_dirty) == ("0123456789", True)
    assert found.searched == ("/srv",)


def test_teams_and_projects_count_what_they_hold() -> None:
    other = Team("Other", "other")
    failed = replace(DEPLOYMENT, id="f", status=DeploymentStatus.FAILED)
    rows = describe_teams([TEAM, other], [PROJECT], [DEPLOYMENT, failed])
    assert [(row.projects, dict(row.states)) for row in rows] == [(1, {"failed": 1, "running": 1}), (0, {})]
    (project,) = describe_projects([PROJECT], [TEAM], [DEPLOYMENT])
    assert (project.team, project.source, len(project.deployments)) == ("Search", "/srv/weather", 1)


# --- the overview ---


def test_what_is_down_comes_before_what_is_impaired() -> None:
    document = write_document(
        write_deployment("a", watch_error="gone"),
        write_deployment("b", servers=[{"answers": True}, {"answers": False}]),
        write_deployment("c", "failed", status_reason="it crashed"),
        write_deployment("d", answers=False, servers=[{"answers": False}]),
        write_deployment("e", "pending"),
        write_deployment("f", "pending", current_build_id=None),
    )
    page = describe_overview(document, recent=[])
    assert [(item.deployment_id, item.word) for item in page.troubles] == [
        ("c", "failed"),
        ("d", "not answering"),
        ("a", "can't be watched"),
        ("b", "partly answering"),
        ("e", "restarting"),
    ]
    assert {figure.label: figure.value for figure in page.figures}["Failing"] == 2
    assert page.troubles[0].place == "search/weather/c"


def test_a_failed_build_is_told_while_nothing_newer_serves() -> None:
    document = write_document(
        write_deployment("a", build={"id": "x", "number": 2}),
        write_deployment("b", build={"id": "y", "number": 9}),
        write_deployment("c", build={"id": "z", "number": 1}, active_build={"number": 4}),
    )
    failed = [
        Build(owner, number=number, status=BuildStatus.FAILED, error_message="no.")
        for owner, number in (("a", 4), ("a", 3), ("b", 3), ("c", 3), ("gone", 1))
    ]
    page = describe_overview(document, recent=failed, failed=failed)
    assert [(item.deployment_id, item.build, item.reason) for item in page.troubles] == [
        ("a", 4, "no. Build #2 still serves.")
    ]


def test_deployments_that_fail_come_before_slow_ones() -> None:
    document = write_document(write_deployment("a"), write_deployment("b"), write_deployment("c"))
    activities = {
        "a": Activity(10, 0, {50: 100.0, 95: 200.0}),
        "b": Activity(10, 1, {50: 10.0, 95: 20.0}),
        "c": Activity(10, 0, {50: 100.0, 95: 9000.0}),
        "gone": Activity(10, 10, {95: 1.0}),
    }
    page = describe_overview(document, recent=[], activities=activities)
    assert page.paces is not None
    assert [(pace.deployment_id, pace.is_failing) for pace in page.paces] == [("b", True), ("c", False), ("a", False)]
    assert describe_overview(document, recent=[]).paces is None


def test_parts_that_dont_run_say_what_to_do() -> None:
    document = write_document(
        is_supervised=False,
        router={"running": False},
        engine={"running": False, "error": "no answer"},
        lag={"files": 1, "bytes": 1, "seconds": 95.0},
        ingestion={"trouble": "", "rejected": 2},
    )
    parts = {part.name: part for part in describe_overview(document, recent=[]).parts}
    assert parts["Background work"].command == "mastra-admin up"
    assert parts["Router"].word == "stopped"
    assert (parts["Telemetry store"].word, parts["Telemetry store"].note) == ("not reachable", "no answer")
    assert (parts["Storing telemetry"].word, parts["Storing telemetry"].tone) == ("1 min behind", "wait")
    stuck = describe_overview(write_document(ingestion={"trouble": "disk full"}), recent=[]).parts
    assert stuck[-1].word == "held up"


@pytest.mark.parametrize(("value", "text"), [(None, "\N{EN DASH}"), (340.4, "340 ms"), (2400.0, "2.4 s")])
def test_milliseconds_are_told_as_people_do(value: float | None, text: str) -> None:
    assert format_milliseconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "\N{EN DASH}"), (0.0, "0 %"), (0.003, "0.3 %"), (0.25, "25 %")])
def test_shares_are_told_as_percents(value: float | None, text: str) -> None:
    assert format_share(value) == text


def test_what_will_be_is_told_as_people_do() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert until("2026-11-23T15:30:00+00:00", now) == "in 3 h"
    assert until("2026-11-23T11:00:00+00:00", now) == "now"
