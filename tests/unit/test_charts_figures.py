"""Figures of charts: pure functions on DataFrames."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from fixtures.spans import frame as spans_frame
from fixtures.spans import span

from mastra_admin_sdk.display.charts.chart import Chart
from mastra_admin_sdk.display.charts.moments import STEPS, choose_step, list_moments, to_axis, write_moments
from mastra_admin_sdk.display.charts.phases import draw_phases
from mastra_admin_sdk.display.charts.spans import draw_trace
from mastra_admin_sdk.display.charts.themes import THEMES, Theme, apply_patch, make_patch
from mastra_admin_sdk.display.charts.timelines import (
    MOST_SERIES,
    REST,
    Axis,
    Shape,
    draw_timeline,
    pick_series,
    split_series,
)
from mastra_admin_sdk.display.charts.units import count_things, measure_money, measure_share, measure_time
from mastra_admin_sdk.display.tree import build_tree
from mastra_admin_sdk.errors import InvalidInput

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS = [START + number * HOUR for number in range(3)]
AXIS = Axis(tuple(HOURS), HOUR)


def make_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    return frame.assign(bucket=pd.to_datetime(frame["bucket"], utc=True).astype("datetime64[ms, UTC]"))


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "step"),
    [("1h", "1min"), ("24h", "30min"), ("7D", "3h"), ("30D", "12h"), ("90D", "2D"), ("4000D", "90D")],
)
def test_steps_suit_the_length_of_time(length: str, step: str) -> None:
    assert choose_step(pd.Timedelta(length).to_pytimedelta()) == pd.Timedelta(step)


def test_steps_cover_a_time_from_its_beginning_to_its_end() -> None:
    moments = list_moments(START + timedelta(minutes=20), START + 3 * HOUR, HOUR, "UTC")
    assert moments == HOURS
    assert list_moments(START, START + timedelta(seconds=1), HOUR, "UTC") == [START]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_days_begin_at_midnight_also_when_clocks_change(zone: str) -> None:
    since = datetime(2026, 10, 23, 12, tzinfo=UTC)
    days = list_moments(since, since + timedelta(days=12), timedelta(days=1), zone)
    shown = to_axis(days, zone)
    assert len(shown) in {12, 13}
    assert all(text.endswith("T00:00:00.000") for text in shown)


def test_an_hour_that_comes_twice_has_two_names() -> None:
    twice = [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1)]
    assert len(set(to_axis(twice, "Europe/Berlin"))) == 1
    assert write_moments(twice, HOUR, "Europe/Berlin") == ["2026-10-25 02:00 CEST", "2026-10-25 02:00 CET"]


# --- over time --------------------------------------------------------------------------------------------------------


def test_where_nothing_was_counts_are_zero_and_measures_are_gaps() -> None:
    frame = make_frame([{"bucket": HOURS[0], "count": 3, "p95_ms": 40.0}])
    assert pick_series(frame, AXIS, {"count": "requests"}, fill=0)[0].values == (3.0, 0, 0)
    assert pick_series(frame, AXIS, {"p95_ms": "p95"})[0].values == (40.0, None, None)


def test_of_many_groups_the_heaviest_are_shown_and_the_rest_is_added_up() -> None:
    rows = [{"bucket": HOURS[0], "model": f"m{n}", "tokens": 100 - n} for n in range(12)]
    series = split_series(make_frame(rows), AXIS, "model", "tokens", weight="tokens", fill=0)
    assert [each.name for each in series] == [*(f"m{n}" for n in range(MOST_SERIES - 1)), REST]
    assert sum(each.values[0] or 0 for each in series) == sum(100 - n for n in range(12))
    lines = split_series(make_frame(rows), AXIS, "model", "tokens", weight="tokens")
    assert REST not in [each.name for each in lines]


def test_a_timeline_is_a_figure_and_a_table_of_the_same() -> None:
    frame = make_frame([{"bucket": HOURS[1], "p50_ms": 100.0, "p95_ms": 2500.0}])
    series = pick_series(frame, AXIS, {"p50_ms": "p50", "p95_ms": "p95"})
    unit = measure_time([100.0, 2500.0])
    drawing = draw_timeline("Latency", AXIS, series, unit, shape=Shape.LINES)
    figure = drawing.figure
    assert [trace["y"] for trace in figure["data"]] == [[None, 0.1, None], [None, 2.5, None]]
    assert figure["layout"]["yaxis"]["title"]["text"] == "Time (s)"
    assert figure["layout"]["xaxis"]["title"]["text"] == "Time (UTC)"
    assert drawing.columns == ("Time", "p50", "p95")
    assert drawing.rows == (("2026-11-23 11:00 UTC", "100 ms", "2.5 s"),)
    assert drawing.summary == "p50 from 100 ms to 100 ms and p95 from 2.5 s to 2.5 s."


def test_an_empty_chart_says_why() -> None:
    drawing = draw_timeline("Cost", AXIS, [], measure_money("USD"), shape=Shape.BARS, empty="No prices.")
    assert drawing.figure["data"] == []
    assert drawing.figure["layout"]["annotations"][0]["text"] == "No prices."
    assert drawing.summary == "No prices."


def test_few_things_are_counted_by_ones() -> None:
    frame = make_frame([{"bucket": HOURS[0], "count": 2}])
    series = pick_series(frame, AXIS, {"count": "requests"}, fill=0)
    axis = draw_timeline("", AXIS, series, count_things(""), shape=Shape.BARS).figure["layout"]["yaxis"]
    assert axis["dtick"] == 1


def test_names_stay_text() -> None:
    evil = '<a href="javascript:alert(1)">x</a>'
    frame = make_frame([{"bucket": HOURS[0], "model": evil, "tokens": 1}])
    series = split_series(frame, AXIS, "model", "tokens", weight="tokens", fill=0)
    drawing = draw_timeline(evil, AXIS, series, count_things(""), shape=Shape.BARS)
    assert "<a" not in json.dumps(drawing.figure)
    html = Chart("tokens", evil, frame, drawing).to_html(script=False)
    assert "<a href" not in html
    assert "</a>" not in html


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (measure_time([]), 0.4, "400 µs"),
        (measure_time([]), None, "—"),
        (count_things(""), 12345, "12,345"),
        (measure_share(""), 0.125, "12.5 %"),
        (measure_money("USD"), 0.000123, "$0.000123"),
        (measure_money("USD"), 1234.5, "$1,234.50"),
        (measure_money("CHF"), 2, "2.00 CHF"),
        (measure_money("EUR"), float("nan"), "—"),
    ],
)
def test_values_are_written_with_their_units(unit: Any, value: float | None, text: str) -> None:
    assert unit.format(value) == text


# --- builds and traces ------------------------------------------------------------------------------------------------


def test_builds_are_bars_of_their_phases() -> None:
    rows = [
        {"label": "#2", "status": "failed", "install_s": 3.0, "build_s": None, "total_s": 3.5},
        {"label": "#1", "status": "succeeded", "install_s": 12.0, "build_s": 9.0, "total_s": 24.0},
    ]
    drawing = draw_phases(pd.DataFrame(rows), ("install", "build"))
    assert [(trace["name"], trace["x"]) for trace in drawing.figure["data"]] == [
        ("install", [3.0, 12.0]),
        ("build", [0.0, 9.0]),
    ]
    assert drawing.rows[0] == ("#2", "failed", "3 s", "—", "3.5 s")
    assert drawing.summary == "2 builds, from 3.5 s to 24 s."


def test_a_trace_is_a_bar_a_span_and_failed_ones_are_striped() -> None:
    rows = spans_frame(
        span("a", None, 0, 100, name="agent run", type="agent_run"),
        span("b", "a", 10, 50, name="tool", type="tool_call", status="error", error="<b>no</b>"),
    )
    drawing = draw_trace(build_tree(rows))
    names = [trace["name"] for trace in drawing.figure["data"]]
    assert names == ["agent run", "failed"]
    failed = drawing.figure["data"][1]
    assert (failed["base"], failed["x"], failed["y"]) == ([10.0], [50.0], [1])
    assert failed["marker"]["pattern"]["shape"] == "/"
    assert "<b>" not in failed["customdata"][0]


def test_of_a_large_trace_a_part_is_drawn_and_that_is_told() -> None:
    rows = spans_frame(span("a", None, 0, 1000), *(span(f"s{n}", "a", n, n) for n in range(1, 500)))
    drawing = draw_trace(build_tree(rows), limit=50)
    assert sum(len(trace["x"]) for trace in drawing.figure["data"]) == 50
    assert "50 of 500 spans shown" in drawing.summary


# --- themes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_colours_can_be_told_from_the_ground_and_texts_read(theme: Theme) -> None:
    for color in (*theme.series, *theme.roles.values()):
        assert find_contrast(color, theme.ground) >= 3, color
    for color in (theme.text, theme.muted):
        assert find_contrast(color, theme.ground) >= 4.5, color
    assert len(set(theme.series)) == MOST_SERIES


def test_a_theme_is_a_patch_that_another_one_covers() -> None:
    frame = make_frame([{"bucket": HOURS[0], "errors": 2, "succeeded": 1}])
    series = pick_series(frame, AXIS, {"succeeded": "ok", "errors": "failed"}, fill=0, tones=("good", "bad"))
    figure = draw_timeline("", AXIS, series, count_things(""), shape=Shape.BARS).figure
    light, dark = (make_patch(figure, THEMES[name]) for name in ("light", "dark"))
    assert apply_patch(apply_patch(figure, light), dark) == apply_patch(figure, dark)
    assert apply_patch(figure, dark)["data"][1]["marker"]["color"] == THEMES["dark"].roles["bad"]
    assert "color" not in json.dumps(figure)


def test_a_chart_shows_itself_without_a_network_and_without_scripts_as_a_table() -> None:
    frame = make_frame([{"bucket": HOURS[0], "count": 2}])
    series = pick_series(frame, AXIS, {"count": "requests"}, fill=0)
    chart = Chart("requests", "Requests", frame, draw_timeline("R", AXIS, series, count_things(""), shape=Shape.BARS))
    html = chart.to_html()
    assert "2026-11-23 10:00 UTC" in html
    assert 1_000_000 < len(html) < 3_000_000
    assert len(chart.to_html(script=False)) < 30_000
    assert "src=" not in html
    assert chart.in_theme("dark").figure["layout"]["paper_bgcolor"] == THEMES["dark"].ground
    assert chart.figure["layout"]["paper_bgcolor"] == THEMES["light"].ground
    assert json.loads(json.dumps(chart.to_dict()))["table"]["columns"] == ["Time", "requests"]
    assert repr(chart) == "<Chart 'Requests': requests from 0 to 2.>"
    with pytest.raises(InvalidInput, match="theme"):
        chart.in_theme("pink")


def test_steps_rise() -> None:
    assert list(STEPS) == sorted(STEPS)


def find_contrast(color: str, ground: str) -> float:
    light, dark = sorted((find_luminance(color), find_luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def find_luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
