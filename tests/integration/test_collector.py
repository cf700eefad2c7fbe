"""The collector of a panel that runs: OpenTelemetry's SDK delivers, and what is confirmed is stored once."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fixtures.collecting import Station, log_to, open_station, trace_to
from fixtures.panel import run_panel
from opentelemetry.sdk._logs import LoggingHandler
from opentelemetry.trace import Tracer

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import Project, Team, new_id
from mastra_admin_sdk.services.collector.records import format_time

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*LoggingHandler.*:DeprecationWarning")]


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    with open_station(tmp_path_factory.mktemp("collector") / "home") as opened:
        yield opened


def run_agent(tracer: Tracer, *, fails: bool = False) -> str:
    """Record a run of an agent as the conventions for GenAI say; return its trace id."""
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Weather", "gen_ai.agent.id": "weather"}
    told = [{"role": "user", "parts": [{"type": "text", "content": "Paris?"}]}]
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.input.messages": json.dumps(told),
    }
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather"}
    attributes = {**agent, "gen_ai.conversation.id": "thread-7", "user.id": "ada"}
    with tracer.start_as_current_span("invoke_agent Weather", attributes=attributes) as root:
        with tracer.start_as_current_span("chat gpt-5", attributes=chat):
            pass
        try:
            with tracer.start_as_current_span("execute_tool get_weather", attributes=tool):
                if fails:
                    raise RuntimeError("no weather today")
        except RuntimeError:
            pass
    return f"{root.get_span_context().trace_id:032x}"


def make_span(**more: Any) -> dict[str, Any]:
    """Return a span as Mastra exports it."""
    now = format_time(time.time_ns())
    ids = {"id": new_id().replace("-", "")[:16], "traceId": new_id().replace("-", "")}
    return {**ids, "name": "run", "type": "agent_run", "startTime": now, "endTime": now, **more}


def count_spans(station: Station, trace_id: str) -> int:
    return int(station.admin.sql(f"SELECT count() AS n FROM mastra_admin_spans WHERE trace_id = '{trace_id}'")["n"][0])


def test_spans_of_opentelemetry_come_out_as_mastra_s(station: Station) -> None:
    with trace_to(station.panel.url, station.secret, service__name="weather-bot") as provider:
        trace_id = run_agent(provider.get_tracer("test", "1.0"), fails=True)
    spans = station.admin.spans(project=station.project, trace_id=trace_id).set_index("type")
    assert set(spans.index) == {"agent_run", "model_generation", "tool_call"}
    root, model, tool = (spans.loc[kind] for kind in ("agent_run", "model_generation", "tool_call"))
    assert (root["entity_id"], root["entity_name"], root["status"]) == ("weather", "Weather", "ok")
    assert (root["thread_id"], root["resource_id"]) == ("thread-7", "ada")
    assert model["parent_span_id"] == tool["parent_span_id"] == root["span_id"]
    assert (model["model"], model["provider"]) == ("gpt-5", "openai")
    assert (model["input_tokens"], model["output_tokens"]) == (120, 30)
    assert json.loads(model["input"])[0]["role"] == "user"
    assert (tool["status"], tool["error"], tool["entity_id"]) == (
        "error",
        "RuntimeError: no weather today",
        "get_weather",
    )
    metadata = json.loads(root["metadata"])
    assert metadata["otel"]["resource"]["service"]["name"] == "weather-bot"
    trace = station.admin.traces(trace_id=trace_id).iloc[0]
    assert (trace["spans"], trace["errors"], trace["input_tokens"]) == (3, 1, 120)


def test_tokens_that_only_inferences_tell_are_counted_once(station: Station) -> None:
    """So Mastra's own exporter for OpenTelemetry tells them: a generation is the loop around the calls."""
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.usage.input_tokens": 50}
    with trace_to(station.panel.url, station.secret) as provider:
        tracer = provider.get_tracer("@mastra/otel-exporter")
        loop = {"mastra.span.type": "model_generation", "gen_ai.operation.name": "model_generation"}
        with tracer.start_as_current_span("llm", attributes=loop) as root:
            for _ in range(2):
                inference = {"mastra.span.type": "model_inference", "gen_ai.usage.output_tokens": 5, **call}
                with tracer.start_as_current_span("chat gpt-5", attributes=inference):
                    pass
    trace_id = f"{root.get_span_context().trace_id:032x}"
    trace = station.admin.traces(trace_id=trace_id).iloc[0]
    assert (trace["input_tokens"], trace["output_tokens"]) == (100, 10)
    tokens = station.admin.trace(trace_id).tokens
    assert (tokens.input, tokens.output) == (100, 10)
    usage = station.admin.usage(by="model", trace_id=trace_id)
    assert usage[["model", "total_tokens"]].to_numpy().tolist() == [["gpt-5", 110]]


