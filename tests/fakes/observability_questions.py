"""Questions over rows in memory, in plain Python: filters, groups, sums."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mastra_admin_sdk.adapters.observability.clickhouse.queries.conditions import Subject, split_path
from mastra_admin_sdk.adapters.observability.clickhouse.queries.errors import MESSAGE_LENGTH, REPLACEMENTS
from mastra_admin_sdk.adapters.observability.clickhouse.queries.grouping import list_group_columns
from mastra_admin_sdk.ports.observability import Grouping, Price, TelemetryFilter

Row = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def match(rows: Iterable[Row], filters: TelemetryFilter, subject: Subject) -> list[Row]:
    """Return the rows that match a filter."""
    found = match_fields(rows, filters, subject.fields)
    found = within(found, filters, subject.time)
    if filters.roots:
        found = [row for row in found if row["is_root"] or not row["parent_span_id"]]
    return search(found, filters, subject)


def match_fields(rows: Iterable[Row], filters: TelemetryFilter, fields: Mapping[str, str]) -> list[Row]:
    """Return the rows whose columns have the values that are asked for."""
    wanted = {name: getattr(filters, name) for name in fields if getattr(filters, name) is not None}
    return [row for row in rows if all(_has(row, name, fields[name], value) for name, value in wanted.items())]


def within(rows: list[Row], filters: TelemetryFilter, time: str) -> list[Row]:
    """Return the rows of a time."""
    since, until = filters.since, filters.until
    return [row for row in rows if (not since or row[time] >= since) and (not until or row[time] < until)]


def search(rows: list[Row], filters: TelemetryFilter, subject: Subject) -> list[Row]:
    """Return the rows that have a text and attributes."""
    if filters.text:
        text = filters.text.casefold()
        names = ["label" if (subject.name, name) == ("feedback", "value") else name for name in subject.texts]
        rows = [row for row in rows if any(text in str(row.get(name) or "").casefold() for name in names)]
    for path, wanted in filters.attributes.items():
        rows = [row for row in rows if _stands_at(row, subject, path, wanted)]
    return rows


def summarize_trace(spans: list[Row], prices: Sequence[Price]) -> Row:
    """Return what the spans of a trace come to."""
    root = min(spans, key=lambda row: (not row["is_root"], row["parent_span_id"] != "", row["start_time"]))
    counted = count_once(spans, spans)
    is_over = all(row["status"] != "running" for row in spans)
    start = min(row["start_time"] for row in spans)
    end = max(row["end_time"] for row in spans) if is_over else None
    names = ("trace_id", "name", "type", "status", "project_id", "deployment_id", "build_id", "entity_id")
    by_time = sorted(spans, key=lambda row: row["start_time"])
    return {
        **{name: root[name] for name in names},
        "start_time": start,
        "end_time": end,
        "duration_ms": (end - start) / timedelta(milliseconds=1) if end else None,
        "spans": len(spans),
        "errors": sum(row["status"] == "error" for row in spans),
        **{name: add(row[name] for row in counted) for name in ("input_tokens", "output_tokens")},
        "cost": add_cost(counted, prices),
        **{name: next((row[name] for row in by_time if row[name]), "") for name in ("thread_id", "resource_id")},
    }


def summarize_thread(traces: list[Row]) -> Row:
    """Return what the traces of a thread come to."""
    by_time = sorted(traces, key=lambda row: row["start_time"])
    costs = [row["cost"] for row in traces if row["input_tokens"] is not None or row["output_tokens"] is not None]
    return {
        "thread_id": by_time[0]["thread_id"],
        "resource_id": next((row["resource_id"] for row in by_time if row["resource_id"]), ""),
        "first_seen": by_time[0]["start_time"],
        "last_seen": max(row["end_time"] or row["start_time"] for row in traces),
        "traces": len(traces),
        **{name: add(row[name] for row in traces) for name in ("spans", "errors", "input_tokens", "output_tokens")},
        "cost": None if None in costs else add(costs),
        "project_id": by_time[0]["project_id"],
    }


def count_once(rows: Iterable[Row], everything: Iterable[Row]) -> list[Row]:
    """Return the rows with tokens that repeat none of those of a generation in their trace."""
    generated = {row["trace_id"] for row in everything if row["type"] == "model_generation"}
    return [
        row
        for row in rows
        if (row["type"] == "model_generation" or row["trace_id"] not in generated)
        and (row["input_tokens"] is not None or row["output_tokens"] is not None)
    ]


def group(rows: Iterable[Row], grouping: Grouping) -> dict[tuple[Any, ...], list[Row]]:
    """Return rows by what they are grouped by."""
    names = list_group_columns(grouping)
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(_find_group(name, row, grouping) for name in names), []).append(row)
    return groups


def measure_latency(rows: list[Row]) -> Row:
    """Return counts and durations."""
    durations = sorted(row["duration_ms"] for row in rows)
    errors = sum(row["status"] == "error" for row in rows)
    return {
        "count": len(rows),
        "errors": errors,
        "error_rate": errors / len(rows),
        "mean_ms": sum(durations) / len(durations),
        **{f"p{percent}_ms": _find_percentile(durations, percent / 100) for percent in (50, 95, 99)},
        "max_ms": float(durations[-1]),
    }


def measure_usage(rows: list[Row], prices: Sequence[Price]) -> Row:
    """Return tokens and cost."""
    tokens = {name: add(row[name] for row in rows) for name in ("input_tokens", "output_tokens")}
    total = sum(value or 0 for value in tokens.values())
    return {"count": len(rows), **tokens, "total_tokens": total, "cost": add_cost(rows, prices)}


def group_errors(rows: list[Row]) -> list[Row]:
    """Return kinds of errors."""
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(clean_message(row["error"]), []).append(row)
    return [_describe_kind(message, found) for message, found in kinds.items()]


def clean_message(text: str) -> str:
    """Return a message without what makes it one of a kind."""
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text, flags=re.ASCII)
    return text.strip(" ")[:MESSAGE_LENGTH]


def sort_groups(rows: list[Row], times: Sequence[str], order: str | None, measures: Mapping[str, str]) -> list[Row]:
    """Order groups as the port says; ``measures`` are what ``most`` and the like go by."""
    order = order or ("oldest" if times else "most")
    if order in measures:
        return sorted(rows, key=lambda row: -row[measures[order]])
    rows = sorted(rows, key=lambda row: -row[measures["most"]])
    return sorted(rows, key=lambda row: tuple(row[name] for name in times), reverse=order == "newest")


def add(values: Iterable[Any]) -> Any:
    """Return a sum, or None when there is nothing to add up."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def add_cost(rows: Iterable[Row], prices: Sequence[Price]) -> float | None:
    """Return what the tokens of spans cost; None when one of them has no price."""
    costs = [_find_cost(row, prices) for row in rows]
    return None if None in costs else add(costs)


