"""How every telemetry store lets one follow what arrives: each row once, in the order it came."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fixtures.lines import make_chunk, make_log, make_span, new_trace, now

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import Cursor, Listing, ObservabilityStore, Stream, TelemetryFilter


def test_spans_are_followed_as_they_end(store: ObservabilityStore) -> None:
    project, trace, start = new_trace(), new_trace(), now() - timedelta(minutes=5)
    filters = TelemetryFilter(project_id=project)

    def write(*lines: str) -> None:
        store.insert([make_chunk(*lines)])

    def end(span: str, seconds: int) -> str:
        return make_span("ended", trace, span, start + timedelta(seconds=seconds), 10, projectId=project)

    write(end("before", 0), make_span("started", trace, "long", start, projectId=project))
    frame, cursor = store.follow(Listing.SPANS, filters)
    assert len(frame) == 0
    assert "span_id" in frame
    seen = []
    for lines in ([end("a", 5)], [], [end("c", 2), end("b", 1)], [end("long", 0)], [end("a", 5)], [end("d", 200)]):
        if lines:
            write(*lines)
        frame, cursor = store.follow(Listing.SPANS, filters, cursor)
        seen.append(set(frame["span_id"]))
    assert seen == [{"a"}, set(), {"b", "c"}, {"long"}, set(), {"d"}]


def test_with_a_time_what_is_stored_already_comes_first(store: ObservabilityStore) -> None:
    project, start = new_trace(), now() - timedelta(minutes=5)
    lines = [make_log(f"m{n}", start + timedelta(seconds=n), projectId=project) for n in range(6)]
    for line in lines:
        store.insert([make_chunk(line, stream=Stream.LOGS)])
    filters = TelemetryFilter(project_id=project, since=start + timedelta(seconds=1), limit=2)
    cursor: Cursor | None = None
    seen: list[str] = []
    for _ in range(4):
        frame, cursor = store.follow(Listing.LOGS, filters, cursor)
        assert len(frame) <= 2
        seen += list(frame["message"])
    assert seen == ["m1", "m2", "m3", "m4", "m5"]
    store.insert([make_chunk(make_log("late", start + timedelta(seconds=2), projectId=project), stream=Stream.LOGS)])
    frame, cursor = store.follow(Listing.LOGS, filters, cursor)
    assert list(frame["message"]) == ["late"]


def test_many_at_once_come_in_pages(store: ObservabilityStore) -> None:
    project, trace, start = new_trace(), new_trace(), now() - timedelta(minutes=5)
    filters = TelemetryFilter(project_id=project, limit=30)
    _, cursor = store.follow(Listing.SPANS, filters)
    spans = [make_span("ended", trace, f"s{n:03d}", start, n, projectId=project) for n in range(100)]
    store.insert([make_chunk(*spans)])
    seen: list[str] = []
    while True:
        frame, cursor = store.follow(Listing.SPANS, filters, cursor)
        if frame.empty:
            break
        seen += list(frame["span_id"])
    assert seen == [f"s{n:03d}" for n in range(100)]


@pytest.mark.parametrize(
    ("listing", "filters"),
    [
        (Listing.TRACES, TelemetryFilter()),
        (Listing.SCORES, TelemetryFilter()),
        (Listing.SPANS, TelemetryFilter(status="running")),
        (Listing.SPANS, TelemetryFilter(order="slowest")),
        (Listing.LOGS, TelemetryFilter(type="agent_run")),
        (Listing.SPANS, TelemetryFilter(columns=("nmae",))),
    ],
    ids=["traces", "scores", "running", "order", "type-of-logs", "column"],
)
def test_what_can_not_be_followed_is_refused(
    store: ObservabilityStore, listing: Listing, filters: TelemetryFilter
) -> None:
    with pytest.raises(InvalidInput):
        store.follow(listing, filters)
