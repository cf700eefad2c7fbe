"""Questions as SQL: pure functions from a filter to a statement with placeholders."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import (
    LOG_COLUMNS,
    METRIC_COLUMNS,
    REJECT_COLUMNS,
    SCORE_COLUMNS,
    SPAN_COLUMNS,
    TRACE_COLUMNS,
    TelemetryFilter,
)

from .frames import TRAVELLING, Dtype, find_dtype
from .parameters import Statement

FINISHED = "mastra_admin_spans_finished"
RUNNING = "mastra_admin_spans_running"
_TRACE_MARGIN = timedelta(days=1)
"""How long a trace may take and still be whole in a list that begins in the middle of it."""

_COMMON = ("project_id", "deployment_ids", "build_id", "trace_id")
_SPAN_FILTERS = (*_COMMON, "type", "status", "name", "thread_id", "resource_id")
_LISTS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...], str]] = {
    "logs": ("mastra_admin_logs", LOG_COLUMNS, (*_COMMON, "level"), "message"),
    "metrics": ("mastra_admin_metrics", METRIC_COLUMNS, (*_COMMON, "name"), "name"),
    "scores": ("mastra_admin_scores", SCORE_COLUMNS, (*_COMMON, "name"), "reason"),
}
_ORDERS = {"newest": "DESC", "oldest": "ASC"}


def build_spans(filters: TelemetryFilter, *, running: bool = True) -> Statement:
    """Return the spans that match: finished ones and running ones, each side cut before they are put together.

    Parameters:
        running: False when there are no running spans at the moment, which saves looking for them.
    """
    columns = pick_columns(filters, SPAN_COLUMNS)
    _refuse_unknown(filters, {*_SPAN_FILTERS, "text"}, "spans")
    order = _find_order(filters, {**_ORDERS, "slowest": "duration_ms DESC"}, "start_time")
    where = [*_match(filters, _SPAN_FILTERS), *_between(filters, "start_time")]
    if filters.text:
        fields = ("name", "input", "output", "error")
        where.append(
            "(" + " OR ".join(f"positionCaseInsensitiveUTF8({name}, {{text:String}}) > 0" for name in fields) + ")"
        )
    needed = ", ".join(dict.fromkeys([*columns, "start_time", "duration_ms", "span_id"]))
    tail = f"ORDER BY {order}{_limit(filters)}"
    parts = [
        f"SELECT * FROM (SELECT {needed} FROM {table}{_where(where)} {tail})"
        for table in _list_sources(filters.status, running)
    ]
    source = " UNION ALL ".join(parts)
    sql = f"SELECT {list_expressions(columns)} FROM ({source}) ORDER BY {order}, span_id{_limit(filters)}"
    return _make(sql, _collect(filters, _SPAN_FILTERS))


def build_trace(trace_id: str, *, running: bool = True) -> Statement:
    """Return all spans of one trace, oldest first."""
    names = ", ".join(SPAN_COLUMNS)
    tables = _list_sources(None, running)
    parts = [f"SELECT {names} FROM {table} WHERE trace_id = {{trace_id:String}}" for table in tables]
    sql = f"SELECT {list_expressions(SPAN_COLUMNS)} FROM ({' UNION ALL '.join(parts)}) ORDER BY start_time, span_id"
    return _make(sql, {"trace_id": trace_id})


def build_traces(filters: TelemetryFilter, *, running: bool = True) -> Statement:
    """Return a row a trace: the root's name, type and status, and what all its spans come to.

    Its root is the span without a parent, or the earliest one as long as that one isn't known.
    """
    columns = pick_columns(filters, TRACE_COLUMNS)
    _refuse_unknown(filters, {*_SPAN_FILTERS, "text"}, "traces")
    order = _find_order(filters, {**_ORDERS, "slowest": "duration_ms DESC"}, "start_time")
    light = "trace_id, span_id, parent_span_id, name, type, status, start_time, end_time, project_id, deployment_id, "
    light += "build_id, entity_id, input_tokens, output_tokens, thread_id, resource_id, is_root"
    where = [*_match(filters, _COMMON), *_around(filters)]
    parts = [f"SELECT {light} FROM {table}{_where(where)}" for table in _list_sources(None, running)]
    having = [
        *_match(filters, ("type", "status", "name", "thread_id", "resource_id")),
        *_between(filters, "start_time"),
    ]
    if filters.text:
        having.append("positionCaseInsensitiveUTF8(name, {text:String}) > 0")
    sql = (
        f"SELECT {list_expressions(columns)} FROM "
        "(SELECT * EXCEPT (began, ended), began AS start_time, ended AS end_time, "
        f"dateDiff('millisecond', began, ended) AS duration_ms FROM ({_SUMMARY} "
        f"FROM ({' UNION ALL '.join(parts)}) AS s GROUP BY trace_id)){_where(having)} "
        f"ORDER BY {order}, trace_id{_limit(filters)}"
    )
    return _make(sql, _collect(filters, _SPAN_FILTERS))


# Steps and inferences repeat the tokens of the generation that they are part of: where there are generations, only
# those count.
_SUMMARY = """SELECT
    s.trace_id AS trace_id,
    argMin((s.name, s.type, s.status, s.project_id, s.deployment_id, s.build_id, s.entity_id),
        (NOT s.is_root, s.parent_span_id != '', s.start_time, s.span_id)) AS root,
    root.1 AS name, root.2 AS type, root.3 AS status, root.4 AS project_id, root.5 AS deployment_id,
    root.6 AS build_id, root.7 AS entity_id,
    min(s.start_time) AS began,
    if(countIf(s.status = 'running') > 0, NULL, max(s.end_time)) AS ended,
    count() AS spans,
    countIf(s.status = 'error') AS errors,
    countIf(s.type = 'model_generation') > 0 AS has_generations,
    if(has_generations, sumIf(s.input_tokens, s.type = 'model_generation'), sum(s.input_tokens)) AS input_tokens,
    if(has_generations, sumIf(s.output_tokens, s.type = 'model_generation'), sum(s.output_tokens)) AS output_tokens,
    argMinIf(s.thread_id, s.start_time, s.thread_id != '') AS thread_id,
    argMinIf(s.resource_id, s.start_time, s.resource_id != '') AS resource_id"""


def build_list(kind: str, filters: TelemetryFilter) -> Statement:
    """Return log lines, metric points or scores: ``kind`` is ``logs``, ``metrics`` or ``scores``."""
    table, all_columns, known, text_column = _LISTS[kind]
    columns = pick_columns(filters, all_columns)
    _refuse_unknown(filters, {*known, "text"}, kind)
    order = _find_order(filters, _ORDERS, "timestamp")
    where = [*_match(filters, known), *_between(filters, "timestamp")]
    if filters.text:
        where.append(f"positionCaseInsensitiveUTF8({text_column}, {{text:String}}) > 0")
    sql = f"SELECT {list_expressions(columns)} FROM {table}{_where(where)} ORDER BY {order}, id{_limit(filters)}"
    return _make(sql, _collect(filters, known))


COUNT_REJECTS = "SELECT count() AS lines FROM mastra_admin_rejects"
"""Counts the lines that became no row."""


def build_rejects(limit: int) -> Statement:
    """Return the lines that became no row, newest first."""
    order = "time DESC, path, position"
    sql = f"SELECT {list_expressions(REJECT_COLUMNS)} FROM mastra_admin_rejects ORDER BY {order} LIMIT {int(limit)}"
    return _make(sql, {})


def list_expressions(columns: Iterable[str]) -> str:
    """Return what to select for columns of ours, in the form that arrives quickest (see `frames.make_frame`).

    The driver makes a Python object of every time and of every text of low cardinality; numbers and plain text it
    passes on as they are.
    """
    forms = {
        Dtype.TIME: "toUnixTimestamp64Milli({name}) AS {name}" + TRAVELLING,
        Dtype.CATEGORY: "CAST({name}, 'String') AS {name}" + TRAVELLING,
    }
    return ", ".join(forms.get(find_dtype(name), "{name}").format(name=name) for name in columns)


def pick_columns(filters: TelemetryFilter, known: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are asked for.

    Raises:
        InvalidInput: there is none of that name; the hint names the nearest.
    """
    if filters.columns is None:
        return tuple(known)
    for name in filters.columns:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise InvalidInput(
                f"There is no column {name!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else f"Columns: {', '.join(known)}.",
            )
    return tuple(dict.fromkeys(filters.columns))


