"""How long spans took, by groups."""

from __future__ import annotations

from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement
from mastra_admin_sdk.ports.observability import LATENCY_MEASURES, Grouping, TelemetryFilter

from .conditions import FINISHED, SPANS, match
from .grouping import make_groups, order_groups
from .selections import limit_to, list_expressions, make_statement, pick_columns

_ORDERS = {"most": "count DESC", "slowest": "p95_ms DESC"}
_MEASURES = """count() AS count,
    countIf(status = 'error') AS errors,
    errors / count AS error_rate,
    avg(duration_ms) AS mean_ms,
    quantilesExactInclusive(0.5, 0.95, 0.99)(assumeNotNull(duration_ms)) AS quantiles,
    quantiles[1] AS p50_ms,
    quantiles[2] AS p95_ms,
    quantiles[3] AS p99_ms,
    toFloat64(max(duration_ms)) AS max_ms"""


def build_latency(filters: TelemetryFilter, grouping: Grouping) -> Statement:
    """Return how long ended spans took."""
    groups = make_groups(grouping, "start_time")
    columns = pick_columns(filters, (*groups.names, *LATENCY_MEASURES))
    conditions = match(SPANS, filters)
    order = order_groups(filters, groups, _ORDERS)
    selected = f"{groups.selected}, {_MEASURES}" if groups.names else _MEASURES
    keys = f" GROUP BY {', '.join(groups.names)}" if groups.names else " HAVING count() > 0"
    sql = (
        f"SELECT {list_expressions(columns)} FROM (SELECT {selected} FROM {FINISHED}{conditions.where}{keys}) "
        f"ORDER BY {order}{limit_to(filters)}"
    )
    return make_statement(sql, {**conditions.values, **groups.values})
