"""Cron expressions: checked, and when they fire next. Pure functions.

At changes of the clock they do what Debian's cron does: a job at a fixed time that the change skips fires right after
it, one whose time comes twice fires once; a job that fires every so many minutes or hours goes by the real time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mastra_admin_sdk.errors import InvalidInput

_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
_HINT = 'Write minute, hour, day of month, month and day of week, such as "0 3 * * *" for every night at three.'


def check_cron(cron: str) -> str:
    """Return a cron expression of five fields with single blanks between them.

    Raises:
        InvalidInput: it is none, with the field that is wrong in the message, or it never fires.
    """
    from cronsim import CronSim, CronSimError

    parts = cron.split() if isinstance(cron, str) else []
    if len(parts) != len(_FIELDS):
        raise _refuse(cron, f"it has {len(parts)} fields, not five")
    clean = " ".join(parts)
    try:
        next(CronSim(clean, datetime(2024, 1, 1)))  # whether it fires at all is the same in every zone
    except CronSimError as exc:
        raise _refuse(cron, _explain(str(exc), parts)) from exc
    except StopIteration as exc:
        raise _refuse(cron, "it never fires: there is no such day") from exc
    except Exception as exc:
        # The parser of the library asserts its way through what it doesn't expect; all of that is a bad expression.
        raise _refuse(cron, "it can't be read") from exc
    return clean


def check_timezone(name: str) -> str:
    """Return the name of a time zone, or raise `InvalidInput` when there is none of that name."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as exc:
        raise InvalidInput(
            f"There is no time zone {name!r}.",
            hint="Give an IANA name such as Europe/Berlin, America/New_York or UTC.",
            evidence={"field": "timezone"},
        ) from exc


def find_next(cron: str, timezone: str, after: datetime) -> datetime:
    """Return the first time after ``after`` at which an expression fires, in UTC.

    Raises:
        InvalidInput: the expression or the zone is none, or it never fires again.
    """
    from cronsim import CronSim

    clean, zone = check_cron(cron), ZoneInfo(check_timezone(timezone))
    for moment in CronSim(clean, after.astimezone(zone)):
        # Within the hour that comes twice the library answers with its first passing, which may be over.
        if moment.astimezone(UTC) > after:
            return moment.astimezone(UTC)
    raise _refuse(cron, "it never fires again")


def _explain(message: str, parts: list[str]) -> str:
    """Name the field that is wrong and what stands in it; the library says ``Bad minute``."""
    name = message.removeprefix("Bad ")
    if name not in _FIELDS:
        return message
    return f"its {name.replace('-', ' ')} can't be {parts[_FIELDS.index(name)]!r}"


def _refuse(cron: object, reason: str) -> InvalidInput:
    return InvalidInput(f"{cron!r} is no cron expression: {reason}.", hint=_HINT, evidence={"field": "cron"})
