"""Cron expressions: what is refused, and when they fire around changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.triggers.cron import check_cron, check_timezone, find_next

BERLIN = "Europe/Berlin"


def list_times(cron: str, timezone: str, after: str, count: int) -> list[str]:
    """Return the next times as UTC without seconds."""
    found, moment = [], datetime.fromisoformat(after).replace(tzinfo=UTC)
    for _ in range(count):
        moment = find_next(cron, timezone, moment)
        assert moment.tzinfo is UTC
        found.append(f"{moment:%m-%d %H:%M}")
    return found


def test_every_night_at_three_is_another_time_of_the_world_in_summer() -> None:
    assert list_times("0 3 * * *", BERLIN, "2026-03-27T12:00", 3) == ["03-28 02:00", "03-29 01:00", "03-30 01:00"]
    assert list_times("0 3 * * *", "UTC", "2026-03-27T12:00", 2) == ["03-28 03:00", "03-29 03:00"]


def test_a_time_that_the_clock_skips_fires_right_after_the_change() -> None:
    # On 29 March 2026 it is never half past two in Berlin.
    assert list_times("30 2 * * *", BERLIN, "2026-03-28T12:00", 2) == ["03-29 01:00", "03-30 00:30"]


def test_a_time_that_comes_twice_fires_once() -> None:
    # On 25 October 2026 it is half past two in Berlin at 00:30 and at 01:30 UTC.
    assert list_times("30 2 * * *", BERLIN, "2026-10-24T12:00", 2) == ["10-25 00:30", "10-26 01:30"]


def test_asked_between_the_two_passings_the_next_time_is_in_the_future() -> None:
    assert list_times("30 2 * * *", BERLIN, "2026-10-25T01:10", 1) == ["10-26 01:30"]


def test_what_fires_every_so_many_minutes_goes_by_real_time() -> None:
    assert list_times("*/30 * * * *", BERLIN, "2026-10-25T00:15", 4) == [
        *("10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"),
    ]
    assert list_times("*/30 * * * *", BERLIN, "2026-03-29T00:45", 2) == ["03-29 01:00", "03-29 01:30"]


def test_a_time_itself_is_not_after_itself() -> None:
    assert list_times("0 3 * * *", "UTC", "2026-01-01T03:00", 1) == ["01-02 03:00"]


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("99 * * * *", "minute can't be '99'"),
        ("0 25 * * *", "hour can't be '25'"),
        ("0 0 0 * *", "day of month can't be '0'"),
        ("0 0 * 13 *", "month can't be '13'"),
        ("0 0 * * 9", "day of week can't be '9'"),
        ("0 0 30 2 *", "day of month can't be '30'"),
        ("5-1 * * * *", "minute can't be '5-1'"),
        ("*/0 * * * *", "minute can't be"),
        ("0 3 * *", "4 fields, not five"),
        ("0 0 3 * * *", "6 fields, not five"),
        ("@daily", "not five"),
        ("", "not five"),
        ("0 0 31 2,4 *", "never fires|day of month can't be"),
        ("٣ * * * *", "minute can't be"),
    ],
    ids=lambda value: value.split()[0] if value else "empty",
)
def test_what_is_no_cron_expression_is_refused_with_the_field_that_is_wrong(cron: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        check_cron(cron)
    assert caught.value.evidence == {"field": "cron"}


@pytest.mark.parametrize("value", [None, 5, ["0", "3", "*", "*", "*"]], ids=["none", "number", "list"])
def test_what_is_no_text_is_no_cron_expression(value: object) -> None:
    with pytest.raises(InvalidInput):
        check_cron(value)  # type: ignore[arg-type]


def test_blanks_around_fields_do_not_matter() -> None:
    assert check_cron("  0   3 * *\t1-5 ") == "0 3 * * 1-5"


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "/etc/passwd", "Europe", "a\0b", None], ids=repr)
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="no time zone") as caught:
        check_timezone(name)
    assert caught.value.evidence == {"field": "timezone"}
