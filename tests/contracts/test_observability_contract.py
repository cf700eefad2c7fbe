"""What every telemetry store is: answers of fixed columns and types, and a life that can be repeated."""

from __future__ import annotations

import pytest
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now

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