def _has(row: Row, name: str, column: str, wanted: Any) -> bool:
    values = (wanted,) if isinstance(wanted, str) else wanted
    columns = ("entity_id", "entity_name") if name == "entity_id" else (column,)
    return any((row.get(each) or "") in values for each in columns)


def _stands_at(row: Row, subject: Subject, path: str, wanted: Any) -> bool:
    column, keys = split_path(path, subject.documents)
    document = json.loads(row.get(column) or "null")
    found = [_walk(document, keys), _walk(document, (".".join(keys),))]
    values = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(_is_same(value, each) for value in values for each in found)


def _walk(document: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _is_same(wanted: Any, found: Any) -> bool:
    kinds: tuple[type, ...] = (
        (bool,) if isinstance(wanted, bool) else (str,) if isinstance(wanted, str) else (int, float)
    )
    return isinstance(found, kinds) and isinstance(found, bool) is isinstance(wanted, bool) and found == wanted


def _find_group(name: str, row: Row, grouping: Grouping) -> Any:
    if name == "agent":
        return row["entity_id"] if row.get("entity_type") == "agent" else ""
    cut = _CUTS.get(name)
    if cut is None and name != "bucket":
        return row.get(name) or ""
    zone = ZoneInfo(grouping.timezone)
    local = row["start_time"].astimezone(zone)
    if cut is not None:
        return cut(local).astimezone(UTC)
    size = grouping.bucket or timedelta(1)
    if size % timedelta(days=1):
        return _EPOCH + (row["start_time"] - _EPOCH) // size * size
    days = (local.date() - _EPOCH.date()) // size * size.days
    return datetime.combine(_EPOCH.date() + timedelta(days=days), datetime.min.time(), zone).astimezone(UTC)


_CUTS: Mapping[str, Callable[[datetime], datetime]] = {
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "day": lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0),
    "week": lambda moment: (moment - timedelta(days=moment.weekday())).replace(
        hour=0, minute=0, second=0, microsecond=0
    ),
    "month": lambda moment: moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0),
}


def _find_percentile(values: Sequence[float], share: float) -> float:
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return float(values[low] + (values[high] - values[low]) * (place - low))


def _describe_kind(message: str, rows: list[Row]) -> Row:
    newest = max(rows, key=lambda row: (row["start_time"], row["span_id"]))
    return {
        "message": message,
        "count": len(rows),
        "traces": len({row["trace_id"] for row in rows}),
        "first_seen": min(row["start_time"] for row in rows),
        "last_seen": newest["start_time"],
        **{name: newest[name] for name in ("name", "type", "trace_id", "span_id", "error")},
    }


def _find_cost(row: Row, prices: Sequence[Price]) -> float | None:
    for price in prices:
        pattern = ".*".join(re.escape(part) for part in price.model.split("*"))
        names = [row.get("model") or "", f"{row.get('provider') or ''}/{row.get('model') or ''}"]
        if any(re.fullmatch(pattern, name, re.IGNORECASE) for name in names):
            tokens = (row["input_tokens"] or 0) * price.input + (row["output_tokens"] or 0) * price.output
            return float(tokens / 1_000_000)
    return None
