"""History as data: fixed columns, readable names, and who did what from where."""

from __future__ import annotations

import threading
from datetime import timedelta

import pandas as pd
import pytest
from fixtures.cli import CommandLine
from fixtures.house import House

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Build, BuildKind, BuildStatus, BuildTrigger, Event, utc_now
from mastra_admin_sdk.services.actors import Origin, acting
from mastra_admin_sdk.services.history.columns import (
    BUILD_COLUMNS,
    DEPLOYMENT_COLUMNS,
    EVENT_COLUMNS,
    PROJECT_COLUMNS,
    TEAM_COLUMNS,
)
from mastra_admin_sdk.services.history.records import expect_seconds, frame_builds, frame_events
from mastra_admin_sdk.services.supervision.crew import Crew, do_together


def list_dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


def test_frames_have_the_same_columns_and_dtypes_when_they_are_empty(command_line: CommandLine) -> None:
    with command_line.make_admin() as admin:
        empty = [
            (admin.builds.frame(), BUILD_COLUMNS),
            (admin.events.frame(), EVENT_COLUMNS),
            (admin.deployments.frame(), DEPLOYMENT_COLUMNS),
            (admin.projects.frame(), PROJECT_COLUMNS),
            (admin.teams.frame(), TEAM_COLUMNS),
        ]
        assert all(frame.empty for frame, _ in empty)
    command_line.deploy()
    with command_line.make_admin() as admin:
        full = [
            admin.builds.frame(), admin.events.frame(), admin.deployments.frame(), admin.projects.frame(),
            admin.teams.frame(),
        ]  # fmt: skip
    for (nothing, columns), something in zip(empty, full, strict=True):
        assert list_dtypes(nothing) == list_dtypes(something) == dict(columns)
        assert len(something) > 0


def test_a_build_is_a_row_with_its_seconds(house: House) -> None:
    deployment = house.add_deployment()
    done = house.deploy(deployment)
    row = frame_builds(house.storage, [done]).iloc[0]
    assert (row.team, row.project, row.deployment, row.number) == ("search", "weather", "main", 1)
    assert (row.kind, row.trigger, row.status) == ("deploy", "manual", "succeeded")
    assert row.total_s >= sum(done.phases.values()) > 0
    assert row.wait_s >= 0
    assert row.copy_s == pytest.approx(done.phases["copy"])
    assert (row.env_version, row.artifact_build, row.error) == ("0.0", done.id, None)


def test_stats_of_a_build_become_columns(house: House) -> None:
    deployment = house.add_deployment()
    stats = {
        "dependencies": "hit", "output": "miss", "artifact": "off", "artifact_bytes": 5_000_000_000,
        "peak_memory_bytes": 1, "source_files": 3, "source_bytes": 4,
    }  # fmt: skip
    build = house.storage.builds.create(Build(deployment.id, stats=stats, trigger=BuildTrigger.WATCH))
    row = frame_builds(house.storage, [build]).iloc[0]
    assert (row.dependencies_cache, row.output_cache, row.artifact_cache) == ("hit", "miss", "off")
    assert (row.artifact_bytes, row.peak_memory_bytes, row.source_files, row.source_bytes) == (5_000_000_000, 1, 3, 4)


def test_builds_are_chosen_by_status_and_time(command_line: CommandLine) -> None:
    command_line.deploy()
    with command_line.make_admin() as admin:
        assert len(admin.builds.frame(project="weather-agent", status="succeeded", since="1h")) == 1
        assert admin.builds.frame(deployment="weather-agent", status="failed").empty
        assert admin.builds.frame(since=utc_now() + timedelta(hours=1)).empty
        assert admin.builds.frame(limit=1).attrs == {"limit": 1, "truncated": True}
        assert admin.builds.frame().attrs["truncated"] is False
        with pytest.raises(NotFound):
            admin.builds.frame(project="nobody")
        assert [build.number for build in admin.builds.list(project="weather-agent")] == [1]


def test_events_name_their_objects_also_when_those_are_gone(house: House) -> None:
    deployment = house.add_deployment()
    done = house.deploy(deployment)
    frame = frame_events(house.storage, house.storage.events.list())
    named = dict(zip(frame.action, frame.object, strict=True))
    assert named["queue"] == "search/weather/main#1"
    assert named["live"] == "search/weather/main"
    house.deployments.delete(house.read(deployment))
    gone = frame_events(house.storage, house.storage.events.list())
    assert dict(zip(gone.action, gone.object, strict=True)).items() >= named.items()
    assert done.id in set(gone.object_id)


def test_deletes_leave_the_names_in_the_audit_log(house: House) -> None:
    house.deploy(house.add_deployment())
    before = frame_events(house.storage, house.storage.events.list())
    house.projects.delete("weather")
    after = frame_events(house.storage, house.storage.events.list())
    assert list(after.object[-len(before) :]) == list(before.object)
    deleted = after[after.action == "delete"]
    assert list(deleted.object) == ["search/weather", "search/weather/main"]
    assert all("object" not in details for details in after.details)


