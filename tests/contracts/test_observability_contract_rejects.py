"""Lines that can't become rows: each is rejected with its reason, and stops no other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now

from mastra_admin_sdk.ports.observability import Chunk, ObservabilityStore, Stream, TelemetryFilter

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


def test_what_is_refused_unread_is_recorded_once_with_its_reason(store: ObservabilityStore) -> None:
    path, before = f"d/b/{new_trace()}.jsonl", store.count_rejects()
    refused = Chunk(Stream.LOGS, b'{"type":"log" ...\n', path, 7, reason="a line longer than 16 MB")
    store.insert([refused, make_chunk(make_log("a good one", now()), stream=Stream.LOGS, path=path)])
    store.insert([refused])
    rejects = store.rejects(limit=100_000)
    mine = rejects[rejects["path"] == path]
    assert [*mine[["stream", "reason", "line"]].itertuples(index=False, name=None)] == [
        ("logs", "a line longer than 16 MB", '{"type":"log" ...')
    ]
    assert store.count_rejects() == before + 1
