"""What people may ask of telemetry, and what answers say of themselves."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.house import House
from fixtures.lines import make_chunk, make_log, make_span, new_trace, now

from mastra_admin_sdk.errors import InvalidInput, MastraAdminError, NotFound, SettingError
from mastra_admin_sdk.ports.observability import Price, Stream
from mastra_admin_sdk.services.telemetry.answers import TelemetryFrame
from mastra_admin_sdk.services.telemetry.moments import parse_length
from mastra_admin_sdk.services.telemetry.price_table import read_currency, read_prices
from mastra_admin_sdk.services.telemetry.service import TelemetryService
from mastra_admin_sdk.services.telemetry.tailing import follow


@pytest.fixture
def store() -> FakeObservabilityStore:
    """Thirty spans of the last half hour and one that is two days old, each with a name of its own."""
    made, start = FakeObservabilityStore(), now() - timedelta(minutes=30)
    usage = {"model": "gpt-4o", "usage": {"inputTokens": 10, "outputTokens": 1}}
    lines = [
        make_span("ended", new_trace(), f"s{n}", start + timedelta(minutes=n), 5, name=f"n{n}", attributes=usage,
                  isRootSpan=True, metadata={"threadId": f"t{n}"}, errorInfo={"message": f"error {n}"})
        for n in range(30)
    ]  # fmt: skip
    lines.append(make_span("ended", new_trace(), "old", start - timedelta(days=2), 5, name="old", attributes=usage))
    made.insert([make_chunk(*lines)])
    return made


@pytest.fixture
def service(house: House, store: FakeObservabilityStore) -> TelemetryService:
    return make_service(house, store)


def make_service(house: House, store: FakeObservabilityStore, **more: Any) -> TelemetryService:
    from dataclasses import replace

    from mastra_admin_sdk.settings import load_settings

    settings = load_settings({"home": str(house.parts.home.path), **more}, {})
    parts = replace(house.parts, observability=store, settings=settings)
    return TelemetryService(parts, house.resolver, house.ingester)


# --- filters ----------------------------------------------------------------------------------------------------------


def test_what_people_write_becomes_a_filter(service: TelemetryService, house: House) -> None:
    deployment = house.add_deployment()
    found = service.make_filter(
        project=deployment.project_id,
        deployment=[deployment.id],
        branch=deployment.branch,
        type=["tool_call", "agent_run"],
        status="error",
        agent="weather",
        thread=("t1", "t2"),
        user="ana",
        attributes={"usage.inputTokens": np.int64(5), "ok": True, "tags": ["a", "b"]},
        columns=["name", "status"],
        limit=np.int64(7),
        order="oldest",
    )
    assert (found.project_id, found.deployment_ids) == (deployment.project_id, (deployment.id,))
    assert (found.type, found.status, found.entity_id) == (("tool_call", "agent_run"), "error", "weather")
    assert (found.thread_id, found.resource_id) == (("t1", "t2"), "ana")
    assert found.attributes == {"usage.inputTokens": 5, "ok": True, "tags": ("a", "b")}
    assert (found.columns, found.limit, found.order) == (("name", "status"), 7, "oldest")
    assert service.make_filter(thread_id="x", resource_id="y", entity_id="z").thread_id == "x"


MOMENTS: dict[str, Any] = {
    "datetime": datetime(2026, 1, 2, 3, tzinfo=UTC),
    "zone": datetime(2026, 1, 2, 4, tzinfo=ZoneInfo("Europe/Berlin")),
    "timestamp": pd.Timestamp("2026-01-02T04:00:00", tz="Europe/Berlin"),
    "text": "2026-01-02T04:00:00+01:00",
}


@pytest.mark.parametrize("case", MOMENTS)
def test_times_are_told_in_any_zone(service: TelemetryService, case: str) -> None:
    assert service.make_filter(since=MOMENTS[case]).since == datetime(2026, 1, 2, 3, tzinfo=UTC)


def test_dates_and_lengths_are_times_too(service: TelemetryService) -> None:
    assert service.make_filter(since=date(2026, 1, 2)).since == datetime(2026, 1, 2, tzinfo=UTC)
    found = service.make_filter(since=pd.Timedelta("1h")).since
    assert found is not None
    assert abs((datetime.now(UTC) - found) - timedelta(hours=1)) < timedelta(seconds=5)
    assert parse_length("1.5h") == timedelta(minutes=90)
    assert parse_length(pd.Timedelta("5min")) == timedelta(minutes=5)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "misspelt": ({"typ": "x"}, "no filter 'typ'", "'type'"),
    "far-from-all": ({"zzzzz": 1}, "no filter 'zzzzz'", "project"),
    "of-logs": ({"level": "error"}, "can't be filtered by level", "status"),
    "status": ({"status": "eror"}, "no status", "'error'"),
    "one-of-a-list": ({"status": ["ok", "eror"]}, "no status", "'error'"),
    "no-text": ({"name": 5}, "no name", "text"),
    "naive": ({"since": datetime(2026, 1, 2)}, "no time zone", "tzinfo"),
    "naive-timestamp": ({"since": pd.Timestamp("2026-01-02")}, "no time zone", "tzinfo"),
    "not-a-time": ({"since": pd.NaT}, "no time", "Add one"),
    "words": ({"since": "an hour"}, "no time", "30m"),
    "backwards": ({"since": "1h", "until": "2h"}, "before it begins", "since"),
    "limit": ({"limit": -1}, "no limit", "None"),
    "limit-text": ({"limit": "5"}, "no limit", "None"),
    "chunks": ({"chunks": 0}, "no number of rows", "50_000"),
    "attributes": ({"attributes": "x"}, "no attributes", "usage.inputTokens"),
    "attribute-value": ({"attributes": {"x": {}}}, "can't be compared", "True"),
    "columns": ({"columns": ["nmae"]}, "no column 'nmae'", "'name'"),
    "no-columns": ({"columns": []}, "no columns", "list"),
    "order": ({"order": "newst"}, "no order 'newst'", "'newest'"),
    "text": ({"text": 5}, "no text", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_understood_is_refused_with_a_hint(service: TelemetryService, case: str) -> None:
    given, message, hint = REFUSED[case]
    with pytest.raises(InvalidInput, match=message) as caught:
        service.spans(**given)
    assert hint in caught.value.hint


def test_a_branch_of_which_nothing_is_deployed_is_not_found(service: TelemetryService, house: House) -> None:
    with pytest.raises(NotFound, match="'main'"):
        service.spans(branch="main")
    house.add_deployment()
    with pytest.raises(NotFound) as caught:
        service.spans(branch="mian")
    assert "'main'" in caught.value.hint


@pytest.mark.parametrize(
    ("question", "given", "word"),
    [
        ("logs", {"type": "x"}, "type"),
        ("scores", {"status": "ok"}, "status"),
        ("traces", {"by": ["name"]}, "by"),
        ("latency", {"bucket": "5 minutes"}, "length of time"),
        ("latency", {"by": ["modle"]}, "modle"),
        ("usage", {"by": ["day"], "timezone": "Berlin"}, "time zone"),
        ("errors", {"status": "ok"}, "status"),
        ("tail", {"count": True}, "row by row"),
        ("tail", {"of": "traces"}, "can't be followed"),
    ],
)
def test_each_question_knows_its_own_filters(
    service: TelemetryService, question: str, given: dict[str, Any], word: str
) -> None:
    with pytest.raises(InvalidInput, match=word):
        getattr(service, question)(**given)


# --- sizes and parts --------------------------------------------------------------------------------------------------


def test_how_many_there_are_can_be_asked_first(service: TelemetryService) -> None:
    questions: dict[str, Callable[..., Any]] = {
        "spans": service.spans, "traces": service.traces, "latency": service.latency, "errors": service.errors,
        "threads": service.threads,
    }  # fmt: skip
    counts = {name: ask(count=True, limit=2, columns=None) for name, ask in questions.items()}
    assert counts == {"spans": 31, "traces": 31, "latency": 30, "errors": 1, "threads": 30}
    assert service.logs(count=True) == 0


def test_long_answers_come_in_parts(service: TelemetryService) -> None:
    for ask in (service.spans, service.traces, service.latency):
        parts: Any = ask(chunks=10, since="all")
        assert [len(part) for part in parts] == [10, 10, 10, 1]
    limited: Any = service.spans(chunks=10, limit=15)
    assert [len(part) for part in limited] == [10, 5]
    with pytest.raises(InvalidInput):
        service.spans(chunks=10, nmae="x")  # at once, not with the first part


# --- what answers say -------------------------------------------------------------------------------------------------


def test_a_cut_answer_says_so_below_its_rows(service: TelemetryService) -> None:
    frame = service.spans(limit=5)
    assert repr(frame).endswith("\n\n5 of 31 spans: limit=None for all.")
    assert frame._repr_html_().endswith("<p>5 of 31 spans: limit=None for all.</p>")  # type: ignore[operator]
    assert frame.attrs["truncated"]
    assert frame.attrs["total"] == 31
    assert "there are more: limit=None for all, count=True" in repr(service.traces(limit=5))
    for whole in (service.spans(), service.spans(limit=31), service.spans(limit=None)):
        assert type(whole) is pd.DataFrame
        assert not whole.attrs["truncated"]


def test_a_time_that_nobody_gave_is_said(service: TelemetryService) -> None:
    frame = service.latency()
    assert len(frame) == 30
    assert repr(frame).endswith('Latency of the last 24 hours: since="7d" for more, since="all" for all.')
    cut = repr(service.latency(limit=5)).splitlines()[-1]
    assert cut.startswith("The first 5 rows of latency of the last 24 hours")
    assert len(service.latency(since="all")) == 31
    assert "24 hours" not in repr(service.latency(since="7d"))
    assert service.spans(name="old").attrs["default_since"] is False
    assert service.spans(text="old").empty
    assert "24 hours" in repr(service.spans(text="old"))
    assert len(service.spans(text="old", since="all")) == 1
    before = service.spans(text="old", until=now() - timedelta(days=1.5))
    assert len(before) == 1
    assert "of the 24 hours before" in repr(before)
    assert "24 hours" not in repr(service.errors(trace_id=service.spans(name="old")["trace_id"].iloc[0]))


def test_answers_are_data_frames_like_any_other(service: TelemetryService) -> None:
    frame = service.spans(limit=5)
    assert isinstance(frame, TelemetryFrame)
    note = "5 of 31"
    made = {
        "filtered": frame[frame["status"] == "error"],
        "columns": frame[["name"]],
        "copied": frame.copy(),
        "shallow": copy.copy(frame),
        "deep": copy.deepcopy(frame),
        "concatenated": pd.concat([frame, frame]),
        "pickled": pickle.loads(pickle.dumps(frame)),
        "merged": frame.merge(frame[["span_id"]], on="span_id"),
        "head": frame.head(2),
    }
    for name, other in made.items():
        assert type(other) is pd.DataFrame, name
        assert note not in repr(other), name
    pd.testing.assert_frame_equal(made["pickled"], made["copied"])
    assert made["pickled"].attrs == frame.attrs
    frame["more"] = 1
    assert note in repr(frame)
    buffer = io.BytesIO()
    service.spans(text="n", limit=5, until=now()).to_parquet(buffer)  # attrs are written as JSON
    assert len(pd.read_parquet(buffer)) == 5
    empty = service.latency(name="nobody")
    assert isinstance(empty, TelemetryFrame)
    assert repr(empty).startswith("Empty DataFrame")
    assert "24 hours" in repr(empty)
    assert type(pd.concat([empty, empty])) is pd.DataFrame


# --- pages and owners -------------------------------------------------------------------------------------------------


def test_an_answer_that_was_cut_says_where_the_next_begins(service: TelemetryService) -> None:
    for order in ("newest", "slowest"):
        found: list[str] = []
        after: dict[str, Any] = {}
        while after or not found:
            frame = service.spans(limit=10, order=order, **after)
            found.extend(frame["name"])
            after = {"after": frame.attrs["next"]} if frame.attrs.get("next") else {}
        assert len(found) == len(set(found)) == 31
    assert "place" not in service.spans(limit=10).attrs


def test_a_place_is_good_for_its_question_and_order_alone(service: TelemetryService) -> None:
    place = service.spans(limit=1).attrs["next"]
    for ask in (
        lambda: service.spans(after=place, order="slowest"),
        lambda: service.logs(after=place),
        lambda: service.spans(after="x"),
        lambda: service.spans(after="x" * 5000),
        lambda: service.spans(after=7),
        lambda: service.spans(after="W10"),
    ):
        with pytest.raises(InvalidInput, match="no place"):
            ask()
    with pytest.raises(InvalidInput, match="one answer"):
        service.usage(after=place)


def test_whose_telemetry_it_is_may_be_several(service: TelemetryService, house: House) -> None:
    first, second = house.add_deployment(), house.add_deployment("other")
    gone = "0b6f3b0a-1111-4222-8333-444455556666"
    found = service.make_filter(project=[first.project_id, gone], deployment=[first.id, gone], build=gone)
    assert found.project_id == (first.project_id, gone)
    assert found.deployment_ids == (first.id, gone)
    assert found.build_id == gone
    assert service.make_filter(project=()).project_id == ()
    team = house.parts.storage.projects.get(first.project_id).team_id
    assert second.project_id in service.make_filter(team=team).project_id
    assert service.make_filter(team=team, project=gone).project_id == ()
    with pytest.raises(NotFound):
        service.make_filter(project="nowhere")


HALVES: dict[str, dict[str, Any]] = {
    "text": {"text": "a\ud800"},
    "list": {"name": ["ok", "\udfff"]},
    "path": {"attributes": {"\ud800": 1}},
    "value": {"attributes": {"a": ["\ud83d"]}},
    "project": {"project": "\ud800"},
}


@pytest.mark.parametrize("case", HALVES)
def test_half_a_character_is_refused(service: TelemetryService, case: str) -> None:
    with pytest.raises(InvalidInput, match="half of one"):
        service.spans(**HALVES[case])


# --- prices -----------------------------------------------------------------------------------------------------------


def test_the_most_precise_price_comes_first() -> None:
    table = {"*": {"input": 1}, "gpt-*": {"input": 2}, "gpt-4o*": {"output": 3.5}, "gpt-4o": {"input": 4, "output": 5}}
    assert read_prices(table) == (
        Price("gpt-4o", 4.0, 5.0),
        Price("gpt-4o*", 0.0, 3.5),
        Price("gpt-*", 2.0, 0.0),
        Price("*", 1.0, 0.0),
    )
    assert read_currency(table) == "USD"
    assert read_currency({"currency": "EUR"}) == "EUR"


@pytest.mark.parametrize("entry", [5, {}, {"inptu": 1}, {"input": -1}, {"input": "1"}, {"input": True}, None])
def test_what_is_no_price_is_refused(entry: Any) -> None:
    with pytest.raises(SettingError, match="gpt"):
        read_prices({"gpt": entry})


def test_cost_follows_the_setting_also_for_old_spans(house: House, store: FakeObservabilityStore) -> None:
    def ask(prices: dict[str, Any]) -> pd.DataFrame:
        return make_service(house, store, prices=prices).usage(since="all")

    assert ask({"gpt*": {"input": 1, "output": 10}})["cost"].iloc[0] == pytest.approx(31 * 20 / 1e6)
    assert ask({"gpt*": {"input": 2}, "currency": "EUR"})["cost"].iloc[0] == pytest.approx(31 * 20 / 1e6)
    assert ask({"gpt*": {"input": 2}, "currency": "EUR"}).attrs["currency"] == "EUR"
    without, other = ask({}), ask({"claude": {"input": 1}})
    assert without["cost"].isna().all()
    assert "the setting prices is empty" in repr(without)
    assert "no price for a model" in repr(other)


# --- following --------------------------------------------------------------------------------------------------------


def test_tail_yields_each_row_once_and_ends_at_its_limit(
    service: TelemetryService, store: FakeObservabilityStore
) -> None:
    rows = service.tail(since="all", poll=0.01, limit=33)
    first = list(itertools.islice(rows, 31))
    assert len({row["span_id"] for row in first}) == 31
    assert first[0]["start_time"].tzinfo is not None
    assert type(first[0]["input_tokens"]) is int
    assert first[0]["parent_span_id"] is None
    for number in range(3):
        store.insert([make_chunk(make_span("ended", new_trace(), f"new{number}", now(), 1))])
    assert [row["span_id"] for row in rows] == ["new0", "new1"]


def test_tail_of_logs_begins_now(service: TelemetryService, store: FakeObservabilityStore) -> None:
    store.insert([make_chunk(make_log("before", now()), stream=Stream.LOGS)])
    rows = service.tail("logs", poll=0.01, text="e", limit=1)
    timer = threading.Timer(
        0.2, lambda: store.insert([make_chunk(make_log("late", now() - timedelta(days=3)), stream=Stream.LOGS)])
    )
    timer.start()
    assert [row["message"] for row in rows] == ["late"]
    timer.join()


def test_following_ends_when_it_is_told_to(store: FakeObservabilityStore, service: TelemetryService) -> None:
    from mastra_admin_sdk.ports.observability import Listing, TelemetryFilter

    stop = threading.Event()
    stop.set()
    assert list(follow(lambda: store, Listing.SPANS, TelemetryFilter(), poll=60, stop=stop)) == []

    def interrupt() -> Any:
        raise KeyboardInterrupt

    assert list(follow(interrupt, Listing.SPANS, TelemetryFilter(limit=None), poll=60)) == []
    rows: Any = service.tail(poll=60, since="all")
    next(rows)
    rows.close()
    with pytest.raises(StopIteration):
        next(rows)


def test_an_error_of_the_store_ends_following_with_it() -> None:
    from mastra_admin_sdk.ports.observability import Listing, TelemetryFilter

    def fail() -> Any:
        raise MastraAdminError("gone")

    with pytest.raises(MastraAdminError, match="gone"):
        list(follow(fail, Listing.SPANS, TelemetryFilter(), poll=0.01))
