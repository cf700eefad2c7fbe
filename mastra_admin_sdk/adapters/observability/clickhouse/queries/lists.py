"""Lists with a row for each thing that is stored: spans, log lines, metric points, scores, feedback, rejects.

A list is cut in two steps: first the columns that it is ordered and filtered by say where the cut is, then all columns
are read of the rows before it. A long list comes in pages, each of which begins behind the last row of the one before
(keyset), never at an offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mastra_admin_sdk.adapters.observability.clickhouse.frames import TRAVELLING
from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import REJECT_COLUMNS, TelemetryFilter

from .conditions import FINISHED, RUNNING, SPANS, Conditions, Subject, format_time, match, match_fields, match_time
from .selections import find_order, list_expressions, make_statement, pick_columns

COUNT_REJECTS = "SELECT count() AS lines FROM mastra_admin_rejects"
"""Counts the lines that became no row."""

TIME_ORDERS = {"newest": "DESC", "oldest": "ASC"}
KEY = "key_"
"""Begins the names of the columns of a page that say where a row stands."""

_OPEN = "(SELECT count() FROM mastra_admin_spans_open)"
NO_DURATION = -1_000_000_000_000
ALL_TOKENS = "ifNull(input_tokens, 0) + ifNull(output_tokens, 0)"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FARTHEST = 10**14
"""In milliseconds it is the year 5138."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: at most some rows, or all, behind a row with some key, or from the beginning."""

    rows: int | None
    after: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """By what a list is ordered, and in which direction: its first key; the others tell rows apart.

    ``columns`` are those that its expression needs; without any it is a time, which travels as milliseconds.
    """

    expression: str
    direction: str
    columns: tuple[str, ...] = ()

    @property
    def is_by_time(self) -> bool:
        """True when it is a time."""
        return not self.columns


def build_list(
    subject: Subject, filters: TelemetryFilter, *, running: bool = True, page: Page | None = None
) -> Statement:
    """Return the rows that match; with one more than the limit, which tells whether there are more.

    Parameters:
        running: False when there are no running spans at the moment, which saves looking for them.
        page: which part is wanted, instead of what the filter says.

    An answer with a limit has the columns `KEY` besides.
    """
    columns = pick_columns(filters, subject.columns)
    order = find_list_order(subject, filters)
    page = page or find_page(filters)
    conditions = match(subject, filters) + come_after(order, subject.key, page.after)
    rows = page.rows
    tables = list_sources(filters.status, running) if subject is SPANS else (subject.table,)
    selected = select_columns(subject, columns) + (f", {select_keys(order, subject.key)}" if rows is not None else "")
    tail = f" ORDER BY {', '.join([f'{order.expression} {order.direction}', *subject.key])}"
    if rows is not None:
        tail += f" LIMIT {rows}"
    needed = _name_needed(subject, columns, order)
    parts = [f"SELECT {needed} FROM {table}{_cut(conditions, order, table, rows).where}{tail}" for table in tables]
    if len(parts) > 1:
        parts = [f"SELECT * FROM ({part})" for part in parts]
    return make_statement(f"SELECT {selected} FROM ({' UNION ALL '.join(parts)}){tail}", conditions.values)


def build_count(subject: Subject, filters: TelemetryFilter, *, running: bool = True) -> Statement:
    """Return how many rows match."""
    conditions = match(subject, filters)
    tables = list_sources(filters.status, running) if subject is SPANS else (subject.table,)
    counts = [f"(SELECT count() FROM {table}{conditions.where})" for table in tables]
    return make_statement(f"SELECT {' + '.join(counts)} AS rows", conditions.values)


def build_rejects(limit: int) -> Statement:
    """Return the lines that became no row, newest first."""
    order = "time DESC, path, position"
    sql = f"SELECT {list_expressions(REJECT_COLUMNS)} FROM mastra_admin_rejects ORDER BY {order} LIMIT {int(limit)}"
    return make_statement(sql, {})


def build_open_count() -> Statement:
    """Return how many spans are open, or were when they were last tidied up."""
    return make_statement(f"SELECT {_OPEN} AS open", {})


def build_look_around(filters: TelemetryFilter) -> Statement:
    """Return the same, and how many finished spans match: one question instead of two."""
    conditions = match(SPANS, filters)
    finished = f"(SELECT count() FROM {FINISHED}{conditions.where})"
    return make_statement(f"SELECT {_OPEN} AS open, {finished} AS rows", conditions.values)


