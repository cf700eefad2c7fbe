"""Errors by kind: messages that differ only in numbers, ids, quoted text, addresses and paths are one kind."""

from __future__ import annotations

from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement
from mastra_admin_sdk.ports.observability import ERROR_COLUMNS, TelemetryFilter

from .conditions import FINISHED, SPANS, match
from .selections import find_order, limit_to, list_expressions, make_statement, pick_columns

REPLACEMENTS: tuple[tuple[str, str], ...] = (
    (r"\s+", " "),
    (r"https?://[^\s\"'<>)\]]+", "<url>"),
    (r'"[^"]*"', '"…"'),
    (r"`[^`]*`", "`…`"),
    (r"(^|[^\w'])'[^']*'", r"\1'…'"),
    (r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b", "<id>"),
    (r"(^|[\s(\[{=:,])(?:[A-Za-z]:|~|\.{1,2})?(?:[\\/][\w.@+~%-]+)+[\\/]?(?::\d+)*", r"\1<path>"),
    (r"\b0x[0-9a-fA-F]+\b", "<hex>"),
    (r"\b\d+(?:[.,:]\d+)*\b", "<n>"),
    (r"\b[0-9a-fA-F]{8,}\b", "<hex>"),
    (r"\b[A-Za-z_]*\d[\w-]{7,}\b", "<id>"),
    (r"\d+", "<n>"),
)
"""Patterns and what takes their place, one after the other; both re2 and Python (with ``re.ASCII``) read them alike."""

MESSAGE_LENGTH = 500
_ORDERS = {"most": "count DESC, last_seen DESC", "newest": "last_seen DESC", "oldest": "first_seen"}


def build_errors(filters: TelemetryFilter) -> Statement:
    """Return the kinds of errors that spans ended with; equal messages are put together before they are cleaned."""
    columns = pick_columns(filters, ERROR_COLUMNS)
    order = find_order(filters, _ORDERS)
    conditions = match(SPANS, filters)
    where = " AND ".join(["status = 'error'", *conditions.parts])
    cleaned = "text"
    values = dict(conditions.values)
    for number, (pattern, replacement) in enumerate(REPLACEMENTS):
        values |= {f"pattern_{number}": pattern, f"replacement_{number}": replacement}
        cleaned = f"replaceRegexpAll({cleaned}, {{pattern_{number}:String}}, {{replacement_{number}:String}})"
    by_text = f"{_BY_TEXT} FROM {FINISHED} WHERE {where} GROUP BY text"
    message = f"leftUTF8(trim({cleaned}), {MESSAGE_LENGTH})"
    kinds = f"{_BY_MESSAGE.format(message=message)} FROM ({by_text}) GROUP BY message"
    sql = f"SELECT {list_expressions(columns)} FROM ({kinds}) ORDER BY {order}, message{limit_to(filters)}"
    return make_statement(sql, values)


# Of spans in one another that fail alike, the inner one begins last: it is the example.
_BY_TEXT = """SELECT
    error AS text,
    count() AS n,
    groupUniqArray(trace_id) AS ids,
    min(start_time) AS first_at,
    max(start_time) AS last_at,
    argMax((name, type, trace_id, span_id), (start_time, span_id)) AS newest"""
_BY_MESSAGE = """SELECT
    {message} AS message,
    sum(n) AS count,
    length(groupUniqArrayArray(ids)) AS traces,
    min(first_at) AS first_seen,
    max(last_at) AS last_seen,
    argMax((newest.1, newest.2, newest.3, newest.4, text), (last_at, newest.4)) AS example,
    example.1 AS name,
    example.2 AS type,
    example.3 AS trace_id,
    example.4 AS span_id,
    example.5 AS error"""
