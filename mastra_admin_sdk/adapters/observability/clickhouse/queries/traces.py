"""Traces and threads: what the spans of each come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement
from mastra_admin_sdk.ports.observability import SPAN_COLUMNS, THREAD_COLUMNS, TRACE_COLUMNS, TelemetryFilter

from .conditions import (
    FINISHED,
    OPEN,
    SPANS,
    Conditions,
    format_time,
    match_around,
    match_attributes,
    match_fields,
    match_text,
    match_time,
    refuse_unknown,
)
from .lists import (
    ALL_TOKENS,
    EPOCH,
    NO_DURATION,
    TIME_ORDERS,
    Order,
    come_after,
    find_page,
    list_sources,
    select_keys,
)
from .prices import bind_prices, find_price, multiply
from .selections import find_order, limit_to, list_expressions, make_statement, pick_columns

MARGIN = timedelta(days=1)
"""How long a trace may take and still be whole in a list that begins in the middle of it."""

_KEY = ("trace_id",)
_ORDERS = {
    **{name: Order("start_time", direction) for name, direction in TIME_ORDERS.items()},
    "slowest": Order(f"ifNull(duration_ms, {NO_DURATION})", "DESC", ("duration_ms",)),
    "tokens": Order(ALL_TOKENS, "DESC", ("input_tokens", "output_tokens")),
    # In whole billionths: fractions would not come back as the numbers that they were.
    "cost": Order("ifNull(toInt64(round(cost * 1000000000)), -1)", "DESC", ("cost",)),
    "spans": Order("toInt64(spans)", "DESC", ("spans",)),
    "errors": Order("toInt64(errors)", "DESC", ("errors",)),
}
_OF_SPANS = ("project_id", "deployment_ids", "build_id", "trace_id")
_OF_ANY_SPAN = ("model", "entity_id")
_OF_TRACES = ("type", "status", "name", "thread_id", "resource_id")
_NEEDED = (
    "trace_id, span_id, parent_span_id, name, type, status, start_time, end_time, project_id, deployment_id, "
    "build_id, entity_id, model, provider, input_tokens, output_tokens, thread_id, resource_id, is_root"
)


def build_trace_times(trace_id: str) -> Statement:
    """Return when the spans of a trace started: rows with ``first`` and ``last`` in milliseconds, and ``open``.

    Finished spans lie in the order of time: this is where those of a trace are. Those that are open may end before the
    next question, and are found there then.
    """
    finished, running = (
        f"SELECT toUnixTimestamp64Milli(start_time) AS first, toUnixTimestamp64Milli({last}) AS last, {count} AS open "
        f"FROM {table} WHERE trace_id = {{trace_id:String}}"
        for table, last, count in (("mastra_admin_trace_times", "last_start_time", 0), (OPEN, "start_time", 1))
    )
    return make_statement(f"{finished} UNION ALL {running}", {"trace_id": trace_id})


def build_trace_ids(beginning: str, limit: int) -> Statement:
    """Return the ids of traces that begin with a text: the first few in their order."""
    found = " UNION ALL ".join(
        f"SELECT trace_id FROM {table} WHERE startsWith(trace_id, {{beginning:String}})"
        for table in ("mastra_admin_trace_times", OPEN)
    )
    sql = f"SELECT DISTINCT trace_id FROM ({found}) ORDER BY trace_id LIMIT {limit:d}"
    return make_statement(sql, {"beginning": beginning})


def build_trace(trace_id: str, first: int, last: int, *, running: bool = True) -> Statement:
    """Return all spans of one trace, oldest first.

    Parameters:
        first, last: between which times its spans started, in milliseconds.
        running: False when none of them is open.
    """
    names = ", ".join(SPAN_COLUMNS)
    of_trace = "WHERE trace_id = {trace_id:String}"
    between = "start_time >= {first:DateTime64(3, 'UTC')} AND start_time <= {last:DateTime64(3, 'UTC')}"
    finished = f"FROM {FINISHED} {of_trace} AND {between}"
    columns = list_expressions(SPAN_COLUMNS)
    if running:
        ended = f"span_id IN (SELECT span_id {finished})"
        both = f"SELECT {names} {finished} UNION ALL SELECT {names} FROM {OPEN} FINAL {of_trace} AND NOT {ended}"
        sql = f"SELECT {columns} FROM ({both}) ORDER BY start_time, span_id"
    else:
        sql = f"SELECT {columns} {finished} ORDER BY start_time, span_id"
    times = {name: format_time(EPOCH + timedelta(milliseconds=at)) for name, at in (("first", first), ("last", last))}
    return make_statement(sql, {"trace_id": trace_id, **times})


def build_traces(filters: TelemetryFilter, *, running: bool = True) -> Statement:
    """Return a row a trace: the root's name, type and status, and what all its spans come to.

    Its root is the span without a parent, or the earliest one as long as that one isn't known.
    """
    columns = pick_columns(filters, TRACE_COLUMNS)
    order, page = find_order(filters, _ORDERS), find_page(filters)
    source, conditions = _list_traces(filters, running, has_cost="cost" in {*columns, *order.columns})
    selected = list_expressions(columns)
    behind = come_after(order, _KEY, page.after)
    tail = f" ORDER BY {order.expression} {order.direction}, trace_id"
    if page.rows is None:
        return make_statement(f"SELECT {selected} FROM ({source}){behind.where}{tail}", (conditions + behind).values)
    # First which traces are wanted, by as few columns as tell it, then all that is to be said of those.
    tail += f" LIMIT {page.rows}"
    slim, _ = _list_traces(filters, running, has_cost="cost" in order.columns, is_slim=True)
    wanted = Conditions((f"trace_id IN (SELECT trace_id FROM ({slim}){behind.where}{tail})",))
    source, _ = _list_traces(filters, running, has_cost="cost" in {*columns, *order.columns}, among=wanted)
    sql = f"SELECT {selected}, {select_keys(order, _KEY)} FROM ({source}){behind.where}{tail}"
    return make_statement(sql, (conditions + behind).values)


def build_trace_count(filters: TelemetryFilter, *, running: bool = True) -> Statement:
    """Return how many traces match."""
    source, conditions = _list_traces(filters, running, has_cost=False)
    return make_statement(f"SELECT count() AS rows FROM ({source})", conditions.values)


def build_threads(filters: TelemetryFilter, *, running: bool = True) -> Statement:
    """Return a row a thread: what its traces come to."""
    columns = pick_columns(filters, THREAD_COLUMNS)
    order = find_order(
        filters, {"newest": "last_seen DESC", "oldest": "first_seen", "most": "traces DESC, last_seen DESC"}
    )
    source, conditions = _list_traces(replace(filters, order=None), running, has_cost="cost" in columns)
    sql = (
        f"SELECT {list_expressions(columns)} FROM (SELECT * EXCEPT (any_cost), any_cost AS cost FROM ({_THREADS} "
        f"FROM ({source}) AS t WHERE t.thread_id != '' GROUP BY t.thread_id)) "
        f"ORDER BY {order}, thread_id{limit_to(filters)}"
    )
    return make_statement(sql, conditions.values)


def _list_traces(
    filters: TelemetryFilter, running: bool, *, has_cost: bool, is_slim: bool = False, among: Conditions | None = None
) -> tuple[str, Conditions]:
    """Return the query for a row a trace, without an order.

    Parameters:
        has_cost: whether its tokens are multiplied with prices.
        is_slim: leave out columns by which nothing is filtered or ordered; they cost most of the time.
        among: which traces are concerned, where that is known: what matches then needn't be looked for.
    """
    refuse_unknown("traces", filters, SPANS.fields)
    tables = list_sources(None, running)
    of_spans = match_fields({name: SPANS.fields[name] for name in _OF_SPANS}, filters)
    around = match_around(filters, "start_time", MARGIN)
    # All spans of a trace that is wanted begin at or after the time: earlier ones tell only which aren't.
    of_wanted = of_spans + match_time(replace(filters, until=None), "start_time")
    of_wanted += match_around(replace(filters, since=None), "start_time", MARGIN)
    where = of_spans + around + (among or _choose(filters, of_wanted, tables))
    parts = " UNION ALL ".join(f"SELECT {_NEEDED} FROM {table}{where.where}" for table in tables)
    having = match_fields({name: name for name in _OF_TRACES}, filters) + match_time(filters, "start_time")
    prices = filters.prices if has_cost else ()
    price = find_price(prices, "s.")
    cost = multiply("price", "s.input_tokens", "s.output_tokens") if prices else "CAST(NULL, 'Nullable(Float64)')"
    grouped = (
        f"SELECT *, {price} AS price, {cost} AS span_cost FROM ({parts}) AS s" if prices else f"SELECT * FROM ({parts})"
    )
    source = (
        "SELECT * EXCEPT (began, ended), began AS start_time, ended AS end_time, "
        f"dateDiff('millisecond', began, ended) AS duration_ms FROM "
        f"({_summarize(filters, is_slim)}, {_COST if prices else _NO_COST} AS cost "
        f"FROM ({grouped}) AS s GROUP BY trace_id){having.where}"
    )
    return source, where + having + Conditions((), bind_prices(prices))


def _choose(filters: TelemetryFilter, within: Conditions, tables: tuple[str, ...]) -> Conditions:
    """Return the condition that a trace has a span such as is looked for."""
    wanted = match_fields({name: SPANS.fields[name] for name in _OF_ANY_SPAN}, filters)
    wanted += match_text(SPANS, filters) + match_attributes(SPANS, filters)
    if not wanted.parts:
        return Conditions()
    where = (within + wanted).where
    found = " UNION ALL ".join(f"SELECT trace_id FROM {table}{where}" for table in tables)
    return Conditions((f"trace_id IN ({found})",), wanted.values)


def _summarize(filters: TelemetryFilter, is_slim: bool) -> str:
    """Return what to select of the spans of a trace together."""
    used = [name for name in _OF_TRACES if getattr(filters, name) is not None]
    of_root = [name for name in _OF_ROOT if name in used or not is_slim]
    of_trace = [name for name in _OF_CALLER if name in used or not is_slim]
    root = f"argMin(({', '.join(f's.{name}' for name in of_root)},), {_RANK}) AS root" if of_root else "1 AS root"
    return ",\n    ".join(
        [
            "SELECT s.trace_id AS trace_id",
            root,
            *(f"root.{place} AS {name}" for place, name in enumerate(of_root, start=1)),
            _SUMS,
            *(f"argMinIf(s.{name}, s.start_time, s.{name} != '') AS {name}" for name in of_trace),
        ]
    )


# The root is the first by one number, which is much quicker to compare than a tuple: its rank, then milliseconds.
_RANK = "multiIf(s.is_root, 0, s.parent_span_id = '', 1, 2) * 10000000000000 + toUnixTimestamp64Milli(s.start_time)"
_OF_ROOT = ("name", "type", "status", "project_id", "deployment_id", "build_id", "entity_id")
_OF_CALLER = ("thread_id", "resource_id")
# Steps and inferences repeat the tokens of the generation that they are part of: where generations tell theirs, only
# those count. Through OpenTelemetry, Mastra tells them of inferences alone.
_SUMS = """min(s.start_time) AS began,
    if(countIf(s.status = 'running') > 0, NULL, max(s.end_time)) AS ended,
    count() AS spans,
    countIf(s.status = 'error') AS errors,
    countIf(s.type = 'model_generation' AND (NOT isNull(s.input_tokens) OR NOT isNull(s.output_tokens))) > 0
        AS has_generations,
    if(has_generations, sumIf(s.input_tokens, s.type = 'model_generation'), sum(s.input_tokens)) AS input_tokens,
    if(has_generations, sumIf(s.output_tokens, s.type = 'model_generation'), sum(s.output_tokens)) AS output_tokens"""
_NO_COST = "CAST(NULL, 'Nullable(Float64)')"
# Tokens without a price would make a sum that is too small: then the cost isn't known.
_COST = """if(countIf(price = 0 AND (NOT isNull(s.input_tokens) OR NOT isNull(s.output_tokens))
        AND (s.type = 'model_generation')) > 0
    OR (NOT has_generations
        AND countIf(price = 0 AND (NOT isNull(s.input_tokens) OR NOT isNull(s.output_tokens))) > 0), NULL,
    if(has_generations, sumIf(span_cost, s.type = 'model_generation'), sum(span_cost)))"""
_THREADS = """SELECT
    t.thread_id AS thread_id,
    argMinIf(t.resource_id, t.start_time, t.resource_id != '') AS resource_id,
    min(t.start_time) AS first_seen,
    max(ifNull(t.end_time, t.start_time)) AS last_seen,
    count() AS traces,
    sum(t.spans) AS spans,
    sum(t.errors) AS errors,
    sum(t.input_tokens) AS input_tokens,
    sum(t.output_tokens) AS output_tokens,
    if(countIf(isNull(t.cost) AND NOT (isNull(t.input_tokens) AND isNull(t.output_tokens))) > 0, NULL, sum(t.cost))
        AS any_cost,
    argMin(t.project_id, t.start_time) AS project_id"""
