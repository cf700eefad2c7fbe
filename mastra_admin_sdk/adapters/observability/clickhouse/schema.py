"""The schema as statements: schema.sql with the columns and the retention filled in, for one machine or a cluster.

`SCHEMA_VERSION` rises when a kept table changes; `MIGRATIONS` says how an older one becomes the current. Views and the
tables between them keep nothing, so whenever their text changes they are made anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib import resources

from .retention import Retention, Signal
from .topology import LOCAL, ONE_MACHINE, Topology, find_name, is_kept, quote, spread

SCHEMA_VERSION = 3
MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    # When a row was stored: whoever follows what arrives asks for it. Earlier rows came at no time that is known.
    2: tuple(
        f"ALTER TABLE {{{{{table}}}}} ADD COLUMN IF NOT EXISTS stored_at DateTime64(3, 'UTC')"
        for table in ("mastra_admin_spans_finished", "mastra_admin_logs")
    ),
    3: (),
}
"""Statements that turn version n - 1 of the kept tables into version n (see `list_migration`); all can be repeated."""

BACKFILLS: Mapping[int, tuple[str, ...]] = {
    3: (
        "INSERT INTO mastra_admin_trace_times SELECT trace_id, min(f.start_time), max(f.start_time) "
        "FROM mastra_admin_spans_finished AS f GROUP BY trace_id",
    ),
}
"""Statements that fill a table that version n added, from what is stored already; all can be repeated."""

LANDING_TABLES: Mapping[str, str] = {"spans": "mastra_admin_span_lines", "logs": "mastra_admin_log_lines"}
"""Where chunks of lines go, by stream."""

REFUSED_TABLE = "mastra_admin_refused_lines"
"""Where lines go that the engine refused, one by one."""

READY_COLUMN = "ready"
"""Added to a landing table last: a chunk can't get in before all views are there to see it."""

TRACE_TIMES = "mastra_admin_trace_times"
"""Where in the order of time the spans of a trace are."""

VERSION_TABLE = "mastra_admin_schema"

LOCK_TABLE = "mastra_admin_migrating"
"""There while somebody changes the schema of a server."""

_ENDED = """(start_time, trace_id, span_id) IN
(
    SELECT start_time, trace_id, span_id
    FROM mastra_admin_spans_finished{local}
    WHERE (start_time, trace_id, span_id) IN (SELECT start_time, trace_id, span_id FROM mastra_admin_spans_open{local})
)"""
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
LIVES: Mapping[str, tuple[Signal, str]] = {
    "mastra_admin_spans_finished": (Signal.SPANS, "start_time"),
    "mastra_admin_spans_open": (Signal.SPANS, "start_time"),
    TRACE_TIMES: (Signal.SPANS, "start_time"),
    "mastra_admin_logs": (Signal.LOGS, "timestamp"),
    "mastra_admin_metrics": (Signal.METRICS, "timestamp"),
    "mastra_admin_scores": (Signal.SCORES, "timestamp"),
    "mastra_admin_feedback": (Signal.FEEDBACK, "timestamp"),
    "mastra_admin_rejects": (Signal.REJECTS, "time"),
}
"""How long the rows of a kept table live, and from when on."""

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


def list_statements(retention: Retention | int, topology: Topology = ONE_MACHINE) -> list[str]:
    """Return all statements of the schema, in order; every one can be repeated.

    Parameters:
        retention: how long telemetry is kept, or the days for all of it; 0 keeps it for ever.
        topology: one machine or a cluster.
    """
    text = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    parts = _make_parts(retention if isinstance(retention, Retention) else Retention(retention))
    filled = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], text)
    statements = [_strip_comments(part) for part in filled.split(";;\n")]
    return spread([part for part in statements if part], topology)


def list_stations(statements: list[str]) -> list[str]:
    """Return the names of views and of tables that keep nothing, in the order to drop them: landing tables first."""
    names = [find_name(text) for text in statements if not is_kept(text)]
    views = [find_name(text) for text in statements if not text.startswith("CREATE TABLE")]
    landing = [*LANDING_TABLES.values(), REFUSED_TABLE]
    return [*landing, *views, *(name for name in names if name not in {*landing, *views})]


def make_fingerprint(statements: list[str]) -> str:
    """Return what tells whether a store has exactly this schema."""
    return hashlib.sha256("\0".join(statements).encode()).hexdigest()[:32]


def list_migration(version: int, topology: Topology = ONE_MACHINE) -> list[str]:
    """Return the statements that bring the kept tables from the version before to this one.

    They name what is altered ``{{table}}``, as in ``ALTER TABLE {{mastra_admin_logs}} ADD COLUMN IF NOT EXISTS …``: on
    a cluster that is the part on each shard.
    """
    return [re.sub(r"\{\{(\w+)\}\}", lambda match: topology.find_kept(match[1]), text) for text in MIGRATIONS[version]]