def build_open_count() -> Statement:
    """Return how many spans are open, or were when they were last tidied up."""
    return _make("SELECT count() AS spans FROM mastra_admin_spans_open", {})


def _make(sql: str, values: Mapping[str, Any]) -> Statement:
    return Statement(sql, values, has_fixed_columns=True)


def _list_sources(status: str | None, running: bool) -> tuple[str, ...]:
    if status == "running":
        return (RUNNING,)
    return (FINISHED, RUNNING) if running and status is None else (FINISHED,)


def _refuse_unknown(filters: TelemetryFilter, known: set[str], what: str) -> None:
    given = ("type", "status", "level", "name", "thread_id", "resource_id", "text")
    for name in given:
        if getattr(filters, name) is not None and name not in known:
            usable = [other for other in given if other in known]
            raise InvalidInput(f"The {what} can't be filtered by {name}.", hint=f"Use {', '.join(usable)}.")


def _match(filters: TelemetryFilter, names: Iterable[str]) -> list[str]:
    return [_match_one(name, getattr(filters, name)) for name in names if getattr(filters, name) is not None]


def _match_one(name: str, value: Any) -> str:
    column = name.removesuffix("s") if name == "deployment_ids" else name
    return f"{column} = {{{name}:String}}" if isinstance(value, str) else f"{column} IN {{{name}:Array(String)}}"


