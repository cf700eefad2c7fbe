"""What every telemetry store makes of many spans: latency, usage and cost, errors, threads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from fixtures.lines import make_chunk, make_span, new_trace, now

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import (
    ERROR_COLUMNS,
    LATENCY_MEASURES,
    THREAD_COLUMNS,
    USAGE_MEASURES,
    Grouping,
    ObservabilityStore,
    Price,
    TelemetryFilter,
)

PRICES = (Price("gpt-4o", 2.5, 10.0), Price("local/*", 0.0, 0.0), Price("gpt*", 1.0, 1.0))
DAY = timedelta(days=1)


def missing(value: Any) -> bool:
    return value is None or bool(pd.isna(value))


# --- latency ----------------------------------------------------------------------------------------------------------


def test_latency_counts_ended_spans_and_their_percentiles(store: ObservabilityStore) -> None:
    project, start = new_trace(), now() - timedelta(minutes=5)
    durations = [10, 20, 30, 40, 1000]
    lines = [
        make_span("ended", new_trace(), f"s{n}", start, ms, name="slow", projectId=project,
                  **({"errorInfo": {"message": "x"}} if n == 0 else {}))
        for n, ms in enumerate(durations)
    ]  # fmt: skip
    lines += [make_span("ended", new_trace(), "q", start, 1, name="quick", projectId=project)]
    lines += [make_span("started", new_trace(), "r", start, name="slow", projectId=project)]
    store.insert([make_chunk(*lines)])
    frame = store.latency(TelemetryFilter(project_id=project), Grouping(by=("name",)))
    assert tuple(frame.columns) == ("name", *LATENCY_MEASURES)
    slow, quick = frame.to_dict("records")
    expected = pd.Series(durations, dtype=float)
    assert (slow["name"], slow["count"], slow["errors"], slow["error_rate"]) == ("slow", 5, 1, 0.2)
    assert [slow[f"p{p}_ms"] for p in (50, 95, 99)] == pytest.approx([expected.quantile(q) for q in (0.5, 0.95, 0.99)])
    assert (slow["mean_ms"], slow["max_ms"]) == (expected.mean(), 1000.0)
    assert (quick["count"], quick["p99_ms"], quick["error_rate"]) == (1, 1.0, 0.0)
    slowest = store.latency(TelemetryFilter(project_id=project, order="slowest", limit=1), Grouping(by=("name",)))
    assert list(slowest["name"]) == ["slow"]
    assert slowest.attrs["truncated"]
    whole = store.latency(TelemetryFilter(project_id=project), Grouping())
    assert list(whole["count"]) == [6]


def test_latency_in_buckets_of_time(store: ObservabilityStore) -> None:
    project = new_trace()
    start = (now() - timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    minutes = [0, 4, 5, 16]
    lines = [
        make_span("ended", new_trace(), f"s{n}", start + timedelta(minutes=n), 1, projectId=project) for n in minutes
    ]
    store.insert([make_chunk(*lines)])
    frame = store.latency(TelemetryFilter(project_id=project), Grouping(bucket=timedelta(minutes=5)))
    assert list(frame["bucket"]) == [start, start + timedelta(minutes=5), start + timedelta(minutes=15)]
    assert list(frame["count"]) == [2, 1, 1]
    newest = store.latency(TelemetryFilter(project_id=project, order="newest"), Grouping(bucket=timedelta(minutes=5)))
    assert list(newest["bucket"]) == list(frame["bucket"])[::-1]
    both = store.latency(
        TelemetryFilter(project_id=project), Grouping(by=("name", "hour"), bucket=timedelta(minutes=5))
    )
    assert list(both.columns)[:3] == ["bucket", "name", "hour"]
    assert set(both["hour"]) == {start}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_days_weeks_and_months_are_those_of_a_time_zone(store: ObservabilityStore, zone: str) -> None:
    project = new_trace()
    moments = [(now() - timedelta(days=n, hours=n)).replace(microsecond=0) for n in range(0, 60, 7)]
    lines = [make_span("ended", new_trace(), f"s{n}", at, 1, projectId=project) for n, at in enumerate(moments)]
    store.insert([make_chunk(*lines)])
    local = pd.Series(moments).dt.tz_convert(zone)
    midnight = local.dt.normalize()
    weeks = [day - timedelta(days=day.weekday()) for day in midnight.dt.tz_localize(None)]
    months = [day.replace(day=1) for day in midnight.dt.tz_localize(None)]
    expected = {
        "day": set(midnight.dt.tz_convert("UTC")),
        "week": set(pd.Series(weeks).dt.tz_localize(zone).dt.tz_convert("UTC")),
        "month": set(pd.Series(months).dt.tz_localize(zone).dt.tz_convert("UTC")),
    }
    for name, days in expected.items():
        frame = store.latency(TelemetryFilter(project_id=project), Grouping(by=(name,), timezone=zone))
        assert set(frame[name]) == days, name
        assert frame[name].is_monotonic_increasing
        assert frame["count"].sum() == len(moments)
    whole = store.latency(TelemetryFilter(project_id=project), Grouping(bucket=DAY, timezone=zone))
    assert set(whole["bucket"]) == expected["day"]


@pytest.mark.parametrize(
    ("grouping", "word"),
    [
        (Grouping(by=("nmae",)), "nmae"),
        (Grouping(bucket=timedelta(0)), "bucket"),
        (Grouping(by=("day",), timezone="Europe/Berlim"), "time zone"),
    ],
    ids=["group", "bucket", "zone"],
)
def test_groups_that_there_are_not_are_refused(store: ObservabilityStore, grouping: Grouping, word: str) -> None:
    for read in (store.latency, store.usage):
        with pytest.raises(InvalidInput, match=word):
            read(TelemetryFilter(), grouping)


# --- usage and cost ---------------------------------------------------------------------------------------------------


def make_generation(trace: str, span: str, start: datetime, model: str, tokens: tuple[int, int], **more: Any) -> str:
    usage = {"inputTokens": tokens[0], "outputTokens": tokens[1]}
    attributes = {"model": model, "provider": more.pop("provider", "openai"), "usage": usage}
    return make_span("ended", trace, span, start, 5, **{"type": "model_generation", "attributes": attributes, **more})


def test_usage_counts_each_token_once(store: ObservabilityStore) -> None:
    project, trace, other, start = new_trace(), new_trace(), new_trace(), now() - timedelta(minutes=1)
    common = {"projectId": project, "entityType": "agent", "entityId": "weather"}
    lines = [
        make_generation(trace, "g1", start, "gpt-4o", (100, 10), **common),
        make_generation(trace, "g2", start, "gpt-4o", (200, 20), **common),
        make_generation(trace, "step", start, "gpt-4o", (300, 30), type="model_step", parentSpanId="g1", **common),
        make_generation(other, "lone", start, "llama", (7, 0), type="custom", provider="local", projectId=project),
        make_span("ended", trace, "tool", start, 1, projectId=project),
    ]
    store.insert([make_chunk(*lines)])
    filters = TelemetryFilter(project_id=project, prices=PRICES)
    frame = store.usage(filters, Grouping(by=("agent", "model")))
    assert tuple(frame.columns) == ("agent", "model", *USAGE_MEASURES)
    first, second = frame.to_dict("records")
    assert (first["agent"], first["model"], first["count"]) == ("weather", "gpt-4o", 2)
    assert (first["input_tokens"], first["output_tokens"], first["total_tokens"]) == (300, 30, 330)
    assert first["cost"] == pytest.approx((300 * 2.5 + 30 * 10) / 1e6)
    assert (second["model"], second["total_tokens"], second["cost"]) == ("llama", 7, 0.0)
    total = store.usage(filters, Grouping()).to_dict("records")
    assert [row["total_tokens"] for row in total] == [337]
    # A step that is asked for by itself still repeats tokens of its generation.
    steps = TelemetryFilter(project_id=project, type="model_step")
    assert len(store.usage(steps, Grouping(by=("model",)))) == 0


def test_cost_is_missing_where_something_has_no_price(store: ObservabilityStore) -> None:
    project, start = new_trace(), now() - timedelta(minutes=1)
    priced, unpriced = new_trace(), new_trace()
    lines = [
        make_generation(priced, "a", start, "GPT-4o-mini", (1_000_000, 0), projectId=project),
        make_generation(unpriced, "b", start, "gpt-4o", (1_000_000, 0), projectId=project),
        make_generation(unpriced, "c", start, "nobody-knows", (1, 1), projectId=project),
    ]
    store.insert([make_chunk(*lines)])
    filters = TelemetryFilter(project_id=project, prices=PRICES)
    cost = dict(store.traces(filters)[["trace_id", "cost"]].itertuples(index=False))
    assert cost[priced] == 1.0
    assert missing(cost[unpriced])
    by_model = dict(store.usage(filters, Grouping(by=("model",)))[["model", "cost"]].itertuples(index=False))
    assert (by_model["GPT-4o-mini"], by_model["gpt-4o"]) == (1.0, 2.5)
    assert missing(by_model["nobody-knows"])
    assert missing(store.usage(filters, Grouping())["cost"].iloc[0])
    without = TelemetryFilter(project_id=project)
    assert store.traces(without)["cost"].isna().all()
    assert store.usage(without, Grouping(by=("model",)))["cost"].isna().all()


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("gpt-4o", True),
        ("GPT-4O", True),
        ("gpt-4", False),
        ("gpt*", True),
        ("*4o", True),
        ("openai/*", True),
        ("open*/gpt-4o", True),
        ("azure/*", False),
        ("gpt_4o", False),
        ("gpt%", False),
    ],
)
def test_prices_match_models(store: ObservabilityStore, pattern: str, matches: bool) -> None:
    project, trace = new_trace(), new_trace()
    store.insert([make_chunk(make_generation(trace, "a", now(), "gpt-4o", (10, 0), projectId=project))])
    filters = TelemetryFilter(project_id=project, prices=(Price(pattern, 1.0, 1.0),))
    assert store.traces(filters)["cost"].notna().all() == matches
    assert store.usage(filters, Grouping())["cost"].notna().all() == matches


# --- errors -----------------------------------------------------------------------------------------------------------

KINDS = {
    "Timeout after 30 s at port 8080": "Timeout after <n> s at port <n>",
    "can't read 'notes.txt' of user 7f3c9a1e-1111-2222-3333-444455556666": "can't read '…' of user <id>",
    'Unexpected token "<" in JSON at position 12': 'Unexpected token "…" in JSON at position <n>',
    "ENOENT: no such file, open /home/ana/my.app/x-1.json:3:14": "ENOENT: no such file, open <path>",
    "fetch https://api.example.com/v1/items?id=5 failed with 503": "fetch <url> failed with <n>",
    "span 6854cc3cdeadbeef at 0xFF00 and call_a8F3kLm92Q": "span <hex> at <hex> and <id>",
    "model gpt-4o said\n  no": "model gpt-<n>o said no",
    "read/write and/or 3.5%": "read/write and/or <n>%",
    "tool `search` failed in C:\\Users\\ana\\x.ts": "tool `…` failed in <path>",
}


def test_messages_lose_what_makes_them_one_of_a_kind(store: ObservabilityStore) -> None:
    project, start = new_trace(), now() - timedelta(minutes=1)
    lines = [
        make_span("ended", new_trace(), "s", start, 1, projectId=project, errorInfo={"message": message})
        for message in KINDS
    ]
    store.insert([make_chunk(*lines)])
    frame = store.errors(TelemetryFilter(project_id=project))
    assert tuple(frame.columns) == ERROR_COLUMNS
    assert dict(zip(frame["error"], frame["message"], strict=True)) == KINDS


def test_errors_are_counted_with_an_example(store: ObservabilityStore) -> None:
    project, start = new_trace(), now() - timedelta(minutes=5)
    first, second = new_trace(), new_trace()

    def fail(trace: str, span: str, seconds: int, message: str, **more: Any) -> str:
        moment = start + timedelta(seconds=seconds)
        return make_span("ended", trace, span, moment, 1, projectId=project, errorInfo={"message": message}, **more)

    lines = [
        fail(first, "root", 0, "tool failed: 404", name="agent", type="agent_run"),
        fail(first, "tool", 1, "tool failed: 404", name="search"),
        fail(second, "tool2", 9, "tool failed: 500", name="search"),
        fail(second, "other", 2, "rate limit"),
        make_span("ended", second, "fine", start, 1, projectId=project),
    ]
    store.insert([make_chunk(*lines)])
    often, once = store.errors(TelemetryFilter(project_id=project)).to_dict("records")
    assert (often["message"], often["count"], often["traces"]) == ("tool failed: <n>", 3, 2)
    assert (often["first_seen"], often["last_seen"]) == (start, start + timedelta(seconds=9))
    assert (often["trace_id"], often["span_id"], often["name"], often["error"]) == (
        second, "tool2", "search", "tool failed: 500",
    )  # fmt: skip
    assert (once["message"], once["count"]) == ("rate limit", 1)
    oldest = store.errors(TelemetryFilter(project_id=project, order="oldest", limit=1))
    assert list(oldest["message"]) == ["tool failed: <n>"]
    of_root = store.errors(TelemetryFilter(project_id=project, type="agent_run"))
    assert list(of_root["count"]) == [1]


# --- threads ----------------------------------------------------------------------------------------------------------


def test_threads_add_up_their_traces(store: ObservabilityStore) -> None:
    project, start = new_trace(), now() - timedelta(minutes=5)
    one, two, three = new_trace(), new_trace(), new_trace()
    of_thread = {"metadata": {"threadId": "t1", "resourceId": "ana"}, "projectId": project, "isRootSpan": True}
    lines = [
        make_span("ended", one, "a", start, 100, **of_thread),
        make_generation(one, "g", start, "gpt-4o", (100, 0), projectId=project, parentSpanId="a"),
        make_span("ended", two, "b", start + timedelta(seconds=60), 50, errorInfo={"message": "x"}, **of_thread),
        make_span("ended", three, "c", start + timedelta(seconds=30), 5, projectId=project,
                  metadata={"threadId": "t2"}, isRootSpan=True),
        make_span("ended", new_trace(), "d", start, 5, projectId=project, isRootSpan=True),
    ]  # fmt: skip
    store.insert([make_chunk(*lines)])
    frame = store.threads(TelemetryFilter(project_id=project, prices=PRICES))
    assert tuple(frame.columns) == THREAD_COLUMNS
    first, second = frame.to_dict("records")
    assert (first["thread_id"], first["resource_id"], first["project_id"]) == ("t1", "ana", project)
    assert (first["first_seen"], first["last_seen"]) == (start, start + timedelta(seconds=60, milliseconds=50))
    assert (first["traces"], first["spans"], first["errors"], first["input_tokens"]) == (2, 3, 1, 100)
    assert first["cost"] == pytest.approx(0.00025)
    assert second["thread_id"] == "t2"
    assert missing(second["input_tokens"])
    assert missing(second["cost"])
    only = store.threads(TelemetryFilter(project_id=project, resource_id="ana"))
    assert list(only["thread_id"]) == ["t1"]


# --- shapes -----------------------------------------------------------------------------------------------------------

DTYPES = {
    "category": {"name", "type", "agent", "model", "project_id"},
    "datetime64[ms, UTC]": {"bucket", "day", "first_seen", "last_seen"},
    "float64": {"error_rate", "mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms", "cost"},
    "Int64": {"count", "traces", "spans", "errors", "input_tokens", "output_tokens", "total_tokens"},
}


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "empty"])
def test_sums_have_the_same_dtypes_with_and_without_rows(store: ObservabilityStore, filled: bool) -> None:
    project = new_trace()
    if filled:
        more = {"metadata": {"threadId": "t"}, "errorInfo": {"message": "x"}, "isRootSpan": True}
        line = make_generation(new_trace(), "s", datetime.now(UTC), "gpt-4o", (1, 1), projectId=project, **more)
        store.insert([make_chunk(line)])
    filters = TelemetryFilter(project_id=project, prices=PRICES)
    grouping = Grouping(by=("agent", "model", "day"), bucket=timedelta(minutes=1))
    frames = [
        store.latency(filters, grouping),
        store.usage(filters, grouping),
        store.latency(filters, Grouping()),
        store.usage(filters, Grouping()),
        store.errors(filters),
        store.threads(filters),
        store.feedback(filters) if not filled else store.errors(filters),
    ]
    for frame in frames:
        assert (len(frame) > 0) is filled
        for name, dtype in frame.dtypes.items():
            expected = next((kind for kind, names in DTYPES.items() if name in names), None)
            assert expected is None or str(dtype) == expected, name
