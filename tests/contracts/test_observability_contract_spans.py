"""How lines become spans: starts, updates and ends in any order, each span once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now
from fixtures.observability import is_missing, read_one

from mastra_admin_sdk.ports.observability import ObservabilityStore, Stream, TelemetryFilter


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


def test_traces_are_found_by_the_beginning_of_their_ids(store: ObservabilityStore) -> None:
    beginning = new_trace()[:20]
    ended, running, other = (f"{beginning}{letter}" + "0" * 11 for letter in "abc")
    store.insert(
        [
            make_chunk(
                *(make_span("ended", ended, f"s{n}", now(), 1) for n in range(3)),
                make_span("started", running, "s", now()),
                make_span("started", other, "s", now()),
                make_span("ended", other, "s", now(), 1),
            )
        ]
    )
    assert list(store.find_traces(beginning, 10)) == [ended, running, other]
    assert list(store.find_traces(beginning, 2)) == [ended, running]
    assert list(store.find_traces(other, 10)) == [other]
    assert list(store.find_traces(f"{beginning}%", 10)) == []


def test_ten_thousand_spans_of_one_trace_come_back_oldest_first(store: ObservabilityStore) -> None:
    trace, start = new_trace(), now() - timedelta(hours=1)
    lines = (make_span("ended", trace, f"{n:05d}", start + timedelta(milliseconds=n), 5) for n in range(10_000))
    store.insert([make_chunk(*lines)])
    frame = store.trace(trace)
    assert len(frame) == 10_000
    assert list(frame["span_id"][:3]) == ["00000", "00001", "00002"]
    assert frame["start_time"].is_monotonic_increasing
