"""What spans and traces can be asked, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fixtures.lines import make_chunk, make_span, new_trace, now
from fixtures.observability import is_missing

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import ObservabilityStore, TelemetryFilter


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
    assert read(deployment_ids=("d2",)) == "c"
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