def test_logs_of_opentelemetry_keep_level_attributes_and_trace(station: Station) -> None:
    logger = logging.getLogger("test_collector")
    logger.propagate, logger.level = False, logging.INFO
    with (
        trace_to(station.panel.url, station.secret) as tracers,
        log_to(station.panel.url, station.secret, service__name="weather-bot") as provider,
    ):
        handler = LoggingHandler(logger_provider=provider)
        logger.addHandler(handler)
        with tracers.get_tracer("test").start_as_current_span("work") as span:
            logger.warning("rain is near %s", "Paris", extra={"city": "Paris"})
        logger.removeHandler(handler)
    found = station.admin.logs(project=station.project, text="rain is near Paris").iloc[0]
    assert (found["level"], found["source"]) == ("warn", "otlp")
    assert found["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    data = json.loads(found["data"])
    assert data["city"] == "Paris"
    assert data["otel"]["resource"]["service"]["name"] == "weather-bot"


def test_what_is_sent_again_is_stored_once(station: Station) -> None:
    now = time.time_ns()
    record = {"timeUnixNano": str(now), "body": {"stringValue": "said twice"}, "severityNumber": 9}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record, record]}]}]}
    point = {"timeUnixNano": str(now), "asInt": "3", "attributes": [{"key": "a", "value": {"stringValue": "b"}}]}
    metric = {"name": "rounds", "sum": {"dataPoints": [point]}}
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    span = make_span()
    score = {"timestamp": format_time(now), "traceId": span["traceId"], "scorerId": "again", "score": 1}
    base = f"/projects/{station.project.slug}/ai"
    for _ in range(3):
        for path, body in (
            ("/v1/logs", logs),
            ("/v1/metrics", metrics),
            (f"{base}/spans/publish", {"spans": [span]}),
            (f"{base}/scores/publish", {"scores": [score]}),
            (f"{base}/feedback/publish", {"feedback": [{**score, "feedbackId": "f-1", "feedbackType": "again"}]}),
        ):
            assert station.post(path, body)[0] == 200
        station.admin.rejects()  # stored round by round, so that the rounds meet in the tables
    # Two records of one request that say the same are two records.
    assert len(station.admin.logs(text="said twice")) == 2
    assert len(station.admin.metrics(name="rounds")) == 1
    assert count_spans(station, span["traceId"]) == 1
    assert len(station.admin.scores(name="again")) == 1
    assert station.admin.sql("SELECT count() AS n FROM mastra_admin_feedback WHERE name = 'again'")["n"][0] == 1