def list_version_statements(fingerprint: str, retention: Retention, topology: Topology = ONE_MACHINE) -> list[str]:
    """Return statements that write down which schema a store has."""
    made = (
        f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version UInt32, fingerprint String, retention_days UInt32, "
        "applied_at DateTime64(6, 'UTC'), retention String, topology String) ENGINE = MergeTree ORDER BY applied_at"
    )
    values = ", ".join(quote(text) for text in (retention.to_json(), topology.describe()))
    return [
        *spread([made], topology),
        # Tables of earlier versions of this package don't have them.
        *(
            f"ALTER TABLE {VERSION_TABLE} ADD COLUMN IF NOT EXISTS {name} String"
            for name in ("retention", "topology")
            if not topology.cluster
        ),
        f"INSERT INTO {VERSION_TABLE} (version, fingerprint, retention_days, applied_at, retention, topology) "
        f"SELECT {SCHEMA_VERSION}, '{fingerprint}', {retention.days}, now64(6, 'UTC'), {values}",
    ]


def list_retention_changes(retention: Retention, topology: Topology = ONE_MACHINE) -> list[str]:
    """Return statements that give the kept tables another retention, also for what they hold already."""
    changes = []
    for table, (signal, time) in LIVES.items():
        days, kept = retention.find(signal), topology.find_kept(table)
        # Else the change would rewrite every part at once.
        changes.append(f"ALTER TABLE {kept} MODIFY SETTING materialize_ttl_recalculate_only = 1")
        changes.append(f"ALTER TABLE {kept} {f'MODIFY {_make_ttl(time, days)}' if days else 'REMOVE TTL'}")
    return changes


def list_ready_changes(topology: Topology = ONE_MACHINE) -> list[str]:
    """Return statements that let chunks in (see `READY_COLUMN`)."""
    return [
        f"ALTER TABLE {table}{topology.on_cluster} ADD COLUMN IF NOT EXISTS {READY_COLUMN} UInt8"
        for table in LANDING_TABLES.values()
    ]


def count_ended() -> str:
    """Return the query for how many open spans have ended meanwhile; on a cluster, look on each shard by itself."""
    return f"SELECT count() FROM mastra_admin_spans_open WHERE {_ENDED.format(local='')}"


def purge_ended(topology: Topology = ONE_MACHINE) -> str:
    """Return the statement that removes open spans that have ended meanwhile."""
    ended = _ENDED.format(local=LOCAL if topology.cluster else "")
    return f"ALTER TABLE {topology.find_kept('mastra_admin_spans_open')} DELETE WHERE {ended}"


def _make_parts(retention: Retention) -> dict[str, str]:
    event = {name: kind for name, kind in _SPAN.items() if name not in _MADE_LATER}
    event |= {"time": "Nullable(DateTime64(3, 'UTC'))", "has_end_time": "Bool"}
    return {
        "span_columns": _declare(_SPAN),
        "span_names": ", ".join(_SPAN),
        "event_columns": _declare(event),
        "line_columns": _declare(_LINE),
        "line_names": ", ".join(_LINE),
        "owner_columns": _declare({name: _SPAN[name] for name in _OWNER}),
        "owner_names": ", ".join(_OWNER),
        "oldest_by_kind": _find_oldest_by_kind(retention),
        "oldest_log": _find_oldest(retention.find(Signal.LOGS)),
        "mended_body": f"replaceRegexpAll(body, {_LONE_SURROGATE})",
        **{f"ttl_{signal}": _make_ttl(time, retention.find(signal)) for signal, time in LIVES.values()},
    }


def _find_oldest(days: int) -> str:
    return f"now64(3, 'UTC') - INTERVAL {days} DAY" if days else "toDateTime64('1970-01-02', 3, 'UTC')"


def _find_oldest_by_kind(retention: Retention) -> str:
    """Return the oldest time that is kept of a line in the stream of spans, which has more kinds than one."""
    spans = _find_oldest(retention.find(Signal.SPANS))
    others = {
        kind: oldest
        for kind, signal in (("metric", Signal.METRICS), ("score", Signal.SCORES), ("feedback", Signal.FEEDBACK))
        if (oldest := _find_oldest(retention.find(signal))) != spans
    }
    if not others:
        return spans
    return f"multiIf({', '.join(f'kind = {quote(kind)}, {oldest}' for kind, oldest in others.items())}, {spans})"


def _declare(columns: Mapping[str, str]) -> str:
    return ",\n    ".join(f"{name} {kind}" for name, kind in columns.items())


def _make_ttl(time: str, retention_days: int) -> str:
    return f"TTL toDateTime({time}) + INTERVAL {retention_days} DAY" if retention_days else ""


def _strip_comments(statement: str) -> str:
    lines = [line for line in statement.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().removesuffix(";;")
