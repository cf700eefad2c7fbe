"""What every telemetry store does: the one in memory, the engine that comes with the package, and a server.

All tests of a file share one store; each has ids of its own, so they don't see each other's rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import (
    LOG_COLUMNS,
    METRIC_COLUMNS,
    REJECT_COLUMNS,
    SCORE_COLUMNS,
    SPAN_COLUMNS,
    TRACE_COLUMNS,
    ObservabilityStore,
    Stream,
    TelemetryFilter,
)

SERVER_URL = os.environ.get("MASTRA_ADMIN_TEST_CLICKHOUSE_URL", "")


@pytest.fixture(scope="module", params=["memory", "engine", *(["server"] if SERVER_URL else [])])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObservabilityStore]:
    if request.param == "memory":
        opened: ObservabilityStore = FakeObservabilityStore()
    elif request.param == "engine":
        opened = ClickHouseStore(home=_make_home(tmp_path_factory))
    else:
        opened = ClickHouseStore(SERVER_URL)
    opened.init()
    yield opened
    opened.stop()


def _make_home(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("home with space")


def read_one(store: ObservabilityStore, trace: str) -> dict[str, Any]:
    frame = store.trace(trace)
    assert len(frame) == 1, frame
    return dict(frame.iloc[0])


def is_missing(value: Any) -> bool:
    return value is None or bool(pd.isna(value))


def test_a_server_is_tested_too() -> None:
    if not SERVER_URL:
        pytest.skip("not tested on a ClickHouse server: MASTRA_ADMIN_TEST_CLICKHOUSE_URL names none")


# --- spans ------------------------------------------------------------------------------------------------------------


def test_a_span_that_has_begun_is_running(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now()
    store.insert([make_chunk(make_span("started", trace, "s1", start, input={"city": "Paris"}))])
    span = read_one(store, trace)
    assert (span["status"], span["start_time"], span["input"]) == ("running", start, '{"city":"Paris"}')
    assert is_missing(span["end_time"])
    assert is_missing(span["duration_ms"])


def test_an_ended_span_has_all_its_columns(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now()
    usage = {"inputTokens": 84, "outputTokens": 34, "inputDetails": {"text": 84}}
    line = make_span(
        "ended", trace, "s1", start, 52, name="llm: 'echo-1'", type="model_generation", parentSpanId="root",
        entityId="weather", entityName="Weather Agent",
        attributes={"model": "echo-1", "provider": "local", "usage": usage},
        metadata={"runId": "r", "threadId": "t", "resourceId": "u"}, input=[{"role": "user"}], output={"text": "sunny"},
        projectId="p", deploymentId="d", buildId="b", processId="pr",
    )  # fmt: skip
    store.insert([make_chunk(line)])
    span = read_one(store, trace)
    assert span.pop("end_time") == start + timedelta(milliseconds=52)
    assert span.pop("attributes").startswith('{"model":"echo-1","provider":"local","usage":{"inputTokens":84')
    assert is_missing(span.pop("error"))
    assert span == {
        "span_id": "s1", "trace_id": trace, "parent_span_id": "root", "name": "llm: 'echo-1'",
        "type": "model_generation", "status": "ok", "start_time": start, "duration_ms": 52.0, "project_id": "p",
        "deployment_id": "d", "build_id": "b", "entity_id": "weather", "entity_name": "Weather Agent",
        "model": "echo-1", "provider": "local", "input_tokens": 84, "output_tokens": 34, "thread_id": "t",
        "resource_id": "u", "run_id": "r", "input": '[{"role":"user"}]', "output": '{"text":"sunny"}',
        "metadata": '{"runId":"r","threadId":"t","resourceId":"u"}',
    }  # fmt: skip


def test_a_failed_span_says_what_failed(store: ObservabilityStore) -> None:
    trace = new_trace()
    line = make_span("ended", trace, "s1", now(), 3, errorInfo={"message": "boom!", "name": "Error", "stack": "at …"})
    store.insert([make_chunk(line)])
    assert (read_one(store, trace)["status"], read_one(store, trace)["error"]) == ("error", "boom!")


@pytest.mark.parametrize("order", ["one-chunk", "two-chunks", "end-first"])
def test_the_end_of_a_span_wins_over_its_start(store: ObservabilityStore, order: str) -> None:
    trace, start = new_trace(), now()
    begun = make_span("started", trace, "s1", start)
    updated = make_span("updated", trace, "s1", start, attributes={"step": 1})
    ended = make_span("ended", trace, "s1", start, 10, output={"n": 1})
    chunks = {
        "one-chunk": [make_chunk(begun, updated, ended)],
        "two-chunks": [make_chunk(begun), make_chunk(updated), make_chunk(ended)],
        "end-first": [make_chunk(ended), make_chunk(updated), make_chunk(begun)],
    }[order]
    for chunk in chunks:
        store.insert([chunk])
    span = read_one(store, trace)
    assert (span["status"], span["duration_ms"], span["output"]) == ("ok", 10.0, '{"n":1}')
    assert len(store.spans(TelemetryFilter(trace_id=trace, status="running"))) == 0


def test_an_update_shows_while_a_span_runs(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now()
    store.insert([make_chunk(make_span("started", trace, "s1", start))])
    store.insert([make_chunk(make_span("updated", trace, "s1", start, attributes={"step": 2}))])
    span = read_one(store, trace)
    assert (span["status"], span["attributes"]) == ("running", '{"step":2}')


@pytest.mark.parametrize("chunks", ["one", "two"])
def test_what_was_told_first_counts_where_lines_disagree(store: ObservabilityStore, chunks: str) -> None:
    trace, start = new_trace(), now()
    begun = make_span("started", trace, "s1", start, name="first", type="agent_run", projectId="p1")
    ended = make_span("ended", trace, "s1", start + timedelta(milliseconds=7), 10, name="second", projectId="p2")
    inserted = [make_chunk(begun, ended)] if chunks == "one" else [make_chunk(begun), make_chunk(ended)]
    for chunk in inserted:
        store.insert([chunk])
    span = read_one(store, trace)
    assert (span["start_time"], span["name"], span["type"], span["project_id"]) == (start, "first", "agent_run", "p1")
    assert (span["status"], span["duration_ms"]) == ("ok", 17.0)


def test_an_end_that_says_no_start_takes_it_from_the_line_before(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now()
    store.insert([make_chunk(make_span("started", trace, "s1", start, name="told"))])
    end = iso(start + timedelta(milliseconds=4))
    store.insert([make_chunk(make_span("ended", trace, "s1", None, name="", endTime=end))])
    span = read_one(store, trace)
    assert (span["start_time"], span["duration_ms"], span["name"], span["status"]) == (start, 4.0, "told", "ok")


def test_one_span_told_with_two_starts_is_one_span(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now()
    for minutes in (0, 30, -90):
        moment = start + timedelta(minutes=minutes)
        store.insert([make_chunk(make_span("ended", trace, "s1", moment, 10))])
        store.insert([make_chunk(make_span("started", trace, "s1", moment))])
    assert read_one(store, trace)["start_time"] == start


def test_an_event_span_has_no_duration(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now()
    store.insert([make_chunk(make_span("ended", trace, "s1", start, isEvent=True))])
    span = read_one(store, trace)
    assert (span["end_time"], span["duration_ms"], span["status"]) == (start, 0.0, "ok")


def test_inserting_again_changes_nothing(store: ObservabilityStore) -> None:
    trace, start, path = new_trace(), now(), f"{new_trace()}.jsonl"
    spans = make_chunk(
        make_span("started", trace, "s1", start),
        "{broken",
        make_span("ended", trace, "s2", start, 5),
        make_span("ended", trace, "s2", start, 5),
        make_line("metric", {"timestamp": iso(start), "name": "m", "value": 1, "traceId": trace}),
        make_line("score", {"timestamp": iso(start), "scorerId": "s", "score": 1, "traceId": trace}),
        path=path,
    )
    logs = make_chunk(make_log("hello", start, traceId=trace), "42", stream=Stream.LOGS, path=path)
    store.insert([spans, logs])
    store.insert([spans, spans, logs])
    store.insert([logs, spans])
    assert list(store.trace(trace)["span_id"]) == ["s1", "s2"]
    found = [read(TelemetryFilter(trace_id=trace)) for read in (store.spans, store.logs, store.metrics, store.scores)]
    assert [len(frame) for frame in found] == [2, 1, 1, 1]
    rejects = store.rejects(limit=100_000)
    assert sorted(rejects[rejects["path"] == path]["line"]) == ["42", "{broken"]


def test_chunks_cut_elsewhere_change_nothing(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now()
    lines = [make_span(event, trace, f"s{n}", start, 5) for n in range(40) for event in ("started", "ended")]
    for size in (80, 7, 33):
        for at in range(0, 80, size):
            store.insert([make_chunk(*lines[at : at + size], path="a.jsonl", position=at)])
    frame = store.trace(trace)
    assert sorted(frame["span_id"]) == sorted(f"s{n}" for n in range(40))
    assert set(frame["status"]) == {"ok"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain text", '"plain text"'),
        ('{"looks": "like JSON"}', '"{\\"looks\\": \\"like JSON\\"}"'),
        ({"a": "x/y", "é": ["🙂", 1, 2.5, True, None]}, '{"a":"x/y","é":["🙂",1,2.5,true,null]}'),
        ([], "[]"),
        (0, "0"),
        (False, "false"),
    ],
    ids=["text", "text-like-json", "object", "empty-list", "number", "false"],
)
def test_input_and_output_stay_the_json_that_was_written(store: ObservabilityStore, value: Any, text: str) -> None:
    trace = new_trace()
    store.insert([make_chunk(make_span("ended", trace, "s1", now(), 1, input=value, output={"x": value}))])
    span = read_one(store, trace)
    assert span["input"] == text
    assert span["output"] == f'{{"x":{text}}}'


def test_ten_thousand_spans_of_one_trace_come_back_oldest_first(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now() - timedelta(hours=1)
    lines = (make_span("ended", trace, f"{n:05d}", start + timedelta(milliseconds=n), 5) for n in range(10_000))
    store.insert([make_chunk(*lines)])
    frame = store.trace(trace)
    assert len(frame) == 10_000
    assert list(frame["span_id"][:3]) == ["00000", "00001", "00002"]
    assert frame["start_time"].is_monotonic_increasing


# --- lines that can't become rows -------------------------------------------------------------------------------------

BAD_SPAN_LINES = {
    "empty": ("", "an empty line"),
    "broken": ("{broken", "not JSON"),
    "number": ("42", "not an object"),
    "text": ('"text"', "not an object"),
    "list": ("[{}]", "not an object"),
    "no-type": ("{}", "unknown type"),
    "unknown-type": ('{"type":"spam"}', "unknown type"),
    "only-a-type": ('{"type":"span"}', "no trace id or span id"),
    "wrong-stream": (make_log("x", now()), "a line in the wrong stream"),
    "no-span-id": (make_span("ended", "t", "", now(), 1), "no trace id or span id"),
    "unknown-event": (make_span("paused", "t", "s", now()), "unknown event"),
    "no-time": (make_span("ended", "t-none", "s", None), "no time"),
    "bad-time": (make_span("ended", "t-bad", "s", None, startTime="yesterday"), "no time"),
    "bad-end": (make_span("ended", "t-end", "s", now(), endTime="later"), "no end time"),
    "too-old": (make_span("ended", "t-old", "s", now() - timedelta(days=4000), 1), "a time outside the kept range"),
    "year-1": (make_span("ended", "t-1", "s", None, startTime="0001-01-01T00:00:00Z"), "a time outside the kept range"),
    "future": (make_span("ended", "t-new", "s", now() + timedelta(days=40), 1), "a time outside the kept range"),
    "metric-without-time": (make_line("metric", {"name": "m"}, timestamp=0), "no time"),
}
BAD_LOG_LINES = {
    "empty": ("", "an empty line"),
    "broken": ("{", "not JSON"),
    "number": ("42", "not an object"),
    "unknown-type": ('{"type":"spam"}', "unknown type"),
    "wrong-stream": (make_span("ended", "t", "s", now(), 1), "a line in the wrong stream"),
    "no-time": (make_line("log", {"message": "x"}, timestamp=0), "no time"),
    "bad-time": (make_line("log", {"message": "x", "timestamp": "never"}), "no time"),
    "too-old": (make_log("x", now() - timedelta(days=4000)), "a time outside the kept range"),
}


@pytest.mark.parametrize("case", BAD_SPAN_LINES)
def test_a_bad_span_line_is_rejected_with_its_reason(store: ObservabilityStore, case: str) -> None:
    check_rejected(store, Stream.SPANS, *BAD_SPAN_LINES[case])


@pytest.mark.parametrize("case", BAD_LOG_LINES)
def test_a_bad_log_line_is_rejected_with_its_reason(store: ObservabilityStore, case: str) -> None:
    check_rejected(store, Stream.LOGS, *BAD_LOG_LINES[case])


def check_rejected(store: ObservabilityStore, stream: Stream, line: str, reason: str) -> None:
    """Insert a bad line between two good ones: exactly it is rejected, and it is known where it stood."""
    trace, path = new_trace(), f"{new_trace()}.jsonl"
    good = [make_span("ended", trace, f"s{n}", now(), 1) for n in (1, 2)]
    if stream is Stream.LOGS:
        good = [make_log(f"m{n}", now(), traceId=trace) for n in (1, 2)]
    store.insert([make_chunk(good[0], line, good[1], stream=stream, path=path, position=1000)])
    stored = store.logs if stream is Stream.LOGS else store.spans
    assert len(stored(TelemetryFilter(trace_id=trace))) == 2
    rejects = store.rejects(limit=100_000)
    mine = rejects[rejects["path"] == path]
    assert list(zip(mine["stream"], mine["reason"], mine["line"], strict=True)) == [(str(stream), reason, line or None)]


def test_bytes_that_are_no_text_are_rejected_and_shown(store: ObservabilityStore) -> None:
    path = f"{new_trace()}.jsonl"
    chunk = make_chunk("x", path=path)
    broken = type(chunk)(chunk.stream, b'{"type":"span"\xff\x00}\n\x00\n', path, 0)
    store.insert([broken])
    rejects = store.rejects(limit=100_000)
    mine = rejects[rejects["path"] == path]
    assert list(mine["reason"]) == ["not JSON", "not JSON"]
    assert any("\ufffd" in line for line in mine["line"])


def test_half_of_an_emoji_is_no_reason_to_reject(store: ObservabilityStore) -> None:
    trace, moment = new_trace(), now()
    halves = "\\ud83d and \\\\ud83d \\ud83d\\ude00"
    point = {"timestamp": iso(moment), "name": "CUT", "scorerName": "CUT", "value": 1, "score": 1, "traceId": trace}
    lines = [
        make_span("ended", trace, "s1", moment, 1, output="CUT", name="CUT"),
        make_line("metric", point),
        make_line("score", point),
    ]
    log = make_log("CUT", moment, traceId=trace)
    store.insert([make_chunk(*(line.replace("CUT", halves) for line in lines))])
    store.insert([make_chunk(log.replace("CUT", halves), stream=Stream.LOGS)])
    asked = TelemetryFilter(trace_id=trace)
    whole = " and \\ud83d 😀"
    assert list(store.spans(asked)["name"]) == [whole]
    assert list(store.logs(asked)["message"]) == [whole]
    assert list(store.metrics(asked)["value"]) == [1.0]
    assert list(store.scores(asked)["score"]) == [1.0]


# --- logs, metrics, scores --------------------------------------------------------------------------------------------


def test_log_lines_have_their_columns(store: ObservabilityStore) -> None:
    trace, moment = new_trace(), now()
    line = make_log(
        'said "hi"', moment, level="warn", traceId=trace, spanId="s1", source="console", data={"n": 1},
        projectId="p", deploymentId="d", buildId="b", processId="pr",
    )  # fmt: skip
    store.insert([make_chunk(line, stream=Stream.LOGS)])
    (row,) = store.logs(TelemetryFilter(trace_id=trace)).to_dict("records")
    assert row == {
        "timestamp": moment, "level": "warn", "message": 'said "hi"', "project_id": "p", "deployment_id": "d",
        "build_id": "b", "process_id": "pr", "trace_id": trace, "span_id": "s1", "source": "console", "data": '{"n":1}',
    }  # fmt: skip


def test_logs_are_filtered_and_newest_first(store: ObservabilityStore) -> None:
    project, start = new_trace(), now() - timedelta(minutes=5)
    lines = [
        make_log(f"line {n}", start + timedelta(seconds=n), level="error" if n % 2 else "info", projectId=project)
        for n in range(6)
    ]
    store.insert([make_chunk(*lines, stream=Stream.LOGS)])

    def read(**more: Any) -> list[str]:
        return list(store.logs(TelemetryFilter(project_id=project, **more))["message"])

    assert read() == [f"line {n}" for n in (5, 4, 3, 2, 1, 0)]
    assert read(order="oldest", limit=2) == ["line 0", "line 1"]
    assert read(level="error") == ["line 5", "line 3", "line 1"]
    assert read(text="LINE 4") == ["line 4"]
    assert read(since=start + timedelta(seconds=2), until=start + timedelta(seconds=4)) == ["line 3", "line 2"]
    assert read(since=start + timedelta(seconds=4, microseconds=1)) == ["line 5"]


def test_metrics_and_scores_have_their_columns(store: ObservabilityStore) -> None:
    trace, moment = new_trace(), now()
    cost = {"model": "m", "provider": "p", "estimatedCost": 0.25}
    metric = {"timestamp": iso(moment), "name": "duration", "value": 3, "traceId": trace, "spanId": "s"}
    score = {"timestamp": iso(moment), "scorerName": "tone", "score": 0.5, "reason": "kind", "traceId": trace}
    store.insert(
        [
            make_chunk(
                make_line("metric", {**metric, "labels": {"status": "ok"}, "costContext": cost}, projectId="x"),
                make_line("metric", {**metric, "name": "no value", "value": None}),
                make_line("score", score, buildId="b"),
            )
        ]
    )
    first, second = store.metrics(TelemetryFilter(trace_id=trace)).to_dict("records")
    first, second = (first, second) if first["name"] == "duration" else (second, first)
    assert (first["timestamp"], first["value"], first["labels"], first["cost"]) == (
        moment,
        3.0,
        '{"status":"ok"}',
        0.25,
    )
    assert (first["model"], first["provider"], first["project_id"], first["span_id"]) == ("m", "p", "x", "s")
    assert is_missing(second["value"])
    (row,) = store.scores(TelemetryFilter(trace_id=trace)).to_dict("records")
    assert (row["name"], row["score"], row["reason"], row["build_id"]) == ("tone", 0.5, "kind", "b")


# --- questions --------------------------------------------------------------------------------------------------------


def test_spans_are_filtered_by_every_field(store: ObservabilityStore) -> None:
    project, trace, start = new_trace(), new_trace(), now() - timedelta(minutes=5)
    common = {"projectId": project, "deploymentId": "d1", "buildId": "b1", "type": "tool_call"}
    lines = [
        make_span("ended", trace, "a", start, 30, **common, name="search", input={"q": "Hotels in Rome"}),
        make_span("ended", trace, "b", start + timedelta(seconds=1), 10, **{**common, "type": "agent_run"}),
        make_span("ended", trace, "c", start + timedelta(seconds=2), 20, **{**common, "deploymentId": "d2"}),
        make_span("ended", trace, "d", start + timedelta(seconds=3), 5, **{**common, "buildId": "b2"}),
        make_span("ended", trace, "e", start + timedelta(seconds=4), 5, **common, errorInfo={"message": "no"}),
        make_span("ended", trace, "f", start + timedelta(seconds=5), 5, **common, metadata={"threadId": "th"}),
        make_span("ended", trace, "g", start + timedelta(seconds=6), 5, **common, metadata={"resourceId": "re"}),
        make_span("started", trace, "h", start + timedelta(seconds=7), **common),
    ]
    store.insert([make_chunk(*lines)])

    def read(**more: Any) -> str:
        return "".join(store.spans(TelemetryFilter(project_id=project, **more))["span_id"])

    assert read() == "hgfedcba"
    assert read(order="oldest") == "abcdefgh"
    assert read(order="slowest", limit=3) == "acb"
    assert read(limit=2) == "hg"
    assert read(limit=None, trace_id=trace) == "hgfedcba"
    assert read(type="agent_run") == "b"
    assert read(deployment_id="d2") == "c"
    assert read(build_id="b2") == "d"
    assert read(status="error") == "e"
    assert read(status="running") == "h"
    assert read(thread_id="th") == "f"
    assert read(resource_id="re") == "g"
    assert read(name="search") == "a"
    assert read(text="hotels IN") == "a"
    assert read(since=start + timedelta(seconds=6)) == "hg"
    assert read(until=start + timedelta(seconds=1)) == "a"
    assert read(trace_id="nobody's") == ""


@pytest.mark.parametrize(
    "nasty",
    ["it's", "100%", "a\\b", 'say "x"', "{x:String}", "%(x)s", "tab\tline\nend\rnul\0", "é🙂", "'; DROP TABLE x; --"],
    ids=["quote", "per-cent", "backslash", "double", "braces", "placeholder", "control", "unicode", "injection"],
)
def test_filters_are_values_and_never_sql(store: ObservabilityStore, nasty: str) -> None:
    project = new_trace()
    lines = [make_span("ended", new_trace(), "s1", now(), 1, projectId=project, name=name) for name in (nasty, "other")]
    store.insert([make_chunk(*lines)])
    assert list(store.spans(TelemetryFilter(project_id=project, name=nasty))["name"]) == [nasty]
    assert len(store.spans(TelemetryFilter(project_id=nasty))) == 0


def test_columns_can_be_picked_and_misspelt_ones_are_named(store: ObservabilityStore) -> None:
    trace = new_trace()
    store.insert([make_chunk(make_span("ended", trace, "s1", now(), 1))])
    frame = store.spans(TelemetryFilter(trace_id=trace, columns=("name", "duration_ms")))
    assert list(frame.columns) == ["name", "duration_ms"]
    assert len(frame) == 1
    with pytest.raises(InvalidInput, match="duration_ms"):
        store.spans(TelemetryFilter(columns=("duration",)))


@pytest.mark.parametrize(
    ("method", "filters"),
    [
        ("spans", TelemetryFilter(order="sideways")),
        ("logs", TelemetryFilter(order="slowest")),
        ("logs", TelemetryFilter(type="agent_run")),
        ("spans", TelemetryFilter(level="error")),
        ("metrics", TelemetryFilter(thread_id="x")),
    ],
    ids=["unknown-order", "logs-by-duration", "logs-by-type", "spans-by-level", "metrics-by-thread"],
)
def test_what_can_not_be_asked_is_refused(store: ObservabilityStore, method: str, filters: TelemetryFilter) -> None:
    with pytest.raises(InvalidInput):
        getattr(store, method)(filters)


def test_a_trace_is_what_its_spans_come_to(store: ObservabilityStore) -> None:
    project, trace, start = new_trace(), new_trace(), now() - timedelta(minutes=1)
    usage = {"usage": {"inputTokens": 10, "outputTokens": 4}}
    common = {"projectId": project, "metadata": {"threadId": "th"}}
    root = {"name": "agent run", "type": "agent_run", "entityId": "weather", "isRootSpan": True}
    lines = [
        make_span("ended", trace, "step", start + timedelta(milliseconds=5), 5, parentSpanId="gen", type="model_step",
                  attributes=usage, **common),
        make_span("ended", trace, "gen", start + timedelta(milliseconds=5), 20, parentSpanId="root",
                  type="model_generation", attributes=usage, **common),
        make_span("ended", trace, "tool", start + timedelta(milliseconds=25), 5, parentSpanId="root",
                  errorInfo={"message": "x"}, **common),
        make_span("ended", trace, "root", start, 100, **root, **common),
        make_span("started", new_trace(), "other", start + timedelta(seconds=1), **root, projectId=project),
    ]  # fmt: skip
    store.insert([make_chunk(*lines)])
    running, row = store.traces(TelemetryFilter(project_id=project)).to_dict("records")
    assert (row["trace_id"], row["name"], row["type"], row["status"]) == (trace, "agent run", "agent_run", "ok")
    assert (row["start_time"], row["end_time"], row["duration_ms"]) == (
        start,
        start + timedelta(milliseconds=100),
        100.0,
    )
    assert (row["spans"], row["errors"], row["input_tokens"], row["output_tokens"]) == (4, 1, 10, 4)
    assert (row["entity_id"], row["thread_id"], row["project_id"]) == ("weather", "th", project)
    assert (running["status"], running["spans"]) == ("running", 1)
    assert is_missing(running["duration_ms"])
    assert is_missing(running["input_tokens"])
    slowest = store.traces(TelemetryFilter(project_id=project, order="slowest", limit=1))
    assert list(slowest["trace_id"]) == [trace]
    for wanted in ({"status": "ok"}, {"thread_id": "th"}, {"until": start + timedelta(seconds=1)}, {"trace_id": trace}):
        assert list(store.traces(TelemetryFilter(project_id=project, **wanted))["trace_id"]) == [trace], wanted
    assert len(store.traces(TelemetryFilter(project_id=project, since=start + timedelta(milliseconds=1)))) == 1


def test_a_trace_whose_root_is_not_known_shows_its_first_span(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now()
    first = make_span("ended", trace, "a", start, 5, parentSpanId="unknown", name="first")
    second = make_span("ended", trace, "b", start + timedelta(milliseconds=1), 5, parentSpanId="unknown", name="second")
    store.insert([make_chunk(second, first)])
    assert list(store.traces(TelemetryFilter(trace_id=trace))["name"]) == ["first"]


DTYPES = {
    "category": {"name", "type", "status", "level", "source", "stream", "model", "provider", "project_id",
                 "deployment_id", "build_id", "process_id", "entity_id", "entity_name"},
    "datetime64[ms, UTC]": {"timestamp", "start_time", "end_time", "time"},
    "float64": {"duration_ms", "value", "score", "cost"},
    "Int64": {"input_tokens", "output_tokens", "spans", "errors"},
}  # fmt: skip


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "empty"])
def test_columns_and_dtypes_are_the_same_with_and_without_rows(store: ObservabilityStore, filled: bool) -> None:
    trace, moment = new_trace(), now()
    if filled:
        store.insert(
            [
                make_chunk(
                    make_span("ended", trace, "s1", moment, 1), make_span("started", trace, "s2", moment), "bad"
                ),
                make_chunk(make_line("metric", {"timestamp": iso(moment), "name": "m", "value": 1, "traceId": trace})),
                make_chunk(make_line("score", {"timestamp": iso(moment), "scorerId": "s", "traceId": trace})),
                make_chunk(make_log("x", moment, traceId=trace), stream=Stream.LOGS),
            ]
        )
    asked = TelemetryFilter(trace_id=trace)
    frames = {
        SPAN_COLUMNS: store.spans(asked),
        LOG_COLUMNS: store.logs(asked),
        TRACE_COLUMNS: store.traces(asked),
        METRIC_COLUMNS: store.metrics(asked),
        SCORE_COLUMNS: store.scores(asked),
        REJECT_COLUMNS: store.rejects(limit=1 if filled else 0),
    }
    for columns, frame in frames.items():
        assert tuple(frame.columns) == columns
        assert (len(frame) > 0) is filled, columns
        for name in columns:
            expected = next((dtype for dtype, names in DTYPES.items() if name in names), "object")
            assert str(frame[name].dtype) == expected, name


def test_init_close_and_status_can_be_repeated(store: ObservabilityStore) -> None:
    trace = new_trace()
    store.insert([make_chunk(make_span("ended", trace, "s1", now(), 1))])
    store.init()
    store.close()
    store.close()
    store.init()
    assert len(store.trace(trace)) == 1
    status = store.status()
    assert status["running"] is True
    assert status["engine"]
    assert status["version"]
    assert store.describe()
