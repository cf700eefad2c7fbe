"""Really built Mastra apps under the preload: what arrives, what doesn't, and that the app goes on as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from fixtures.mastra import build_once
from fixtures.servers import PROJECTS, wait_until
from fixtures.tracing import TracedApp, run_traced

from mastra_admin_sdk.models import Artifact
from mastra_admin_sdk.policy import TelemetryPolicy

pytestmark = [pytest.mark.slow, pytest.mark.mastra, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def own_exporter_artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    def replace(workspace: Path) -> None:
        shutil.rmtree(workspace)
        shutil.copytree(PROJECTS / "own-exporter", workspace)

    return build_once(tmp_path_factory, "own-exporter", replace)


@pytest.fixture(scope="module")
def weather(weather_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TracedApp]:
    """The example, after an agent run, a workflow that worked and one that failed."""
    with run_traced(weather_artifact, tmp_path_factory.mktemp("a weather app")) as app:
        app.generate("weather-agent", "What is the weather in Paris?")
        for city in ("Paris", "boom"):
            app.request("POST", "/api/workflows/forecast/start-async", {"inputData": {"city": city}})
        app.stop()
        yield app


@pytest.fixture(scope="module")
def careless(own_exporter_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TracedApp]:
    """The app with an exporter of its own, after an agent run, still running."""
    with run_traced(own_exporter_artifact, tmp_path_factory.mktemp("a careless app")) as app:
        app.generate("careless", "Log me in")
        wait_until(lambda: count_runs(app, "ended") == 1)
        yield app


def test_an_app_without_observability_gets_one(weather: TracedApp) -> None:
    status = weather.read_status()
    expected = {"mastra": True, "traced": True, "observability": "added", "instances": 1, "reason": None, "dropped": 0}
    assert {name: status[name] for name in expected} == expected
    assert status["core_version"] == "1.71.0"
    assert status["observability_version"]
    lines = weather.read_lines("spans") + weather.read_lines("logs")
    assert sum(status["written"].values()) == len(lines)


def test_spans_arrive_with_their_tokens_and_errors(weather: TracedApp) -> None:
    ended = [line["data"] for line in weather.read_lines("spans") if line.get("event") == "ended"]
    types = {span["type"] for span in ended}
    assert {"agent_run", "model_generation", "tool_call", "workflow_run", "workflow_step"} <= types
    model = next(span for span in ended if span["type"] == "model_generation")
    assert model["attributes"]["usage"]["inputTokens"] > 0
    assert model["attributes"]["usage"]["outputTokens"] > 0
    failed = [span for span in ended if "errorInfo" in span]
    assert {span["type"] for span in failed} == {"workflow_run", "workflow_step"}
    assert "exploded" in failed[0]["errorInfo"]["message"]


def test_every_span_that_started_ended(weather: TracedApp) -> None:
    spans = [line for line in weather.read_lines("spans") if line["type"] == "span"]
    started = {line["data"]["id"] for line in spans if line["event"] == "started"}
    assert started <= {line["data"]["id"] for line in spans if line["event"] == "ended"}


def test_lines_say_whose_they_are_and_have_unique_ids(weather: TracedApp) -> None:
    lines = weather.read_lines("spans") + weather.read_lines("logs")
    owners = {(line["projectId"], line["deploymentId"], line["buildId"], line["processId"]) for line in lines}
    assert owners == {("project-1", "deployment-1", "build-1", "process-1")}
    assert len({line["id"] for line in lines}) == len(lines)
    assert {line["type"] for line in weather.read_lines("spans")} == {"span", "metric"}
    assert {line["type"] for line in weather.read_lines("logs")} == {"log"}


def test_console_and_logger_lines_arrive_once_and_with_their_trace(weather: TracedApp) -> None:
    logs = [line["data"] for line in weather.read_lines("logs")]
    console = find_log(logs, "Looking up the weather in Paris")
    logger = find_log(logs, "Fetching the weather", city="Paris")
    assert (console["source"], console["level"]) == ("console", "info")
    assert (logger["source"], logger["level"]) == ("logger", "info")
    spans = {line["data"]["id"]: line["data"] for line in weather.read_lines("spans") if line["type"] == "span"}
    assert spans[console["spanId"]]["type"] == "tool_call"
    assert spans[logger["spanId"]]["type"] == "workflow_step"
    assert len([log for log in logs if "exploded" in log["message"] and log["source"] == "console"]) == 0


def test_only_what_the_policy_lets_through_is_written(
    weather_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory
) -> None:
    policy = TelemetryPolicy(sample=0.0, keep_errors=True, fields=("city",), patterns=("exploded",))
    variables = {"MASTRA_ADMIN_TELEMETRY_POLICY": policy.to_json()}
    with run_traced(weather_artifact, tmp_path_factory.mktemp("a sampled app"), **variables) as app:
        for city in ("Lima", "boom"):
            app.request("POST", "/api/workflows/forecast/start-async", {"inputData": {"city": city}})
        app.stop()
    lines = app.read_lines("spans") + app.read_lines("logs")
    spans = [line["data"] for line in lines if line["type"] == "span"]
    (trace,) = {span["traceId"] for span in spans}
    ended = {line["data"]["type"] for line in lines if line.get("event") == "ended"}
    assert {"workflow_run", "workflow_step"} <= ended
    assert {line["data"].get("traceId") for line in lines if line["type"] == "log"} <= {None, trace}
    inputs = json.dumps([span.get("input") for span in spans])
    assert '"city": "[REDACTED]"' in inputs
    assert "boom" not in inputs
    assert "exploded" not in json.dumps(lines)
    left_out = app.read_status()["sampled_out"]
    assert left_out["trace"] == 1
    assert left_out["span"] >= 4


def test_files_are_closed_when_the_server_has_stopped(weather: TracedApp) -> None:
    names = [path.name for stream in ("spans", "logs") for path in (weather.folder / stream).iterdir()]
    assert names
    assert all(name.endswith(".jsonl") for name in names)


def test_the_exporter_of_the_app_keeps_working(careless: TracedApp) -> None:
    own = careless.request("GET", "/own-exporter")
    assert {"span_ended agent_run", "span_ended model_generation", "span_ended tool_call"} <= set(own["spans"])
    assert "mastra_agent_duration_ms" in own["metrics"]
    status = careless.read_status()
    assert (status["observability"], status["instances"], status["traced"]) == ("configured", 2, True)
    spans = [line["data"]["type"] for line in careless.read_lines("spans") if line.get("event") == "ended"]
    assert spans.count("agent_run") == own["spans"].count("span_ended agent_run")
    assert spans.count("tool_call") == own["spans"].count("span_ended tool_call")


def test_its_log_level_stays_its_own_and_all_records_arrive_here(careless: TracedApp) -> None:
    own = careless.request("GET", "/own-exporter")["logs"]
    assert not [entry for entry in own if entry.startswith(("info", "debug"))]
    log = find_log([line["data"] for line in careless.read_lines("logs")], "logged in")
    assert (log["level"], log["source"]) == ("info", "logger")
    assert log["traceId"]


def test_no_value_of_a_secret_field_is_in_the_files(careless: TracedApp) -> None:
    files = [path for stream in ("spans", "logs") for path in (careless.folder / stream).iterdir()]
    text = "".join(path.read_text() for path in files)
    assert "secret-of-the-" not in text
    for field in ("password", "apiKey", "token", "authorization"):
        assert field in text, f"{field} was not recorded at all"
    assert '"inputTokens":42' in text


def test_sampling_of_the_app_is_respected(careless: TracedApp) -> None:
    before = count_runs(careless, "started")
    careless.generate("careless", "Log me in unseen", requestContext={"unsampled": True})
    careless.generate("careless", "Log me in again")  # its lines come after those of the one before
    wait_until(lambda: count_runs(careless, "ended") == before + 1)
    assert count_runs(careless, "started") == before + 1


def test_children_of_the_app_see_nothing_of_the_preload(careless: TracedApp) -> None:
    for name, environment in careless.request("GET", "/children").items():
        mastra = {key for key in environment if key.startswith("MASTRA_")}
        assert mastra == {"MASTRA_TELEMETRY_DISABLED", "MASTRA_ADMIN_HOME"}, name
        assert "NODE_OPTIONS" not in environment


def test_the_server_listens_where_it_is_told(careless: TracedApp) -> None:
    listening = psutil.Process(careless.process.pid).net_connections(kind="tcp")
    assert {tuple(each.laddr) for each in listening if each.status == psutil.CONN_LISTEN} == {
        ("127.0.0.1", careless.port)
    }


def test_files_outlive_a_kill(own_exporter_artifact: Artifact, tmp_path: Path) -> None:
    with run_traced(own_exporter_artifact, tmp_path) as app:
        app.generate("careless", "Log me in")
        wait_until(lambda: count_runs(app, "ended") == 1)
        app.process.kill()
        app.process.wait(timeout=30)
        ended = [line["data"]["type"] for line in app.read_lines("spans") if line.get("event") == "ended"]
        assert "tool_call" in ended
        assert all(path.name.endswith(".jsonl.open") for path in (tmp_path / "spans").iterdir())


def count_runs(app: TracedApp, event: str) -> int:
    """How many agent runs started or ended, by the files."""
    lines = [line for line in app.read_lines("spans") if line.get("event") == event]
    return len([line for line in lines if line["data"]["type"] == "agent_run"])


def find_log(logs: list[dict[str, Any]], message: str, **data: str) -> dict[str, Any]:
    """Return the one log line with this message and data."""
    found = [log for log in logs if log["message"] == message and data.items() <= log.get("data", {}).items()]
    assert len(found) == 1, f"{len(found)} lines with {message!r}"
    return found[0]
