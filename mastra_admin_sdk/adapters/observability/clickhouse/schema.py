"""The schema as statements: schema.sql with the columns and the retention filled in.

`SCHEMA_VERSION` rises when a kept table changes; `MIGRATIONS` says how an older one becomes the current. Views and the
tables between them keep nothing, so whenever their text changes they are made anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib import resources

SCHEMA_VERSION = 1
MIGRATIONS: Mapping[int, tuple[str, ...]] = {}
"""Statements that turn version n - 1 of the kept tables into version n."""

LANDING_TABLES: Mapping[str, str] = {"spans": "mastra_admin_span_lines", "logs": "mastra_admin_log_lines"}
"""Where chunks of lines go, by stream."""

REFUSED_TABLE = "mastra_admin_refused_lines"
"""Where lines go that the engine refused, one by one."""

READY_COLUMN = "ready"
"""Added to a landing table last: a chunk can't get in before all views are there to see it."""

VERSION_TABLE = "mastra_admin_schema"

_ENDED = """(start_time, trace_id, span_id) IN
(
    SELECT start_time, trace_id, span_id
    FROM mastra_admin_spans_finished
    WHERE (start_time, trace_id, span_id) IN (SELECT start_time, trace_id, span_id FROM mastra_admin_spans_open)
)"""
COUNT_ENDED = f"SELECT count() FROM mastra_admin_spans_open WHERE {_ENDED}"
PURGE_ENDED = f"ALTER TABLE mastra_admin_spans_open DELETE WHERE {_ENDED}"
"""Removes open spans that have ended meanwhile."""

_OWNER = ("project_id", "deployment_id", "build_id", "process_id")
_SPAN: Mapping[str, str] = {
    "trace_id": "String",
    "span_id": "String",
    "parent_span_id": "String",
    "name": "LowCardinality(String)",
    "type": "LowCardinality(String)",
    "status": "LowCardinality(String)",
    "start_time": "DateTime64(3, 'UTC')",
    "end_time": "Nullable(DateTime64(3, 'UTC'))",
    "duration_ms": "Nullable(Int64)",
    **dict.fromkeys(_OWNER, "LowCardinality(String)"),
    "entity_type": "LowCardinality(String)",
    "entity_id": "LowCardinality(String)",
    "entity_name": "LowCardinality(String)",
    "model": "LowCardinality(String)",
    "provider": "LowCardinality(String)",
    "input_tokens": "Nullable(Int64)",
    "output_tokens": "Nullable(Int64)",
    "thread_id": "String",
    "resource_id": "String",
    "run_id": "String",
    "error": "String",
    "error_info": "String",
    "input": "String",
    "output": "String",
    "attributes": "String",
    "metadata": "String",
    "is_root": "Bool",
    "is_event": "Bool",
}
_LINE: Mapping[str, str] = {
    "path": "String",
    "position": "UInt64",
    "line": "String",
    "reason": "LowCardinality(String)",
    "kind": "LowCardinality(String)",
    "event": "LowCardinality(String)",
    "id": "String",
    "written_at": "Int64",
}
_MADE_LATER = ("status", "start_time", "duration_ms")
# Pairs and escaped backslashes are kept by naming them; what is left of the pattern is a half by itself.
_LONE_SURROGATE = (
    r"'(\\\\\\\\|\\\\u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\\1'"
)


def list_statements(retention_days: int) -> list[str]:
    """Return all statements of the schema, in order; every one can be repeated.

    Parameters:
        retention_days: how long telemetry is kept; 0 keeps it for ever.
    """
    text = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    parts = _make_parts(retention_days)
    filled = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], text)
    statements = [_strip_comments(part) for part in filled.split(";;\n")]
    return [part for part in statements if part]


def list_stations(statements: list[str]) -> list[str]:
    """Return the names of all views and of tables that keep nothing, landing tables first."""
    views = [
        match[1] for text in statements if (match := re.match(r"CREATE (?:MATERIALIZED )?VIEW\D+?(mastra\w+)", text))
    ]
    tables = [
        match[1]
        for text in statements
        if text.endswith("ENGINE = Null") and (match := re.match(r"CREATE TABLE\D+?(mastra\w+)", text))
    ]
    landing = [*LANDING_TABLES.values(), REFUSED_TABLE]
    return [*landing, *views, *(name for name in tables if name not in landing)]


def make_fingerprint(statements: list[str]) -> str:
    """Return what tells whether a store has exactly this schema."""
    return hashlib.sha256("\0".join(statements).encode()).hexdigest()[:32]


def list_version_statements(fingerprint: str, retention_days: int) -> list[str]:
    """Return statements that write down which schema a store has."""
    return [
        f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version UInt32, fingerprint String, retention_days UInt32, "
        "applied_at DateTime64(6, 'UTC')) ENGINE = MergeTree ORDER BY applied_at",
        f"INSERT INTO {VERSION_TABLE} SELECT {SCHEMA_VERSION}, '{fingerprint}', {retention_days}, now64(6, 'UTC')",
    ]


def list_retention_changes(retention_days: int) -> list[str]:
    """Return statements that give the kept tables another retention."""
    times = {
        "mastra_admin_spans_finished": "start_time",
        "mastra_admin_spans_open": "start_time",
        "mastra_admin_logs": "timestamp",
        "mastra_admin_metrics": "timestamp",
        "mastra_admin_scores": "timestamp",
        "mastra_admin_feedback": "timestamp",
        "mastra_admin_rejects": "time",
    }
    # Without materialize_ttl_after_modify the change would rewrite every part at once; merges apply it soon enough.
    return [
        f"ALTER TABLE {table} {f'MODIFY {_make_ttl(time, retention_days)}' if retention_days else 'REMOVE TTL'}"
        for table, time in times.items()
    ]


def _make_parts(retention_days: int) -> dict[str, str]:
    event = {name: kind for name, kind in _SPAN.items() if name not in _MADE_LATER}
    event |= {"time": "Nullable(DateTime64(3, 'UTC'))", "has_end_time": "Bool"}
    oldest = f"now() - INTERVAL {retention_days} DAY" if retention_days else "toDateTime64('1970-01-02', 3, 'UTC')"
    return {
        "span_columns": _declare(_SPAN),
        "span_names": ", ".join(_SPAN),
        "event_columns": _declare(event),
        "line_columns": _declare(_LINE),
        "line_names": ", ".join(_LINE),
        "owner_columns": _declare({name: _SPAN[name] for name in _OWNER}),
        "owner_names": ", ".join(_OWNER),
        "oldest": oldest,
        "mended_text": f"replaceRegexpAll(text, {_LONE_SURROGATE})",
        "mended_line": f"if(isValidJSON(line), line, replaceRegexpAll(line, {_LONE_SURROGATE}))",
        **{f"ttl_{time}": _make_ttl(time, retention_days) for time in ("start_time", "timestamp", "time")},
    }


def _declare(columns: Mapping[str, str]) -> str:
    return ",\n    ".join(f"{name} {kind}" for name, kind in columns.items())


def _make_ttl(time: str, retention_days: int) -> str:
    return f"TTL toDateTime({time}) + INTERVAL {retention_days} DAY" if retention_days else ""


def _strip_comments(statement: str) -> str:
    lines = [line for line in statement.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().removesuffix(";;")
