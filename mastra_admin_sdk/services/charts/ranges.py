"""The time of a chart: from when to when, in steps of which length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mastra_admin_sdk.display.charts.moments import MOST_MOMENTS, choose_step, list_moments
from mastra_admin_sdk.display.charts.timelines import Axis
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import utc_now
from mastra_admin_sdk.services.telemetry.asking import EVERYTHING
from mastra_admin_sdk.services.telemetry.moments import parse_length, parse_moment

_DEFAULT = timedelta(hours=24)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Range:
    """A range of time in steps; without ``since`` it begins with what is there."""

    since: datetime | None
    until: datetime
    step: timedelta
    timezone: str

    @property
    def filters(self) -> dict[str, Any]:
        """The same as filters of a question."""
        return {
            "since": self.since or EVERYTHING,
            "until": self.until,
            "bucket": self.step,
            "timezone": self.timezone,
            "limit": None,
            "order": "oldest",
        }

    def make_axis(self, found: list[datetime]) -> Axis:
        """Return the axis for an answer with these times."""
        since = self.since or min(found, default=self.until - self.step)
        moments = list_moments(since, self.until, self.step, self.timezone)
        return Axis(tuple(moments), self.step, self.timezone).widen(found)


def read_range(
    filters: Mapping[str, Any], bucket: str | timedelta | None, timezone: str, *, now: datetime | None = None
) -> Range:
    """Return the range that filters ask for: the last 24 hours unless they say otherwise.

    Raises:
        InvalidInput: a time, the bucket or the time zone is none, or the steps are too many to be seen.
    """
    _check_timezone(timezone)
    until = parse_moment(filters["until"]) if filters.get("until") is not None else now or utc_now()
    wanted = filters.get("since")
    since = None if wanted == EVERYTHING else parse_moment(wanted) if wanted is not None else until - _DEFAULT
    if since is not None and since >= until:
        raise InvalidInput(f"The time ends ({until.isoformat()}) before it begins ({since.isoformat()}).")
    step = parse_length(bucket) if bucket is not None else choose_step(until - since) if since else _DAY
    if since is not None and (until - since) / step > MOST_MOMENTS:
        raise InvalidInput("So many steps can't be drawn.", hint="Ask for a shorter time, or for a longer bucket.")
    return Range(since, until, step, timezone)


def _check_timezone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise InvalidInput(f"There is no time zone {name!r}.", hint='Give an IANA name: "Europe/Berlin".') from exc
