"""What happened lately, a row a deployment, as SQL."""

from __future__ import annotations

from datetime import datetime, timedelta

from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement, bind

_LONGEST_TRACE = timedelta(days=1)


def build_activity(since: datetime, until: datetime) -> Statement:
    """Return the traces that ended in a range of time, counted by deployment.

    Rows are sorted by when spans began: a trace that took longer than a day is not found.
    """
    sql = """SELECT
    toString(deployment_id) AS deployment_id,
    toInt64(traces) AS traces,
    toInt64(errors) AS errors,
    found[1] AS p50_ms, found[2] AS p90_ms, found[3] AS p95_ms, found[4] AS p99_ms
FROM
(
    SELECT
        deployment_id,
        count() AS traces,
        countIf(status = 'error') AS errors,
        quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(duration_ms)) AS found
    FROM mastra_admin_spans_finished
    WHERE start_time >= %(began)s AND start_time < %(until)s AND end_time >= %(since)s AND end_time < %(until)s
        AND (is_root OR parent_span_id = '')
    GROUP BY deployment_id
)
ORDER BY deployment_id"""
    return bind(sql, {"began": since - _LONGEST_TRACE, "since": since, "until": until})