def test_two_servers_of_one_home_take_the_same_spans_at_once(station: Station) -> None:
    spans = [make_span(traceId="5" * 32) for _ in range(40)]
    body = json.dumps({"spans": spans})
    headers = {"Authorization": f"Bearer {station.secret}", "Content-Type": "application/json"}
    answers: list[int] = []
    with MastraAdmin(station.admin.home.path) as other:
        client = create_app(other, token="t" * 43).test_client()

        def send_here() -> None:
            answers.extend(client.post("/ai/spans/publish", data=body, headers=headers).status_code for _ in range(3))

        def send_there() -> None:
            answers.extend(station.post("/ai/spans/publish", body.encode())[0] for _ in range(3))

        threads = [threading.Thread(target=work) for work in (send_here, send_there)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [200] * 6
    assert count_spans(station, "5" * 32) == 40


def test_a_body_in_pieces_of_unknown_length_is_taken(station: Station) -> None:
    span = make_span(traceId="6" * 32, input="x" * 3_000_000)
    packed = gzip.compress(json.dumps({"spans": [span]}).encode())
    connection = http.client.HTTPConnection("127.0.0.1", station.panel.port, timeout=20)
    headers = {
        "Authorization": f"Bearer {station.secret}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    pieces = (packed[start : start + 1000] for start in range(0, len(packed), 1000))
    connection.request("POST", "/ai/spans/publish", pieces, headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    found = station.admin.spans(trace_id="6" * 32)
    assert "[2737856 characters cut]" in found["input"][0]


def test_a_small_body_that_unpacks_without_end_is_refused(station: Station) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    assert len(bomb) < 120_000
    status, answer, _ = station.post("/ai/spans/publish", bomb, Content_Encoding="gzip")
    assert (status, json.loads(answer)["error"]["code"]) == (413, "body_too_large")


def test_a_body_that_is_too_large_is_refused_while_it_is_sent(station: Station) -> None:
    status, answer, _ = station.post("/ai/spans/publish", b" " * 70_000_000)
    assert (status, json.loads(answer)["error"]["code"]) == (413, "body_too_large")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk of 6 MB; skips the test where that isn't allowed."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk can't be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, MastraAdmin(disk / "home") as admin:
        team = admin.storage.teams.create(Team("Search", "search"))
        project = admin.storage.projects.create(Project(team.id, "Weather", "weather"))
        secret = admin.tokens.create("station", project=project).secret
        with run_panel(disk / "home") as panel:
            station = Station(admin, project, secret, panel)
            confirmed: list[str] = []
            for _ in range(30):
                spans = [make_span(input="x" * 20_000) for _ in range(20)]
                status, answer, headers = station.post("/ai/spans/publish", {"spans": spans})
                if status != 200:
                    break
                confirmed += [span["id"] for span in spans]
            assert (status, headers["Retry-After"]) == (503, "5")
            assert b"No space left on device" in answer
            files = list((disk / "home" / "telemetry").rglob("*.jsonl*"))
            written = [json.loads(line)["data"]["id"] for path in files for line in path.read_bytes().splitlines()]
            assert confirmed
            assert set(confirmed) <= set(written)
            for path in files:
                path.unlink()
            station.post("/ai/spans/publish", {"spans": spans})  # here the writer finds that its file is gone
            assert station.post("/ai/spans/publish", {"spans": spans})[0] == 200


def test_what_was_confirmed_survives_a_kill_of_the_panel(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with MastraAdmin(home) as admin:
        team = admin.storage.teams.create(Team("Search", "search"))
        project = admin.storage.projects.create(Project(team.id, "Weather", "weather"))
        secret = admin.tokens.create("station", project=project).secret
        confirmed: list[str] = []
        with run_panel(home) as panel:
            station = Station(admin, project, secret, panel)
            worker = int(Path(f"/proc/{panel.process.pid}/task/{panel.process.pid}/children").read_text().split()[0])
            done = threading.Event()

            def send() -> None:
                while not done.is_set():
                    span = make_span()
                    try:
                        if station.post("/ai/spans/publish", {"spans": [span]})[0] == 200:
                            confirmed.append(span["id"])
                    except (OSError, http.client.HTTPException):
                        time.sleep(0.05)

            thread = threading.Thread(target=send)
            thread.start()
            deadline = time.monotonic() + 20
            for wanted in (20, 40):
                while len(confirmed) < wanted and time.monotonic() < deadline:
                    time.sleep(0.01)
                if wanted == 20:  # gunicorn starts another worker
                    os.kill(worker, signal.SIGKILL)
            done.set()
            thread.join()
    lines = [line for path in (home / "telemetry").rglob("*.jsonl*") for line in path.read_text().splitlines()]
    written = [json.loads(line)["data"]["id"] for line in lines]
    assert len(confirmed) >= 40
    assert set(confirmed) <= set(written)
