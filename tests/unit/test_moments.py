"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.telemetry.service import parse_moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1h", 3600), ("1.5 h", 5400), ("7d", 604800), ("250ms", 0.25)],
)
def test_ages_count_back_from_now(text: str, seconds: float) -> None:
    assert abs((datetime.now(UTC) - parse_moment(text)).total_seconds() - seconds) < 5


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("2026-01-02T03:04:05Z", id="iso-text"),
        pytest.param(datetime(2026, 1, 2, 4, 4, 5, tzinfo=timezone(timedelta(hours=1))), id="other-zone"),
        pytest.param(pd.Timestamp("2026-01-02T03:04:05", tz="UTC"), id="pandas"),
    ],
)
def test_moments_become_utc(moment: object) -> None:
    assert parse_moment(moment) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "moment", ["yesterday", "1 fortnight", "", datetime(2026, 1, 2), "2026-01-02T03:04:05"], ids=str
)
def test_what_is_no_time_or_has_no_zone_is_refused(moment: object) -> None:
    with pytest.raises(InvalidInput):
        parse_moment(moment)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(f"{'9' * 30}d", id="an age in text"),
        pytest.param("3000000d", id="before the first year"),
        pytest.param(timedelta.max, id="a timedelta"),
        pytest.param(datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), id="a first day that is none in UTC"),
    ],
)
def test_what_lies_outside_of_all_calendars_is_refused(moment: object) -> None:
    with pytest.raises(InvalidInput, match="is no time"):
        parse_moment(moment)  # type: ignore[arg-type]