def test_the_name_of_an_object_takes_few_queries(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    house.parts.record("one", "deployment", deployment.id)
    build = house.storage.builds.create(Build(deployment.id))
    monkeypatch.setattr(house.storage, "deployments", None)
    monkeypatch.setattr(house.storage, "projects", None)
    house.parts.record("two", "deployment", deployment.id)
    house.parts.record("three", "build", build.id)
    newest = [event.details["object"] for event in house.storage.events.list(limit=2)]
    assert newest == [f"search/weather/main#{build.number}", "search/weather/main"]


def test_events_of_older_versions_name_what_is_there_still(house: House) -> None:
    deployment = house.add_deployment()
    for object_id in (deployment.id, "gone"):
        house.storage.events.append(Event("ana", "stop", "deployment", object_id))
    house.storage.events.append(Event("ana", "delete", "deployment", "gone", {"slug": "main"}))
    frame = frame_events(house.storage, house.storage.events.list(action="stop"))
    assert list(frame.object) == [None, "search/weather/main"]
    frame = frame_events(house.storage, house.storage.events.list(limit=3))
    assert list(frame.object) == ["main", "main", "search/weather/main"]


def test_an_event_says_who_did_it_and_from_where(house: House) -> None:
    house.parts.record("one", "team", "x")
    with acting(actor="ana", origin=Origin.WEBHOOK), acting(origin="watch"):
        house.parts.record("two", "team", "x", more=1)
    house.parts.record("three", "team", "x")
    frame = frame_events(house.storage, house.storage.events.list())
    assert list(frame.origin) == ["sdk", "watch", "sdk"]
    assert list(frame.actor) == ["tester", "ana", "tester"]
    assert list(frame.details) == [{}, {"more": 1}, {}]
    assert (frame.pid > 0).all()
    assert frame.host.notna().all()


def test_who_acts_is_a_matter_of_the_thread(house: House) -> None:
    with acting(actor="ana"):
        other = threading.Thread(target=house.parts.record, args=("other", "team", "x"))
        other.start()
        other.join()
    assert house.storage.events.list()[0].actor == "tester"


def test_who_acts_goes_along_to_helping_threads(house: House) -> None:
    crew, done = Crew("test", 2), threading.Event()

    def work() -> None:
        house.parts.record("helped", "team", "x")
        done.set()

    with acting(actor="ana"):
        do_together([lambda: house.parts.record("helped", "team", "x")] * 2, "test")
        crew.submit("one", work)
    assert done.wait(10)
    crew.stop(10)
    assert [event.actor for event in house.storage.events.list(action="helped")] == ["ana"] * 3


def test_what_a_worker_does_comes_from_the_background(command_line: CommandLine) -> None:
    command_line.deploy()
    with command_line.make_admin() as admin:
        frame = admin.events.frame()
    origin = dict(zip(frame.action, frame.origin, strict=True))
    assert origin["queue"] == "sdk"
    assert origin["live"] == "background"


def test_expected_seconds_are_medians_of_the_last_that_succeeded(house: House) -> None:
    deployment = house.add_deployment()
    assert expect_seconds(house.storage, deployment.id) == {}
    for seconds in (100, 1, 2, 3, 4, 5):
        build = house.claim(deployment)
        phases = {"copy": 0.5, "build": float(seconds)}
        house.storage.builds.transition(build.id, BuildStatus.DEPLOYING, expected=[BuildStatus.BUILDING])
        house.storage.builds.transition(
            build.id, BuildStatus.SUCCEEDED, expected=[BuildStatus.DEPLOYING], phases=phases
        )
    assert expect_seconds(house.storage, deployment.id) == {"copy": 0.5, "build": 3.0}
    assert expect_seconds(house.storage, deployment.id, kind=BuildKind.ROLLBACK) == {}


def test_whatever_changes_something_is_in_the_audit_log(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.source.add("other-agent")
    with command_line.make_admin() as admin:
        live = admin.deployments.get("weather-agent")

        def newest() -> str:
            return admin.events.list(limit=1)[0].action

        admin.teams.update("default", name="Other")
        assert newest() == "rename"
        admin.projects.relink("weather-agent", "other-agent")
        assert newest() == "relink"
        live.set_env({"A": "1"})
        assert newest() == "set_env"
        live.set_strategy("recreate")
        assert newest() == "set_strategy"
        admin.deploy("weather-agent", strategy="swap", wait=False)
        assert [event.action for event in admin.events.list(limit=2)] == ["queue", "change"]
        admin.builds.list(limit=1)[0].cancel()
        assert newest() == "cancelled"
        admin.down()
        assert "down" in set(admin.events.frame().action)


def test_a_cancel_names_who_asked_for_it(house: House) -> None:
    build = house.claim(house.add_deployment())
    with acting(actor="ana"):
        house.queue.cancel(build.id)
    (asked,) = house.storage.events.list(action="cancel")
    assert (asked.actor, asked.object_id) == ("ana", build.id)
