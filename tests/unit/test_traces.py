"""A trace as an object."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from fakes.observability import FakeObservabilityStore
from fakes.router import FakeRouter
from fakes.runner import FakeRunner
from fakes.source import FakeProjectSource
from fakes.storage import FakeAdminStorage
from fixtures.lines import make_chunk, make_line, make_log, make_span, now
from fixtures.spans import frame, span

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.host import boot_id, start_ticks
from mastra_admin_sdk.ports.observability import LOG_COLUMNS, SPAN_COLUMNS, Stream
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.service import TelemetryService
from mastra_admin_sdk.services.telemetry.stored import StoredTraces
from mastra_admin_sdk.services.telemetry.traces import Trace
from mastra_admin_sdk.services.telemetry.trees import NODE_COLUMNS
from mastra_admin_sdk.settings import load_settings

RUN = (
    span("agent", None, 0, 100, name="agent run: 'weather'", type="agent_run", entity_id="weather-agent"),
    span("model", "agent", 10, 50, type="model_generation", model="gpt", input_tokens=34, output_tokens=12),
    span("step", "model", 10, 40, type="model_step", input_tokens=34, output_tokens=12),
    span("tool", "model", 50, 30, name="weather", status="error", error='{"message": "no such City"}', input="Paris"),
)


@pytest.fixture
def trace() -> Trace:
    return Trace("t", frame(*RUN))


def test_it_has_a_tree_a_root_and_a_duration(trace: Trace) -> None:
    assert [(node.depth, node.span_id) for node in trace.tree] == [(0, "agent"), (1, "model"), (2, "step"), (2, "tool")]
    assert trace.root is not None
    assert trace.root.span["entity_id"] == "weather-agent"
    assert (trace.status, trace.duration, trace.duration_ms) == ("ok", timedelta(milliseconds=100), 100.0)
    assert trace.tree["tool"].span["error"] == '{"message": "no such City"}'
    assert [node.span_id for node in trace.tree.path("tool")] == ["agent", "model", "tool"]
    assert trace.tree.parent("agent") is None
    assert (len(trace.tree), trace.tree.depth, "step" in trace.tree) == (4, 3, True)


def test_self_time_is_what_no_child_covers(trace: Trace) -> None:
    # The model runs from 10 to 60; its step from 10 to 50, its tool from 50 to 80: past its end.
    assert {node.span_id: node.self_ms for node in trace.tree} == {"agent": 50, "model": 0, "step": 40, "tool": 30}
    overlapping = Trace("t", frame(span("a", None, 0, 100), span("b", "a", 10, 40), span("c", "a", 20, 50)))
    assert overlapping.tree["a"].self_ms == 40


def test_the_tree_is_a_frame_too(trace: Trace) -> None:
    made = trace.tree.frame
    assert {name: str(kind) for name, kind in made.dtypes.items()} == dict(NODE_COLUMNS)
    assert made["depth"].tolist() == [0, 1, 2, 2]
    assert made["parent_span_id"].tolist() == [None, "agent", "model", "model"]
    with pytest.raises(NotFound, match="no span 'x'"):
        trace.tree["x"]


def test_tokens_count_once(trace: Trace) -> None:
    assert (trace.tokens.input, trace.tokens.output, trace.tokens.total, trace.tokens.cost) == (34, 12, 46, None)
    only_steps = Trace("t", frame(*RUN[2:]))
    assert only_steps.tokens.total == 46


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"name": "weather"}, ["tool"]),
        ({"name": "weather-agent"}, ["agent"]),
        ({"type": ("model_step", "tool_call")}, ["step", "tool"]),
        ({"status": "error"}, ["tool"]),
        ({"text": "CITY"}, ["tool"]),
        ({"text": "paris", "status": "ok"}, []),
        ({}, ["agent", "model", "step", "tool"]),
    ],
)
def test_spans_are_found(trace: Trace, wanted: dict[str, Any], found: list[str]) -> None:
    spans = trace.find(**wanted)
    assert spans["span_id"].tolist() == found
    assert tuple(spans.columns) == tuple(trace.frame.columns)


def test_a_state_that_does_not_exist_is_refused(trace: Trace) -> None:
    with pytest.raises(InvalidInput, match="'failed' is no status"):
        trace.find(status="failed")


def test_a_running_trace_has_no_duration_yet() -> None:
    trace = Trace("t", frame(span("a", ms=None, status="running"), span("b", "a", 0, 5)))
    assert (trace.status, trace.duration, trace.duration_ms) == ("running", None, None)
    assert "running" in repr(trace)


def test_what_has_no_spans_is_no_error() -> None:
    trace = Trace("t", frame(span("a")).iloc[:0])
    assert (trace.status, trace.duration, trace.tokens.total, trace.root) == ("running", None, 0, None)
    assert "no spans" in repr(trace)
    assert trace.tree.frame.empty
    assert Trace.from_json(trace.to_json()).frame.empty


def test_json_goes_there_and_back(trace: Trace) -> None:
    text = trace.to_json()
    back = Trace.from_json(text)
    pd.testing.assert_frame_equal(back.frame, trace.frame)
    assert (back.id, back.status, back.tokens, back.url) == ("t", "ok", trace.tokens, None)
    assert back.to_json() == text
    value = json.loads(text)
    assert list(value) == [
        *("format", "version", "trace_id", "status", "duration_ms", "tokens"),
        *("spans", "logs", "scores", "feedback", "dtypes"),
    ]
    assert value["spans"][0]["start_time"] == "2026-05-01T12:00:00+00:00"
    assert (value["spans"][0]["model"], value["spans"][1]["input_tokens"]) == (None, 34)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "x", "version": 1}', "[" * 100_000, "null"])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Trace.from_json(text)


@pytest.mark.parametrize("shape", ["wide", "deep"])
def test_ten_thousand_spans_are_no_burden(shape: str) -> None:
    parents = [None, *(f"s{i}" if shape == "deep" else "s0" for i in range(9_999))]
    spans = [span(f"s{i}", parent, i, 20_000 - i) for i, parent in enumerate(parents)]
    spans[-1]["status"] = "error"
    trace = Trace("t", frame(*spans))
    started = time.process_time()
    assert len(trace.tree) == 10_000
    assert len(repr(trace).splitlines()) < 210
    assert len(trace.to_text().splitlines()) == 10_001
    assert len(trace._repr_html_()) < 2_500_000
    assert len(trace.find(status="error")) == 1
    assert len(Trace.from_json(trace.to_json()).frame) == 10_000
    assert trace.tree.frame["self_ms"].notna().all()
    assert time.process_time() - started < 8


# --- from a store -----------------------------------------------------------------------------------------------------


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    parts = {"source": FakeProjectSource(), "runner": FakeRunner(), "router": FakeRouter()}
    store = FakeObservabilityStore()
    with MastraAdmin(tmp_path / "home", storage=FakeAdminStorage(), observability=store, **parts) as made:  # type: ignore[arg-type]
        begun = now() - timedelta(days=3)
        store.insert([make_chunk(make_span("ended", "t" * 32, "a" * 16, begun, 100, name="root", type="agent_run"))])
        log = make_log("hello", begun, traceId="t" * 32)
        store.insert([make_chunk(log, make_log("other", begun), stream=Stream.LOGS)])
        score = {
            "scoreId": "s",
            "timestamp": begun.isoformat(),
            "traceId": "t" * 32,
            "score": 0.5,
            "scorerName": "tone",
        }
        store.insert([make_chunk(make_line("score", score))])
        yield made


def test_a_stored_trace_has_its_logs_scores_and_address(admin: MastraAdmin) -> None:
    trace = admin.trace("t" * 32)
    assert tuple(trace.logs.columns) == LOG_COLUMNS
    assert trace.logs["message"].tolist() == ["hello"]
    assert trace.scores["score"].tolist() == [0.5]
    assert trace.url == f"http://127.0.0.1:3001/traces/{'t' * 32}"
    assert "open in the panel" not in trace.to_html()
    assert set(SPAN_COLUMNS) <= set(trace.frame.columns)
    back = Trace.from_json(trace.to_json(indent=1))
    pd.testing.assert_frame_equal(back.logs, trace.logs)
    assert back.scores["name"].tolist() == ["tone"]
    assert trace.refresh().frame.equals(trace.frame)


def test_while_the_panel_runs_the_waterfall_leads_there(admin: MastraAdmin) -> None:
    facts = {"url": "http://127.0.0.1:4711/", "port": 4711}
    record = {"pid": os.getpid(), "start_ticks": start_ticks(os.getpid()), "boot_id": boot_id(), "facts": facts}
    path = admin.home.run / "panel.json"
    path.write_text(json.dumps(record))
    trace = admin.trace("t" * 32)
    assert trace.url == f"http://127.0.0.1:4711/traces/{'t' * 32}"
    assert f'href="{trace.url}"' in trace.to_html()
    assert "href" not in trace.to_html(link=False, styles=False)
    path.write_text(json.dumps({**record, "pid": 2**22 + 1}))
    assert trace.url == f"http://127.0.0.1:3001/traces/{'t' * 32}"
    path.write_text("rubbish")
    assert "open in the panel" not in trace.to_html()


def test_an_id_from_outside_stays_one_part_of_the_address() -> None:
    home = SimpleNamespace(run=Path("/nowhere"))
    parts = SimpleNamespace(home=home, settings=load_settings({"panel_bind": "::"}, {}))
    source = StoredTraces(cast(TelemetryService, None), cast(Parts, parts))
    assert source.trace_url("../a b?") == "http://[::1]:3001/traces/..%2Fa%20b%3F"
