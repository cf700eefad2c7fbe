"""The main job on real software: npm, `mastra build`, Node, Caddy, chDB, from a folder to DataFrames.

One home and one deployed example serve the tests of this file that a worker runs; none needs another to have run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.homes import look_from_outside
from fixtures.quick import find_free_port, find_port_range

from mastra_admin_sdk import LiveDeployment, MastraAdmin
from mastra_admin_sdk.ports.observability import LOG_COLUMNS, METRIC_COLUMNS, SPAN_COLUMNS, TRACE_COLUMNS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mastra,
    pytest.mark.timeout(900),
]

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PROJECTS = Path(__file__).parents[1] / "projects"
SECRET = "sk-this-must-never-be-shown-4711"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastraAdmin]:
    home = tmp_path_factory.mktemp("a home") / "with space"
    with MastraAdmin(
        home,
        source_paths=[str(NOTEBOOKS), str(PROJECTS)],
        router_port=find_free_port(),
        server_ports=find_port_range(),
        drain_timeout=5.0,
    ) as opened:
        yield opened
        opened.down()
    left = look_from_outside(home)
    assert left["processes"] == [], left


@pytest.fixture(scope="module")
def live(admin: MastraAdmin) -> LiveDeployment:
    project = admin.projects.create(
        admin.teams.create("Search"), source=str(NOTEBOOKS / "weather-agent"), env={"API_KEY": SECRET}
    )
    deployed: LiveDeployment = admin.deploy(project)
    admin.start()
    return deployed


def test_an_app_without_observability_is_traced_within_three_seconds(admin: MastraAdmin, live: LiveDeployment) -> None:
    assert "@mastra/observability" not in (NOTEBOOKS / "weather-agent" / "package.json").read_text()
    answer = live.agent("weather-agent").generate("How is the weather in Paris?")
    ended = time.monotonic()
    trace = admin.trace(answer["traceId"], wait=10)
    assert time.monotonic() - ended < 3
    frame = trace.frame
    assert {"agent_run", "model_generation", "tool_call"} <= set(frame["type"])
    generation = frame[frame["type"] == "model_generation"].iloc[0]
    assert generation["input_tokens"] > 0
    assert generation["output_tokens"] > 0
    assert set(frame["build_id"]) == {live.build.id}
    assert "agent_run" in repr(trace) or "weather-agent" in repr(trace)
    assert "<script" not in trace._repr_html_()


def test_frames_have_their_columns_and_filters_work(admin: MastraAdmin, live: LiveDeployment) -> None:
    live.agent("weather-agent").generate("How is the weather in Paris?")
    failed = live.workflow("forecast").start({"city": "boom"})
    assert failed["status"] == "failed"
    admin.trace(failed["traceId"], wait=10)
    spans = admin.spans(project="weather-agent", since="1h")
    assert tuple(spans.columns) == SPAN_COLUMNS
    assert str(spans["start_time"].dt.tz) == "UTC"
    errors = admin.spans(project="weather-agent", type="workflow_run", status="error")
    assert failed["traceId"] in set(errors["trace_id"])
    traces = live.traces()
    assert tuple(traces.columns) == TRACE_COLUMNS
    assert {"agent_run", "workflow_run"} <= set(traces["type"])
    assert tuple(admin.metrics(project="weather-agent").columns) == METRIC_COLUMNS
    assert not admin.metrics(project="weather-agent").empty
    assert admin.rejects().empty


def test_log_lines_arrive_with_their_trace(admin: MastraAdmin, live: LiveDeployment) -> None:
    answer = live.workflow("forecast").start({"city": "Paris"})
    admin.trace(answer["traceId"], wait=10)
    logs = live.logs(text="Fetching the weather")
    assert tuple(logs.columns) == LOG_COLUMNS
    assert not logs.empty
    assert set(logs["trace_id"]) <= set(live.spans()["trace_id"])


def test_sql_is_read_only_and_takes_parameters(admin: MastraAdmin, live: LiveDeployment) -> None:
    count = admin.sql("SELECT count() AS n FROM mastra_admin_spans WHERE type = %(type)s", {"type": "agent_run"})[
        "n"
    ].iloc[0]
    assert count == len(live.spans(type="agent_run"))


def test_no_secret_is_in_anything_that_was_written(admin: MastraAdmin, live: LiveDeployment) -> None:
    raw = SECRET.encode()
    hits = [
        path
        for folder, folders, names in os.walk(admin.home.path)
        for path in _keep_ours(folder, folders, names)
        if raw in path.read_bytes()
    ]
    assert hits == []
    assert SECRET not in repr(live) + repr(admin) + json.dumps([str(event) for event in admin.events.list()])


def _keep_ours(folder: str, folders: list[str], names: list[str]) -> list[Path]:
    """Return the files of a folder; artifacts are the project's own, and what lies in the trash is being removed."""
    folders[:] = [name for name in folders if name not in ("artifacts", "trash")]
    paths = [Path(folder, name) for name in names]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def test_what_the_app_wrote_survives_redeploy_and_rollback(live: LiveDeployment) -> None:
    assert live.request("POST", "/visits").json() == {"visits": 1}
    live.redeploy(fresh=True)
    assert live.request("GET", "/visits").json() == {"visits": 1}
    assert live.request("POST", "/visits").json() == {"visits": 2}
    live.rollback()
    assert live.request("GET", "/visits").json() == {"visits": 2}
    assert [build.status for build in live.builds] == ["succeeded"] * 3


