"""What was used, for the page ``/usage``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from mastra_admin_sdk.display.charts.units import Unit, count_things, measure_money, measure_share, measure_time

if TYPE_CHECKING:
    import pandas as pd

RANGES: Mapping[str, str] = {
    "1h": "Last hour",
    "6h": "Last 6 hours",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
}
SPLITS: Mapping[str, str] = {
    "model": "Model",
    "agent": "Agent",
    "project": "Project",
    "deployment": "Deployment",
    "day": "Day",
}
LONGEST_TABLE = 100


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A row of the table, or the sums above it, as people read them."""

    label: str
    url: str | None
    requests: str
    errors: str
    error_rate: str
    p50: str
    p95: str
    input_tokens: str
    output_tokens: str
    tokens: str
    cost: str
    has_errors: bool
    is_empty: bool


def describe_usage(
    frame: pd.DataFrame, by: str | None, *, timezone: str = "UTC", link: Callable[[str], str | None] = lambda _: None
) -> Sequence[UsageRow]:
    """Return the rows of a summary (``admin.charts.summary``).

    Parameters:
        link: the address for a group, by the id or name that it has.
    """
    money = measure_money(str(frame.attrs.get("currency") or "USD"))
    return [_describe(row, by, money, timezone, link) for row in frame.to_dict("records")]


def _describe(
    row: Mapping[Any, Any], by: str | None, money: Unit, timezone: str, link: Callable[[str], str | None]
) -> UsageRow:
    counts = count_things("")
    key = "" if by is None else str(row.get(f"{by}_id") or row[by])
    return UsageRow(
        label="" if by is None else _name(row[by], by, timezone),
        url=link(key) if key and by != "day" else None,
        requests=counts.format(_read(row, "count")),
        errors=counts.format(_read(row, "errors")),
        error_rate=measure_share("").format(_read(row, "error_rate")),
        p50=measure_time([]).format(_read(row, "p50_ms")),
        p95=measure_time([]).format(_read(row, "p95_ms")),
        input_tokens=counts.format(_read(row, "input_tokens")),
        output_tokens=counts.format(_read(row, "output_tokens")),
        tokens=counts.format(_read(row, "total_tokens")),
        cost=money.format(_read(row, "cost")),
        has_errors=bool(_read(row, "errors")),
        is_empty=not _read(row, "count") and not _read(row, "total_tokens"),
    )


def _name(value: Any, by: str, timezone: str) -> str:
    if by != "day":
        return str(value) or f"no {by}"
    # A day begins at midnight, which a change of clocks may move by an hour.
    return f"{(value + timedelta(hours=2)).astimezone(ZoneInfo(timezone)):%Y-%m-%d}"


def _read(row: Mapping[Any, Any], name: str) -> float | None:
    value = row[name]
    return None if value is None or value != value else float(value)
