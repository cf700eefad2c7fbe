"""What every telemetry store finds by lists of values, attributes, agents, models and users."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import Grouping, Listing, ObservabilityStore, Stream, TelemetryFilter


@pytest.fixture(scope="module")
def project(store: ObservabilityStore) -> str:
    """Five spans of one project: a root with two generations, and two tools in a second trace."""
    project, first, second = new_trace(), new_trace(), new_trace()
    start = now() - timedelta(minutes=5)
    usage = {"usage": {"inputTokens": 12, "cached": True}, "model": "gpt-4o", "provider": "openai"}
    lines = [
        make_span("ended", first, "a", start, 30, type="agent_run", isRootSpan=True, entityType="agent",
                  entityId="weather", entityName="Weather Agent", metadata={"threadId": "t1", "resourceId": "u1",
                  "plan": {"tier": "gold"}, "a.b": 1.5}, projectId=project, deploymentId="d1"),
        make_span("ended", first, "b", start + timedelta(seconds=1), 10, type="model_generation", parentSpanId="a",
                  attributes=usage, projectId=project, deploymentId="d1"),
        make_span("ended", first, "c", start + timedelta(seconds=2), 20, type="model_generation", parentSpanId="a",
                  attributes={**usage, "model": "claude", "note": "12"}, projectId=project, deploymentId="d2"),
        make_span("ended", second, "d", start + timedelta(seconds=3), 5, type="tool_call", isRootSpan=True,
                  entityId="search", input={"q": {"city": "Rome"}}, projectId=project, deploymentId="d3"),
        make_span("started", second, "e", start + timedelta(seconds=4), type="tool_call", parentSpanId="d",
                  metadata={"resourceId": "u2"}, projectId=project, deploymentId="d3"),
    ]  # fmt: skip
    store.insert([make_chunk(*lines)])
    return project


SPAN_CASES: dict[str, tuple[dict[str, Any], str]] = {
    "several-types": ({"type": ("tool_call", "agent_run")}, "eda"),
    "one-of-a-list": ({"type": ("agent_run",)}, "a"),
    "several-deployments": ({"deployment_ids": ("d1", "d3")}, "edba"),
    "no-deployment": ({"deployment_ids": ()}, ""),
    "several-states": ({"status": ("ok", "error")}, "dcba"),
    "running-and-ended": ({"status": ("running", "ok")}, "edcba"),
    "entity-id": ({"entity_id": "weather"}, "a"),
    "entity-name": ({"entity_id": "Weather Agent"}, "a"),
    "several-entities": ({"entity_id": ("Weather Agent", "search")}, "da"),
    "model": ({"model": "claude"}, "c"),
    "several-models": ({"model": ("claude", "gpt-4o")}, "cb"),
    "user": ({"resource_id": ("u1", "u2")}, "ea"),
    "thread": ({"thread_id": ("t1", "nobody's")}, "a"),
    "number": ({"attributes": {"usage.inputTokens": 12}}, "cb"),
    "number-as-fraction": ({"attributes": {"usage.inputTokens": 12.0}}, "cb"),
    "number-is-no-text": ({"attributes": {"usage.inputTokens": "12"}}, ""),
    "text-is-no-number": ({"attributes": {"note": 12}}, ""),
    "text": ({"attributes": {"note": "12"}}, "c"),
    "flag": ({"attributes": {"usage.cached": True}}, "cb"),
    "flag-is-no-number": ({"attributes": {"usage.cached": 1}}, ""),
    "other-column": ({"attributes": {"metadata.plan.tier": "gold"}}, "a"),
    "key-with-a-dot": ({"attributes": {"metadata.a.b": 1.5}}, "a"),
    "input": ({"attributes": {"input.q.city": "Rome"}}, "d"),
    "any-of-a-list": ({"attributes": {"model": ("claude", "llama")}}, "c"),
    "two-paths": ({"attributes": {"model": "claude", "usage.cached": True}}, "c"),
    "nothing-there": ({"attributes": {"usage.nothing": 1}}, ""),
    "nasty": ({"attributes": {"a'b\\c\"{x:String}": "it's"}}, ""),
}


@pytest.mark.parametrize("case", SPAN_CASES)
def test_spans_are_found_by(store: ObservabilityStore, project: str, case: str) -> None:
    wanted, expected = SPAN_CASES[case]
    filters = TelemetryFilter(project_id=project, **wanted)
    assert "".join(store.spans(filters)["span_id"]) == expected
    assert store.count(Listing.SPANS, filters) == len(expected)


TRACE_CASES: dict[str, tuple[dict[str, Any], int]] = {
    "text-of-any-span": ({"text": "rome"}, 1),
    "attribute-of-any-span": ({"attributes": {"usage.inputTokens": 12}}, 1),
    "model-of-any-span": ({"model": "claude"}, 1),
    "entity-of-any-span": ({"entity_id": ("search", "weather")}, 2),
    "type-of-the-root": ({"type": "model_generation"}, 0),
    "user-of-the-trace": ({"resource_id": "u2"}, 1),
}


@pytest.mark.parametrize("case", TRACE_CASES)
def test_traces_are_found_by(store: ObservabilityStore, project: str, case: str) -> None:
    wanted, expected = TRACE_CASES[case]
    filters = TelemetryFilter(project_id=project, **wanted)
    found = store.traces(filters)
    assert len(found) == store.count(Listing.TRACES, filters) == expected
    assert set(found["spans"]) <= {3, 2}  # whole traces, not only the spans that were looked for


def test_attributes_of_logs_metrics_and_scores_are_in_their_own_documents(store: ObservabilityStore) -> None:
    trace, moment = new_trace(), now()
    log = make_log("x", moment, traceId=trace, data={"http": {"status": 404}})
    point = {"timestamp": iso(moment), "name": "m", "traceId": trace}
    lines = [
        make_line("metric", {**point, "value": 1, "labels": {"tool": "search"}}),
        make_line("score", {**point, "score": 1, "metadata": {"by": "me"}}),
        make_line("feedback", {**point, "feedbackType": "thumb", "value": 1, "metadata": {"by": "me"}}),
    ]
    store.insert([make_chunk(log, stream=Stream.LOGS), make_chunk(*lines)])

    def count(listing: Listing, **attributes: Any) -> int:
        return store.count(listing, TelemetryFilter(trace_id=trace, attributes=attributes))

    assert count(Listing.LOGS, **{"http.status": 404}) == count(Listing.LOGS, **{"data.http.status": 404}) == 1
    assert count(Listing.METRICS, tool="search") == 1
    assert count(Listing.SCORES, **{"metadata.by": "me"}) == count(Listing.FEEDBACK, **{"metadata.by": "me"}) == 1
    assert count(Listing.LOGS, **{"http.status": 500}) == count(Listing.METRICS, tool="x") == 0


def test_a_path_with_nothing_between_its_dots_is_refused(store: ObservabilityStore) -> None:
    with pytest.raises(InvalidInput, match="no path"):
        store.spans(TelemetryFilter(attributes={"usage..x": 1}))


def test_feedback_has_a_number_where_its_value_is_one(store: ObservabilityStore) -> None:
    trace, moment = new_trace(), now()
    point = {"timestamp": iso(moment), "traceId": trace, "spanId": "s", "feedbackType": "rating"}
    values: list[tuple[Any, str]] = [(4.5, "good"), ("very kind", "so so")]
    lines = [make_line("feedback", {**point, "value": value, "comment": text}) for value, text in values]
    store.insert([make_chunk(*lines)])
    rows = store.feedback(TelemetryFilter(trace_id=trace)).sort_values("label").to_dict("records")
    assert [(row["name"], row["label"], row["comment"]) for row in rows] == [
        ("rating", "4.5", "good"),
        ("rating", "very kind", "so so"),
    ]
    assert rows[0]["value"] == 4.5
    assert rows[1]["value"] != rows[1]["value"]
    assert len(store.feedback(TelemetryFilter(trace_id=trace, text="KIND"))) == 1
    assert len(store.feedback(TelemetryFilter(trace_id=trace, columns=("label",)))) == 2


def test_roots_are_the_spans_that_begin_their_trace(store: ObservabilityStore) -> None:
    project, start = new_trace(), now()
    lines = [
        make_span("ended", trace, span, start, 10, **{"projectId": project, **place})
        for trace in (new_trace(), new_trace())
        for span, place in (("a", {"isRootSpan": True}), ("b", {"parentSpanId": "a"}), ("c", {}))
    ]
    store.insert([make_chunk(*lines)])
    roots = TelemetryFilter(project_id=project, roots=True)
    assert set(store.spans(roots)["span_id"]) == {"a", "c"}
    assert store.count(Listing.SPANS, roots) == 4
    assert list(store.latency(roots, Grouping())["count"]) == [4]
    with pytest.raises(InvalidInput, match="roots"):
        store.logs(TelemetryFilter(roots=True))
