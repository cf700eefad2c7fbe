"""Groups: columns, and times cut to buckets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.columns import BUCKET, GROUPS, PERIODS
from mastra_admin_sdk.ports.observability import Grouping, TelemetryFilter

from .selections import check_name, find_order

_DAY = timedelta(days=1)
_CUTS = {
    "hour": "toStartOfHour({time}, {{timezone:String}})",
    "day": "toStartOfDay({time}, {{timezone:String}})",
    "week": "toStartOfWeek({time}, 1, {{timezone:String}})",
    "month": "toStartOfMonth({time}, {{timezone:String}})",
}


@dataclass(frozen=True, slots=True)
class Groups:
    """A grouping as SQL: names of its columns, what each is made of, and the values in there."""

    names: tuple[str, ...]
    expressions: Mapping[str, str]
    values: Mapping[str, Any]

    @property
    def times(self) -> tuple[str, ...]:
        """Return the columns that are times."""
        return tuple(name for name in self.names if name in {BUCKET, *PERIODS})

    @property
    def selected(self) -> str:
        """Return ``expression AS name`` for each column."""
        return ", ".join(f"{self.expressions[name]} AS {name}" for name in self.names)


def make_groups(grouping: Grouping, time: str) -> Groups:
    """Return a grouping of rows with a time in some column.

    Raises:
        InvalidInput: there is no such group, bucket or time zone.
    """
    names = list_group_columns(grouping)
    expressions = {name: _make_expression(name, grouping, time) for name in names}
    needs_zone = any("{timezone:" in expression for expression in expressions.values())
    values = {"timezone": check_timezone(grouping.timezone)} if needs_zone else {}
    return Groups(names, expressions, values)


def list_group_columns(grouping: Grouping) -> tuple[str, ...]:
    """Return the names of the columns of a grouping, in the order they stand in."""
    for name in grouping.by:
        check_name("group", name, GROUPS)
    return tuple(dict.fromkeys([*([BUCKET] if grouping.bucket is not None else []), *grouping.by]))


def order_groups(filters: TelemetryFilter, groups: Groups, more: Mapping[str, str]) -> str:
    """Return the order of groups: by time where they have one, else the largest first.

    Parameters:
        more: orders by what was measured; the first is ``most``.
    """
    by_time = {
        order: ", ".join([*(f"{name} {direction}" for name in groups.times), more["most"]])
        for order, direction in (("oldest", "ASC"), ("newest", "DESC"))
        if groups.times
    }
    order = find_order(filters, {**by_time, **more})
    return ", ".join([order, *(name for name in groups.names if name not in groups.times)])


def check_timezone(name: str) -> str:
    """Return the name of a time zone; `InvalidInput` when there is none of that name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise InvalidInput(f"There is no time zone {name!r}.", hint='Give an IANA name: "Europe/Berlin".') from exc
    return name


def _make_expression(name: str, grouping: Grouping, time: str) -> str:
    if name == "agent":
        return "if(entity_type = 'agent', entity_id, '')"
    if name in _CUTS:
        return _to_time(_CUTS[name].format(time=time))
    if name != BUCKET or grouping.bucket is None:
        return name
    milliseconds = round(grouping.bucket / timedelta(milliseconds=1))
    if milliseconds < 1:
        raise InvalidInput(f"A bucket of {grouping.bucket} is no length of time.", hint='Give one such as "5m".')
    if grouping.bucket % _DAY:
        whole = f"intDiv(toUnixTimestamp64Milli({time}), {milliseconds}) * {milliseconds}"
        return f"fromUnixTimestamp64Milli({whole}, 'UTC')"
    days = grouping.bucket // _DAY
    return _to_time(f"toStartOfInterval({time}, INTERVAL {days} DAY, {{timezone:String}})")


def _to_time(expression: str) -> str:
    # Weeks and months are dates: their midnight is that of the time zone.
    return f"toTimeZone(toDateTime64({expression}, 3, {{timezone:String}}), 'UTC')"