def test_recorded_runs_are_replayed_on_another_deployment(admin: MastraAdmin, live: LiveDeployment) -> None:
    staging = admin.deploy(live.project, branch="next", type="staging")
    asked = [live.agent("weather-agent").generate(f"How is the weather in {city}?") for city in ("Paris", "Oslo")]
    asked += [live.workflow("forecast").start({"city": city}) for city in ("Rome", "boom")]
    recorded = [answer["traceId"] for answer in asked]
    for trace_id in recorded:
        admin.trace(trace_id, wait=10)
    found = admin.replay(recorded, staging)
    assert found["status"].tolist() == ["replayed"] * 4, found["reason"].tolist()
    assert found["equal"].all()
    assert found["old_output"].tolist() == found["new_output"].tolist()
    assert found["new_output"].iloc[0] == asked[0]["text"]
    assert found["new_status"].tolist() == ["ok", "ok", "ok", "error"]
    assert found["difference_ms"].notna().all()
    assert found["new_input_tokens"].iloc[0] == found["old_input_tokens"].iloc[0] > 0
    for row in found.itertuples():
        trace = admin.trace(row.new_trace_id)
        assert set(trace.frame["deployment_id"]) == {staging.id}
        assert trace.root is not None
        assert json.loads(trace.root.metadata)["replayOf"] == row.old_trace_id
        assert not trace.find(type="workflow_step" if row.kind == "workflow" else "model_generation").empty
    admin.datasets.create("smoke", traces=recorded[:3])
    checked = admin.replay("smoke", staging)
    assert checked["as_expected"].tolist() == [True] * 3, checked[["expected", "new_output", "reason"]]
    (missing,) = admin.replay(recorded[0], staging, target="agent:nobody").to_dict("records")
    assert missing["status"] == "failed"
    assert "404" in missing["reason"]
    compared = admin.compare(live, staging, since="1h")
    assert {"weather-agent", "weatherTool", "forecast", "weather-1"} <= set(compared.frame["name"])
    assert compared.sequences["sequence"].tolist() == ["weatherTool"]


def test_an_app_with_exporters_of_its_own_is_traced_and_keeps_them(admin: MastraAdmin) -> None:
    project = admin.projects.create(admin.teams.create("Exporters"), source=str(PROJECTS / "own-exporter"))
    deployed = admin.deploy(project)
    assert deployed.process is not None
    assert deployed.process.trace_status["observability"] == "configured"