def _between(filters: TelemetryFilter, column: str) -> list[str]:
    return [
        *([f"{column} >= {{since:DateTime64(3, 'UTC')}}"] if filters.since else []),
        *([f"{column} < {{until:DateTime64(3, 'UTC')}}"] if filters.until else []),
    ]


def _around(filters: TelemetryFilter) -> list[str]:
    return [
        *(["start_time >= {early:DateTime64(3, 'UTC')}"] if filters.since else []),
        *(["start_time < {late:DateTime64(3, 'UTC')}"] if filters.until else []),
    ]


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _limit(filters: TelemetryFilter) -> str:
    return "" if filters.limit is None else f" LIMIT {int(filters.limit)}"


def _find_order(filters: TelemetryFilter, known: Mapping[str, str], time: str) -> str:
    wanted = filters.order or "newest"
    if wanted not in known:
        raise InvalidInput(f"There is no order {filters.order!r}.", hint=f"Orders: {', '.join(known)}.")
    order = known[wanted]
    return f"{time} {order}" if order in {"ASC", "DESC"} else order


def _collect(filters: TelemetryFilter, names: Iterable[str]) -> dict[str, Any]:
    given = {name: getattr(filters, name) for name in (*names, "text") if getattr(filters, name) is not None}
    values = {name: value if isinstance(value, str) else list(value) for name, value in given.items()}
    if filters.since:
        values |= {"since": _format(filters.since), "early": _format(filters.since - _TRACE_MARGIN)}
    if filters.until:
        values |= {"until": _format(filters.until), "late": _format(filters.until + _TRACE_MARGIN)}
    return values


def _format(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise InvalidInput(f"The time {moment.isoformat()} has no time zone.", hint="Add one, such as tzinfo=UTC.")
    # Stored times have milliseconds: what is at or after this moment is at or after the next whole one.
    up = timedelta(microseconds=-moment.microsecond % 1000)
    return (moment.astimezone(UTC) + up).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
