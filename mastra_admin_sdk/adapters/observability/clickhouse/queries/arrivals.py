"""What arrives, in the order it was stored: spans that have ended, and log lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import Cursor, TelemetryFilter

from .conditions import SPANS, Conditions, Subject, format_time, match
from .lists import select_columns
from .selections import make_statement, pick_columns

STORED_AT, HASH = "key_stored_at", "key_hash"
"""The columns of an answer that say where a row stands."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OVERLAP_MS = 5_000
"""Two writers may store in another order than they began: what was stored so shortly before is looked at again."""


def build_arrivals(subject: Subject, filters: TelemetryFilter, after: Cursor) -> Statement:
    """Return what was stored after a cursor, in the order it was."""
    if filters.order is not None:
        raise InvalidInput(f"What arrives has the order in which it does, not {filters.order!r}.")
    if subject is SPANS and filters.status is not None and "running" in _listed(filters.status):
        raise InvalidInput("Spans are followed when they have ended.", hint='Follow them with status "ok" or "error".')
    columns = pick_columns(filters, subject.columns)
    conditions = match(subject, filters) + _come_after(subject, after)
    keys = f"toUnixTimestamp64Milli(stored_at) AS {STORED_AT}, reinterpretAsInt64({_hash(subject)}) AS {HASH}"
    time = "end_time" if subject is SPANS else subject.time
    limit = "" if filters.limit is None else f" LIMIT {int(filters.limit)}"
    sql = (
        f"SELECT {select_columns(subject, columns)}, {keys} FROM {subject.table}{conditions.where} "
        f"ORDER BY stored_at, {time}, {', '.join(subject.key)}{limit}"
    )
    return make_statement(sql, conditions.values)


def build_newest_arrival(subject: Subject) -> Statement:
    """Return when something was stored last, and what was stored shortly before."""
    sql = (
        f"SELECT toUnixTimestamp64Milli(stored_at) AS {STORED_AT}, reinterpretAsInt64({_hash(subject)}) AS {HASH} "
        f"FROM {subject.table} WHERE stored_at >= "
        f"(SELECT max(stored_at) - INTERVAL {_OVERLAP_MS} MILLISECOND FROM {subject.table}) "
        "AND stored_at > toDateTime64(0, 3, 'UTC') ORDER BY stored_at"
    )
    return make_statement(sql, {})


def read_cursor(after: Cursor, rows: list[tuple[int, int]]) -> Cursor:
    """Return the cursor behind rows: when each was stored, and its hash; in this order."""
    if not rows:
        return after
    newest = max([rows[-1][0], *after.position])
    seen = {**after.seen, **{key: stored_at for stored_at, key in rows}}
    return Cursor((newest,), {key: at for key, at in seen.items() if at >= newest - _OVERLAP_MS})


def _come_after(subject: Subject, after: Cursor) -> Conditions:
    if not after.position:
        return Conditions()
    # Rows that were stored before their time was kept have none, which is 0.
    since = format_time(_EPOCH + timedelta(milliseconds=max(0 if after.seen else 1, after.position[0] - _OVERLAP_MS)))
    values: dict[str, Any] = {"stored": since, "seen": list(after.seen)}
    parts = (
        "stored_at >= {stored:DateTime64(3, 'UTC')}",
        f"reinterpretAsInt64({_hash(subject)}) NOT IN {{seen:Array(Int64)}}",
    )
    return Conditions(parts, values)


def _hash(subject: Subject) -> str:
    return f"cityHash64({', '.join(subject.key)})"


def _listed(values: str | tuple[str, ...]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else values
