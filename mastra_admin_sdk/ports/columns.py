"""The columns of every answer about telemetry, in their order. docs/telemetry.md says what is in them."""

from __future__ import annotations

SPAN_COLUMNS: tuple[str, ...] = (
    "span_id",
    "trace_id",
    "parent_span_id",
    "name",
    "type",
    "status",
    "start_time",
    "end_time",
    "duration_ms",
    "project_id",
    "deployment_id",
    "build_id",
    "entity_id",
    "entity_name",
    "model",
    "provider",
    "input_tokens",
    "output_tokens",
    "thread_id",
    "resource_id",
    "run_id",
    "error",
    "input",
    "output",
    "attributes",
    "metadata",
)
LOG_COLUMNS: tuple[str, ...] = (
    "timestamp",
    "level",
    "message",
    "project_id",
    "deployment_id",
    "build_id",
    "process_id",
    "trace_id",
    "span_id",
    "source",
    "data",
)
METRIC_COLUMNS: tuple[str, ...] = (
    "timestamp",
    "name",
    "value",
    "project_id",
    "deployment_id",
    "build_id",
    "trace_id",
    "span_id",
    "model",
    "provider",
    "labels",
    "cost",
)
SCORE_COLUMNS: tuple[str, ...] = (
    "timestamp",
    "name",
    "score",
    "reason",
    "author",
    "project_id",
    "deployment_id",
    "build_id",
    "trace_id",
    "span_id",
    "data",
)
FEEDBACK_COLUMNS: tuple[str, ...] = (
    "timestamp",
    "name",
    "value",
    "label",
    "comment",
    "author",
    "project_id",
    "deployment_id",
    "build_id",
    "trace_id",
    "span_id",
    "data",
)
"""``label`` is the value as it was given, ``value`` the number that it is, if it is one."""

ANNOTATION_PREFIX = "annotation-"
"""Begins the id of a score or feedback that a person gave: of those with one id only the newest is there to be read."""

TRACE_COLUMNS: tuple[str, ...] = (
    "trace_id",
    "name",
    "type",
    "status",
    "start_time",
    "end_time",
    "duration_ms",
    "spans",
    "errors",
    "input_tokens",
    "output_tokens",
    "cost",
    "project_id",
    "deployment_id",
    "build_id",
    "entity_id",
    "thread_id",
    "resource_id",
)
ACTIVITY_COLUMNS: tuple[str, ...] = ("deployment_id", "traces", "errors", "p50_ms", "p90_ms", "p95_ms", "p99_ms")
"""Counts, and milliseconds that traces took, by deployment; percentiles are exact, with linear interpolation."""

REJECT_COLUMNS: tuple[str, ...] = ("time", "stream", "reason", "line", "path", "project_id", "deployment_id")

LATENCY_MEASURES: tuple[str, ...] = (
    "count",
    "errors",
    "error_rate",
    "mean_ms",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "max_ms",
)
"""They follow the columns that an answer is grouped by."""

USAGE_MEASURES: tuple[str, ...] = ("count", "input_tokens", "output_tokens", "total_tokens", "cost")
"""They follow the columns that an answer is grouped by."""

ERROR_COLUMNS: tuple[str, ...] = (
    "message",
    "count",
    "traces",
    "first_seen",
    "last_seen",
    "name",
    "type",
    "trace_id",
    "span_id",
    "error",
)
"""From ``name`` on it is the newest span that failed so."""

THREAD_COLUMNS: tuple[str, ...] = (
    "thread_id",
    "resource_id",
    "first_seen",
    "last_seen",
    "traces",
    "spans",
    "errors",
    "input_tokens",
    "output_tokens",
    "cost",
    "project_id",
)

PERIODS: tuple[str, ...] = ("hour", "day", "week", "month")
"""Groups by time: the column says when each began."""

BUCKET = "bucket"
"""The column that says when each bucket of a chosen length began."""

GROUPS: tuple[str, ...] = (
    "name",
    "type",
    "status",
    "project_id",
    "deployment_id",
    "build_id",
    "agent",
    "entity_id",
    "entity_name",
    "model",
    "provider",
    "thread_id",
    "resource_id",
    "run_id",
    "trace_id",
    *PERIODS,
)
"""What latency and usage can be grouped by. ``agent`` is the id of the agent whose span it is."""
