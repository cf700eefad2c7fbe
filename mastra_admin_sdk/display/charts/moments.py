"""The time axis of a chart: how long its steps are, when they begin, and how they are written (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_STEPS = 64
MOST_MOMENTS = 5000
"""Steps that a chart has at most, whatever is asked for."""

STEPS: tuple[timedelta, ...] = (
    *(timedelta(seconds=seconds) for seconds in (1, 5, 10, 30)),
    *(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12)),
    *(timedelta(days=days) for days in (1, 2, 7, 30, 90)),
)


def choose_step(length: timedelta) -> timedelta:
    """Return the length of the steps for some length of time: the shortest round one that makes no crowd of them."""
    return next((step for step in STEPS if length / step <= _MOST_STEPS), STEPS[-1])


def list_moments(since: datetime, until: datetime, step: timedelta, timezone: str) -> list[datetime]:
    """Return when the steps between two times begin, in UTC, the first at or before ``since``.

    Steps of whole days begin at midnight in the time zone, others at multiples of their length.
    """
    if step % _DAY:
        first = _EPOCH + (since - _EPOCH) // step * step
        count = min(-((first - until) // step), MOST_MOMENTS)
        return [first + number * step for number in range(count)]
    zone, days = ZoneInfo(timezone), step // _DAY
    first_day = (since.astimezone(zone).date() - _EPOCH.date()).days // days * days
    last_day = ((until - timedelta(milliseconds=1)).astimezone(zone).date() - _EPOCH.date()).days
    return [_find_midnight(day, zone) for day in range(first_day, last_day + 1, days)][:MOST_MOMENTS]


def merge_moments(planned: Iterable[datetime], found: Iterable[datetime]) -> list[datetime]:
    """Return the steps that were planned and those that an answer has, each once, in their order."""
    return sorted({*planned, *found})


def to_axis(moments: Iterable[datetime], timezone: str) -> list[str]:
    """Return times as Plotly's axes take them: as clocks in a time zone show them. Plotly itself knows no zones."""
    zone = ZoneInfo(timezone)
    return [moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="milliseconds") for moment in moments]


def write_moments(moments: Sequence[datetime], step: timedelta, timezone: str) -> list[str]:
    """Return times for people, as exact as the steps are; the zone tells the hours that come twice a year apart."""
    zone = ZoneInfo(timezone)
    form = "%Y-%m-%d" if step % _DAY == timedelta(0) else "%Y-%m-%d %H:%M %Z"
    form = form if step >= timedelta(minutes=1) else "%Y-%m-%d %H:%M:%S %Z"
    return [moment.astimezone(zone).strftime(form) for moment in moments]


def _find_midnight(day: int, zone: ZoneInfo) -> datetime:
    when: date = _EPOCH.date() + timedelta(days=day)
    return datetime(when.year, when.month, when.day, tzinfo=zone).astimezone(UTC)