def build_newest(filters: TelemetryFilter, rows: int) -> Statement:
    """Return when the newest ended spans began, ``rows`` at most, and how many they are: ``begin`` and ``rows``.

    Only whose they are counts, and the time: what has to be looked for in long texts is looked for there first.
    """
    order = Order(SPANS.time, "DESC")
    owners = {name: SPANS.fields[name] for name in ("project_id", "deployment_ids", "build_id", "trace_id")}
    conditions = match_fields(owners, filters) + match_time(filters, SPANS.time)
    if filters.after:
        conditions += come_after(order, (), filters.after[:1])
    newest = f"SELECT start_time FROM {FINISHED}{conditions.where} ORDER BY start_time DESC LIMIT {rows:d}"
    sql = f"SELECT toUnixTimestamp64Milli(min(start_time)) AS begin, count() AS rows FROM ({newest})"
    return make_statement(sql, conditions.values)


def list_sources(status: str | tuple[str, ...] | None, running: bool) -> tuple[str, ...]:
    """Return the tables in which spans of some status are."""
    wanted = (status,) if isinstance(status, str) else status
    has_running = running if wanted is None else "running" in wanted
    has_finished = wanted is None or any(each != "running" for each in wanted)
    return (*((FINISHED,) if has_finished else ()), *((RUNNING,) if has_running else ())) or (FINISHED,)


def find_list_order(subject: Subject, filters: TelemetryFilter) -> Order:
    """Return the order of a list; `InvalidInput` when it doesn't know the one that is asked for."""
    orders = {name: Order(subject.time, direction) for name, direction in TIME_ORDERS.items()}
    if subject is SPANS:
        # Spans that run come behind all that have ended.
        orders["slowest"] = Order(f"ifNull(duration_ms, {NO_DURATION})", "DESC", ("duration_ms",))
        orders["tokens"] = Order(ALL_TOKENS, "DESC", ("input_tokens", "output_tokens"))
    return find_order(filters, orders)


def select_columns(subject: Subject, columns: Sequence[str]) -> str:
    """Return what to select for columns of a list; some of scores and feedback aren't stored under their names."""
    stored = {"author": "JSONExtractString(data, 'author') AS author"} if subject.is_revised else {}
    if subject.name == "feedback":
        stored |= {"label": "value AS label", "value": f"toFloat64OrNull(value) AS value{TRAVELLING}"}
    return ", ".join(stored.get(name) or list_expressions([name]) for name in columns)


def _name_needed(subject: Subject, columns: Sequence[str], order: Order) -> str:
    names = {"author": "data", **({"label": "value"} if subject.name == "feedback" else {})}
    stored = [names.get(name, name) for name in columns]
    return ", ".join(dict.fromkeys([*stored, subject.time, *order.columns, *subject.key]))


def find_page(filters: TelemetryFilter) -> Page:
    """Return the part of a list that a filter asks for, with one row more: it tells whether there is more."""
    return Page(None if filters.limit is None else filters.limit + 1, filters.after or ())


def select_keys(order: Order, key: Sequence[str]) -> str:
    """Return the columns `KEY`: where each row stands."""
    first = f"toUnixTimestamp64Milli({order.expression})" if order.is_by_time else order.expression
    return ", ".join(f"{part} AS {KEY}{place}" for place, part in enumerate([first, *key]))


def come_after(order: Order, key: Sequence[str], after: Sequence[Any]) -> Conditions:
    """Return the condition that rows stand behind a place.

    Raises:
        InvalidInput: it is no place of a list like this.
    """
    if not after:
        return Conditions()
    first, *others = after
    is_place = isinstance(first, int) and abs(first) < _FARTHEST and all(isinstance(part, str) for part in others)
    if not is_place or len(others) != len(key):
        raise InvalidInput("This is no place in such a list.", hint="Give the one of an answer in the same order.")
    kind = "DateTime64(3, 'UTC')" if order.is_by_time else "Int64"
    value = format_time(EPOCH + timedelta(milliseconds=first)) if order.is_by_time else first
    names = [f"after_{place}" for place in range(1, len(others) + 1)]
    behind = "<" if order.direction == "DESC" else ">"
    if not key:
        return Conditions((f"{order.expression} {behind}= {{after_0:{kind}}}",), {"after_0": value})
    keys = ", ".join(key)
    wanted = ", ".join(f"{{{name}:String}}" for name in names)
    mark = f"{{after_0:{kind}}}"
    # The first one says the same for whole granules, by the primary key.
    parts = (
        f"{order.expression} {behind}= {mark}",
        f"({order.expression} {behind} {mark} OR ({keys}) > ({wanted}))",
    )
    return Conditions(parts, {"after_0": value, **dict(zip(names, others, strict=True))})


def _cut(conditions: Conditions, order: Order, table: str, rows: int | None) -> Conditions:
    """Add the condition that a row isn't behind the last one that is wanted."""
    if rows is None:
        return conditions
    edge, bound = ("min", ">=") if order.direction == "DESC" else ("max", "<=")
    ordered = f"SELECT {order.expression} AS k FROM {table}{conditions.where} ORDER BY k {order.direction} LIMIT {rows}"
    return conditions + Conditions((f"{order.expression} {bound} (SELECT {edge}(k) FROM ({ordered}))",))
