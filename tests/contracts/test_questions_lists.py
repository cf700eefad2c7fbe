"""What every telemetry store says of a list that was cut, and how it hands out a long one in parts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from fixtures.lines import make_chunk, make_log, make_span, new_trace, now

from mastra_admin_sdk.adapters.observability.clickhouse import reading
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import Listing, ObservabilityStore, Price, Stream, TelemetryFilter

COUNT = 25


@pytest.fixture(scope="module")
def project(store: ObservabilityStore) -> str:
    """Spans of which five at a time begin together, two that run, as many log lines; five traces."""
    project, start = new_trace(), now() - timedelta(minutes=10)
    traces = [new_trace() for _ in range(5)]

    def begin(number: int) -> dict[str, Any]:
        return {"projectId": project, "name": f"n{number:02d}"}

    moments = [start + timedelta(seconds=number // 5) for number in range(COUNT)]
    lines = [
        make_span("ended", traces[n % 5], f"s{n:02d}", moments[n], (n * 7) % 11, **begin(n)) for n in range(COUNT - 2)
    ]
    lines += [make_span("started", traces[n % 5], f"s{n:02d}", moments[n], **begin(n)) for n in (COUNT - 2, COUNT - 1)]
    logs = [make_log(f"m{number:02d}", moments[number], projectId=project) for number in range(COUNT)]
    store.insert([make_chunk(*lines), make_chunk(*logs, stream=Stream.LOGS)])
    return project


@pytest.mark.parametrize("limit", [COUNT - 1, COUNT, COUNT + 1, None, 0])
def test_a_cut_list_says_how_many_there_are(store: ObservabilityStore, project: str, limit: int | None) -> None:
    for read in (store.spans, store.logs):
        frame = read(TelemetryFilter(project_id=project, limit=limit))
        is_cut = limit is not None and limit < COUNT
        assert len(frame) == (limit if is_cut else COUNT)
        assert frame.attrs["truncated"] is is_cut
        assert frame.attrs.get("total") == (COUNT if is_cut else None)


def test_what_takes_long_to_count_is_only_said_to_be_cut(store: ObservabilityStore, project: str) -> None:
    frame = store.spans(TelemetryFilter(project_id=project, text="n", limit=3))
    assert (frame.attrs["truncated"], frame.attrs["total"]) == (True, None)
    frame = store.traces(TelemetryFilter(project_id=project, limit=3))
    assert (frame.attrs["truncated"], frame.attrs["total"]) == (True, None)


@pytest.mark.parametrize("rows", [1, 4, 5, COUNT - 1, COUNT, 1000])
@pytest.mark.parametrize("order", ["newest", "oldest", "slowest"])
def test_parts_together_are_the_whole(store: ObservabilityStore, project: str, rows: int, order: str) -> None:
    filters = TelemetryFilter(project_id=project, limit=None, order=order)
    parts = list(store.iterate(Listing.SPANS, filters, rows))
    assert [len(part) for part in parts[:-1]] == [rows] * (len(parts) - 1)
    assert 0 < len(parts[-1]) <= rows
    whole = store.spans(filters)
    together = [span for part in parts for span in part["span_id"]]
    assert sorted(together) == sorted(whole["span_id"])
    time = "duration_ms" if order == "slowest" else "start_time"
    assert pd.concat(parts, ignore_index=True)[time].equals(whole[time].reset_index(drop=True))


@pytest.mark.parametrize("listing", [Listing.LOGS, Listing.TRACES])
def test_other_lists_come_in_parts_too(store: ObservabilityStore, project: str, listing: Listing) -> None:
    filters = TelemetryFilter(project_id=project, limit=None)
    key = "message" if listing is Listing.LOGS else "trace_id"
    parts = list(store.iterate(listing, filters, 2))
    found = [value for part in parts for value in part[key]]
    assert len(found) == len(set(found)) == store.count(listing, filters)
    assert {len(part) for part in parts[:-1]} == {2}


@pytest.mark.parametrize("listing", [Listing.SPANS, Listing.TRACES, Listing.LOGS])
def test_parts_end_at_the_limit(store: ObservabilityStore, project: str, listing: Listing) -> None:
    filters = TelemetryFilter(project_id=project, limit=3)
    assert [len(part) for part in store.iterate(listing, filters, 2)] == [2, 1]
    assert list(store.iterate(listing, TelemetryFilter(project_id=new_trace(), limit=None), 2)) == []


def test_parts_have_the_columns_that_are_asked_for(store: ObservabilityStore, project: str) -> None:
    filters = TelemetryFilter(project_id=project, limit=None, columns=("name", "status"))
    for part in store.iterate(Listing.SPANS, filters, 10):
        assert list(part.columns) == ["name", "status"]
        assert set(map(str, part.dtypes)) == {"category"}


def test_parts_are_not_disturbed_by_what_arrives_between_them(store: ObservabilityStore) -> None:
    project, start = new_trace(), now() - timedelta(minutes=10)
    trace = new_trace()
    spans = [make_span("ended", trace, f"s{n}", start + timedelta(seconds=n), 1, projectId=project) for n in range(6)]
    store.insert([make_chunk(*spans)])
    parts = store.iterate(Listing.SPANS, TelemetryFilter(project_id=project, limit=None), 2)
    found = list(next(parts)["span_id"])
    newer = make_span("ended", trace, "newer", start + timedelta(seconds=60), 1, projectId=project)
    store.insert([make_chunk(newer)])
    found += [span for part in parts for span in part["span_id"]]
    assert found == ["s5", "s4", "s3", "s2", "s1", "s0"]


ORDERS = {
    Listing.SPANS: ("newest", "oldest", "slowest", "tokens"),
    Listing.LOGS: ("newest", "oldest"),
    Listing.TRACES: ("newest", "oldest", "slowest", "tokens", "cost", "spans", "errors"),
}


@pytest.mark.parametrize(("listing", "order"), [(each, order) for each in ORDERS for order in ORDERS[each]])
def test_the_next_answer_begins_behind_the_last_row(
    store: ObservabilityStore, project: str, listing: Listing, order: str
) -> None:
    read = {Listing.SPANS: store.spans, Listing.LOGS: store.logs, Listing.TRACES: store.traces}[listing]
    key = {Listing.SPANS: "span_id", Listing.LOGS: "message", Listing.TRACES: "trace_id"}[listing]
    filters = TelemetryFilter(project_id=(project, new_trace()), order=order, limit=None)
    whole = list(read(filters)[key])
    for size in (2, 7):
        found: list[str] = []
        after: tuple[Any, ...] | None = None
        while after or not found:
            frame = read(replace(filters, limit=size, after=after))
            found.extend(frame[key])
            after = frame.attrs.get("place")
        assert found == whole
        assert "place" not in frame.attrs
        assert frame.attrs["truncated"] is False
    rest = [part for frame in store.iterate(listing, replace(filters, after=_find_place(read, filters)), 3)
            for part in frame[key]]  # fmt: skip
    assert rest == whole[2:]


def test_a_page_says_how_many_rows_all_pages_have(store: ObservabilityStore, project: str) -> None:
    filters = TelemetryFilter(project_id=project, limit=4)
    frame = store.spans(replace(filters, after=_find_place(store.spans, filters)))
    assert (len(frame), frame.attrs["total"]) == (4, COUNT)
    assert store.count(Listing.SPANS, replace(filters, after=frame.attrs["place"])) == COUNT


def test_the_order_of_traces_is_that_of_what_is_shown(store: ObservabilityStore) -> None:
    project, start = new_trace(), now() - timedelta(minutes=5)
    lines = []
    for number in range(1, 6):
        trace, first = new_trace(), start + timedelta(seconds=number)
        usage = {"model": "gpt", "usage": {"inputTokens": (number * 3) % 5, "outputTokens": 10}}
        failed = {"errorInfo": {"message": "no"}} if number % 2 else {}
        lines += [
            make_span("ended", trace, f"s{place}", first + timedelta(milliseconds=place), (number * 7) % 5,
                      type="model_generation", attributes=usage, projectId=project, **failed)
            for place in range(1, (number * 2) % 5 + 2)
        ]  # fmt: skip
    store.insert([make_chunk(*lines)])
    prices = (Price("gpt", 1.0, 2.0),)
    for order, column in {"slowest": "duration_ms", "cost": "cost", "spans": "spans", "errors": "errors"}.items():
        frame = store.traces(TelemetryFilter(project_id=project, order=order, prices=prices, limit=4))
        values = list(frame[column])
        assert values == sorted(values, reverse=True), order
    only = store.traces(TelemetryFilter(project_id=project, order="cost", prices=prices, columns=("name",), limit=2))
    assert list(only.columns) == ["name"]


def test_a_search_that_begins_with_the_newest_finds_the_same(
    store: ObservabilityStore, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wanted in ({"text": "n"}, {"text": "n0"}, {"text": "n2"}, {"attributes": {"nothing": 1}}):
        for read, key in ((store.spans, "span_id"), (store.traces, "trace_id")):
            filters = TelemetryFilter(project_id=project, limit=3, **wanted)
            expected = [list(read(filters)[key]), read(filters).attrs.get("place")]
            later = replace(filters, after=expected[1])
            expected.append(list(read(later)[key]))
            with monkeypatch.context() as patch:
                patch.setattr(reading, "_SEARCHED_FIRST", 6)
                assert [list(read(filters)[key]), read(filters).attrs.get("place"), list(read(later)[key])] == expected


PLACES: dict[str, tuple[Any, ...]] = {
    "of-other-keys": (1, "a"),
    "no-number": ("1", "a", "b"),
    "no-text": (1, 2, 3),
    "beyond-all-times": (10**18, "a", "b"),
}


@pytest.mark.parametrize("case", PLACES)
def test_what_is_no_place_in_a_list_is_refused(store: ObservabilityStore, case: str) -> None:
    with pytest.raises(InvalidInput, match="no place"):
        store.spans(TelemetryFilter(after=PLACES[case]))


def _find_place(read: Any, filters: TelemetryFilter) -> Any:
    return read(replace(filters, limit=2)).attrs["place"]


def test_an_iterator_that_is_closed_early_leaves_the_store_well(store: ObservabilityStore, project: str) -> None:
    for listing in (Listing.SPANS, Listing.TRACES):
        parts = store.iterate(listing, TelemetryFilter(project_id=project, limit=None), 1)
        next(parts)
        parts.close()  # type: ignore[attr-defined]
    assert store.count(Listing.SPANS, TelemetryFilter(project_id=project)) == COUNT
