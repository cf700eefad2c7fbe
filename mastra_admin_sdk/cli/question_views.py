"""How answers about telemetry look in a terminal: a few columns of each, in words and short numbers (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.display.text import format_duration, relative_time

from .tables import Column, render_table

Row = Mapping[str, Any]
Cell = Callable[[Row, datetime], object]

_ID = 12


def render_answer(question: str, rows: Sequence[Row], columns: Sequence[str], now: datetime, width: int) -> list[str]:
    """Return the lines of a table.

    Parameters:
        question: such as ``spans``.
        rows: with the values of `cli.frames.iterate_records`.
        columns: all columns of the answer: those it was grouped by come first.
    """
    view = [*_list_groups(question, columns), *_VIEWS[question]]
    cells = [[make(row, now) for _, make in view] for row in rows]
    return render_table([column for column, _ in view], cells, width=width)


def _list_groups(question: str, columns: Sequence[str]) -> list[tuple[Column, Cell]]:
    if question not in {"latency", "usage"}:
        return []
    names = columns[: list(columns).index("count")]
    return [(Column(name.removesuffix("_id").upper(), shrink=name not in _TIMES), _show_group(name)) for name in names]


_TIMES = ("bucket", "hour", "day", "week", "month")


def _show_group(name: str) -> Cell:
    if name not in _TIMES:
        return lambda row, _: row[name]
    form = "%Y-%m-%d %H:%M" if name in {"bucket", "hour", "day"} else "%Y-%m-%d"
    return lambda row, _: f"{datetime.fromisoformat(row[name]):{form}}"


def _show_age(name: str) -> Cell:
    return lambda row, now: relative_time(datetime.fromisoformat(row[name]), now) if row[name] else None


def _show(name: str) -> Cell:
    return lambda row, _: row[name]


def _show_id(name: str) -> Cell:
    return lambda row, _: (row[name] or "")[:_ID]


def _show_ms(name: str) -> Cell:
    return lambda row, _: format_duration(row[name] / 1000) if row[name] is not None else None


def _show_count(name: str) -> Cell:
    return lambda row, _: f"{row[name]:,}" if row[name] is not None else None


def _show_number(name: str) -> Cell:
    return lambda row, _: _write_number(row[name]) if row[name] is not None else None


def _write_number(value: float) -> str:
    return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) >= 0.001 or not value else f"{value:.3g}"


def _show_cost(row: Row, _: datetime) -> object:
    cost = row["cost"]
    return None if cost is None else f"{cost:,.2f}" if cost >= 1 or not cost else f"{cost:.2g}"


def _show_tokens(row: Row, _: datetime) -> object:
    tokens = (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
    return f"{tokens:,}" if tokens else None


_VIEWS: Mapping[str, Sequence[tuple[Column, Cell]]] = {
    "spans": (
        (Column("WHEN"), _show_age("start_time")),
        (Column("NAME", shrink=True), _show("name")),
        (Column("TYPE", shrink=True), _show("type")),
        (Column("STATUS", state=True), _show("status")),
        (Column("TOOK", right=True), _show_ms("duration_ms")),
        (Column("TOKENS", right=True), _show_tokens),
        (Column("TRACE"), _show_id("trace_id")),
    ),
    "logs": (
        (Column("WHEN"), _show_age("timestamp")),
        (Column("LEVEL", state=True), _show("level")),
        (Column("MESSAGE", shrink=True), _show("message")),
        (Column("TRACE"), _show_id("trace_id")),
    ),
    "metrics": (
        (Column("WHEN"), _show_age("timestamp")),
        (Column("NAME", shrink=True), _show("name")),
        (Column("VALUE", right=True), _show_number("value")),
        (Column("MODEL", shrink=True), _show("model")),
        (Column("TRACE"), _show_id("trace_id")),
    ),
    "scores": (
        (Column("WHEN"), _show_age("timestamp")),
        (Column("NAME", shrink=True), _show("name")),
        (Column("SCORE", right=True), _show_number("score")),
        (Column("REASON", shrink=True), _show("reason")),
        (Column("BY", shrink=True), _show("author")),
        (Column("TRACE"), _show_id("trace_id")),
    ),
    "feedback": (
        (Column("WHEN"), _show_age("timestamp")),
        (Column("NAME", shrink=True), _show("name")),
        (Column("VALUE", shrink=True), _show("label")),
        (Column("COMMENT", shrink=True), _show("comment")),
        (Column("BY", shrink=True), _show("author")),
        (Column("TRACE"), _show_id("trace_id")),
    ),
    "latency": (
        (Column("COUNT", right=True), _show_count("count")),
        (Column("ERRORS", right=True), lambda row, _: f"{row['error_rate']:.1%}" if row["errors"] else None),
        (Column("P50", right=True), _show_ms("p50_ms")),
        (Column("P95", right=True), _show_ms("p95_ms")),
        (Column("P99", right=True), _show_ms("p99_ms")),
        (Column("MAX", right=True), _show_ms("max_ms")),
    ),
    "usage": (
        (Column("COUNT", right=True), _show_count("count")),
        (Column("INPUT", right=True), _show_count("input_tokens")),
        (Column("OUTPUT", right=True), _show_count("output_tokens")),
        (Column("TOTAL", right=True), _show_count("total_tokens")),
        (Column("COST", right=True), _show_cost),
    ),
    "errors": (
        (Column("COUNT", right=True), _show_count("count")),
        (Column("TRACES", right=True), _show_count("traces")),
        (Column("LAST"), _show_age("last_seen")),
        (Column("MESSAGE", shrink=True), _show("message")),
        (Column("EXAMPLE"), _show_id("trace_id")),
    ),
    "threads": (
        (Column("THREAD", shrink=True), _show("thread_id")),
        (Column("USER", shrink=True), _show("resource_id")),
        (Column("LAST"), _show_age("last_seen")),
        (Column("TRACES", right=True), _show_count("traces")),
        (Column("ERRORS", right=True), _show_count("errors")),
        (Column("TOKENS", right=True), _show_tokens),
        (Column("COST", right=True), _show_cost),
    ),
}
