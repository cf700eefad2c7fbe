"""Times, durations, sizes and cutting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_admin_sdk.display.text import format_bytes, format_duration, measure, pad, relative_time, truncate

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (-0.5, "just now"),
        (12.4, "12 s ago"),
        (59.7, "1 min ago"),
        (150, "2 min ago"),
        (2 * 3600, "2 h ago"),
        (47 * 3600, "47 h ago"),
        (5 * 86400, "5 days ago"),
        (31 * 86400, "2026-03-31"),
        (-180, "in 3 min"),
    ],
)
def test_times_as_seen_from_now(seconds: float, text: str) -> None:
    assert relative_time(NOW - timedelta(seconds=seconds), NOW) == text


def test_time_zones_count_and_none_is_a_dash() -> None:
    assert relative_time(datetime(2026, 5, 1, 13, 59, tzinfo=timezone(timedelta(hours=2))), NOW) == "1 min ago"
    assert relative_time(datetime(2026, 5, 1, 11, 59), NOW) == "1 min ago"
    assert relative_time(None, NOW) == "—"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (float("nan"), "—"),
        (float("inf"), "—"),
        (0, "0 s"),
        (0.00085, "850 µs"),
        (0.0123, "12 ms"),
        (0.9996, "1 s"),
        (1.234, "1.23 s"),
        (59.96, "1 min"),
        (125, "2 min 5 s"),
        (3780, "1 h 3 min"),
        (2 * 86400 + 4 * 3600, "2 d 4 h"),
        (-2, "-2 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "—"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1536, "1.5 KB"),
        (20 * 1024**2, "20 MB"),
        (3 * 1024**4, "3.0 TB"),
        (10**20, "88818 PB"),
        (-2048, "-2.0 KB"),
    ],
)
def test_sizes(count: float | None, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("short", 10, "short"),
        ("exactly", 7, "exactly"),
        ("too long", 5, "too …"),
        ("two\nlines\t\x1b[31m", 80, "two lines \N{REPLACEMENT CHARACTER}[31m"),
        ("日本語", 5, "日本…"),
        ("日本語", 6, "日本語"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
        ("\udcff", 3, "\N{REPLACEMENT CHARACTER}"),
        ("anything", 0, ""),
        ("anything", 1, "…"),
    ],
    ids=[
        *("short", "exact", "long", "control", "wide-cut", "wide-fits", "combining", "surrogate", "nothing", "one"),
    ],
)
def test_cutting(text: str, width: int, cut: str) -> None:
    assert truncate(text, width) == cut


@settings(deadline=None)
@given(st.text(), st.integers(0, 40))
def test_whatever_the_text_it_fits_and_is_printable(text: str, width: int) -> None:
    assert measure(truncate(text, width)) <= width
    assert measure(pad(text, width)) == width
    assert pad(text, width).isprintable()
