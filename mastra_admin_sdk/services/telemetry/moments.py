"""Times as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import utc_now

Moment = str | date | timedelta
"""A time: an aware datetime or pandas Timestamp, an ISO text, a date, or an age: ``"90s"``, ``"1h"``, a timedelta."""

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME_HINT = 'Give an age such as "30m", "24h" or "7d", a date, or an ISO time with its zone.'
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_moment(moment: Moment) -> datetime:
    """Return an aware UTC datetime; a date alone is its midnight in UTC.

    A datetime without a time zone, or text like ``"1 hour"``, is refused.

    Example:
        >>> parse_moment("1h") < utc_now()
        True
    """
    try:
        return _read_moment(moment)
    except (ValueError, OverflowError) as exc:  # no calendar goes that far
        raise InvalidInput(f"{moment!r} is no time.", hint=_TIME_HINT) from exc


def parse_length(length: str | timedelta) -> timedelta:
    """Return a length of time, such as ``"5m"``; `InvalidInput` when it is none, or not positive."""
    found = length if isinstance(length, timedelta) else None
    if isinstance(length, str) and (match := _AGE.fullmatch(length.strip())):
        try:
            found = timedelta(seconds=float(match[1]) * _UNITS[match[2]])
        except OverflowError:
            found = None
    if found is None or found < timedelta(milliseconds=1):
        raise InvalidInput(f"{length!r} is no length of time.", hint='Give one such as "30s", "5m", "1h" or "1d".')
    return found


def _read_moment(moment: object) -> datetime:
    if isinstance(moment, timedelta):
        return utc_now() - moment
    if isinstance(moment, datetime):
        return _check_aware(moment)
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    if not isinstance(moment, str):
        raise InvalidInput(f"{moment!r} is no time.", hint=_TIME_HINT)
    if _DATE.fullmatch(moment.strip()):
        moment = f"{moment.strip()}T00:00:00+00:00"
    if match := _AGE.fullmatch(moment.strip()):
        return utc_now() - timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    return _check_aware(datetime.fromisoformat(moment))


def _check_aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidInput(
            f"The time {moment.isoformat()} has no time zone.", hint="Add one, such as datetime(…, tzinfo=UTC) or …Z."
        )
    return moment.astimezone(UTC)
