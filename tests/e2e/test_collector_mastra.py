"""Mastra's real platform exporter delivers into the collector of a panel that runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fixtures.collecting import Station, open_station
from fixtures.servers import PROJECTS

from mastra_admin_sdk.models import Artifact

pytestmark = [pytest.mark.slow, pytest.mark.mastra, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Report:
    """A station, and what the app that reported to it said."""

    station: Station
    told: dict[str, Any]
    output: str


@pytest.fixture(scope="module")
def report(weather_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """The agent and the workflow of the example, run in an app that knows of us by three variables."""
    folder = tmp_path_factory.mktemp("an app elsewhere")
    (folder / "node_modules").symlink_to(weather_artifact.path / "node_modules")
    shutil.copy(PROJECTS / "reports_elsewhere" / "report.mjs", folder)
    with open_station(folder / "home") as station:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "MASTRA_TELEMETRY_DISABLED": "1",
            "MASTRA_CLOUD_TRACES_ENDPOINT": station.panel.url,
            "MASTRA_CLOUD_ACCESS_TOKEN": station.secret,
            "MASTRA_PROJECT_ID": station.project.id,
        }
        command = [weather_artifact.node, "report.mjs", str(weather_artifact.path / "mastra.mjs")]
        ended = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        output = ended.stdout + ended.stderr
        assert ended.returncode == 0, output
        yield Report(station, json.loads(ended.stdout.strip().splitlines()[-1]), output)


def test_everything_is_delivered(report: Report) -> None:
    assert "Batch upload failed" not in report.output
    assert "dropped" not in report.output
    assert report.station.admin.rejects().empty


def test_the_agent_s_trace_has_types_tokens_parents_and_thread(report: Report) -> None:
    admin, trace_id = report.station.admin, report.told["traceId"]
    spans = admin.spans(project=report.station.project, trace_id=trace_id).set_index("span_id")
    assert set(spans["type"]) == {"agent_run", "model_generation", "model_step", "model_inference", "tool_call"}
    root = spans[spans["type"] == "agent_run"].iloc[0]
    assert (root["name"], root["status"], root["parent_span_id"]) == ("agent run: 'weather-agent'", "ok", None)
    assert set(spans["thread_id"]) == {"thread-1"}
    assert set(spans["resource_id"]) == {"ada"}
    model = spans[spans["type"] == "model_generation"].iloc[0]
    assert (model["model"], model["provider"]) == ("weather-1", "local")
    assert model["input_tokens"] > 0 < model["output_tokens"]
    assert spans.loc[model["parent_span_id"], "type"] == "agent_run"
    tool = spans[spans["type"] == "tool_call"].iloc[0]
    assert tool["entity_id"] == "weatherTool"
    assert json.loads(tool["input"]) == {"city": "Paris"}


def test_the_trace_counts_as_any_other(report: Report) -> None:
    admin = report.station.admin
    traces = admin.traces(project="weather-agent").set_index("trace_id")
    trace = traces.loc[report.told["traceId"]]
    spans = admin.spans(trace_id=report.told["traceId"])
    assert trace["spans"] == len(spans)
    assert trace["input_tokens"] == spans.loc[spans["type"] == "model_generation", "input_tokens"].sum()
    assert len(admin.trace(report.told["traceId"]).frame) == len(spans)


def test_a_workflow_that_failed_says_why(report: Report) -> None:
    failed = report.station.admin.spans(project=report.station.project, status="error")
    assert set(failed["type"]) == {"workflow_run", "workflow_step"}
    assert set(failed["error"]) == {'The weather station of "boom" has exploded'}


def test_logs_metrics_and_scores_come_along(report: Report) -> None:
    admin, project = report.station.admin, report.station.project
    logs = admin.logs(project=project, text="the weather was told")
    assert list(logs["level"]) == ["warn"]
    assert list(logs["source"]) == ["logger"]
    assert json.loads(logs["data"].iloc[0]) == {"city": "Paris"}
    metrics = admin.metrics(project=project)
    assert {"mastra_agent_duration_ms", "mastra_workflow_duration_ms"} <= set(metrics["name"])
    scores = admin.scores(project=project)
    assert scores[["name", "score", "reason", "trace_id"]].to_numpy().tolist() == [
        ["Politeness", 0.75, "said please", report.told["traceId"]]
    ]
    feedback = admin.sql("SELECT name, value, comment FROM mastra_admin_feedback")
    assert feedback.to_numpy().tolist() == [["thumbs", "1", "nice"]]
