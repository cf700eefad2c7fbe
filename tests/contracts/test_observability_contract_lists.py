"""Log lines, metrics and scores: their columns, and what they are filtered by."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fixtures.lines import iso, make_chunk, make_line, make_log, new_trace, now
from fixtures.observability import is_missing

from mastra_admin_sdk.ports.observability import ObservabilityStore, Stream, TelemetryFilter


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
