"""What every store promises of traces counted by deployment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from fixtures.lines import make_chunk, make_span, new_trace, now

from mastra_admin_sdk.ports.observability import ACTIVITY_COLUMNS, ObservabilityStore

MINUTE = timedelta(minutes=1)


def test_traces_that_ended_in_a_range_are_counted_by_deployment(store: ObservabilityStore) -> None:
    one, two, end = new_trace(), new_trace(), now()
    lines = [
        *make_trace(one, end - MINUTE, 100),
        *make_trace(one, end - MINUTE, 300, error=True),
        *make_trace(one, end - 30 * MINUTE, 29.5 * 60_000),  # began before the range
        *make_trace(two, end - MINUTE, 50),
        *make_trace(two, end - 20 * MINUTE, 50),  # ended before it
        make_span("started", new_trace(), "s", end - MINUTE, deploymentId=two),  # runs still
    ]
    store.insert([make_chunk(*lines)])
    found = read(store, end - 5 * MINUTE, end)
    assert (found[one]["traces"], found[one]["errors"]) == (3, 1)
    assert found[one]["p50_ms"] == 300.0
    assert found[one]["p90_ms"] == pytest.approx(300 + 0.8 * (29.5 * 60_000 - 300))
    assert (found[two]["traces"], found[two]["errors"], found[two]["p99_ms"]) == (1, 0, 50.0)


def test_a_range_in_which_nothing_ended_has_no_rows(store: ObservabilityStore) -> None:
    begin = now() - timedelta(days=30)
    frame = store.activity(begin, begin + MINUTE)
    assert list(frame.columns) == list(ACTIVITY_COLUMNS)
    assert frame.empty
    assert [str(frame[name].dtype) for name in ("traces", "errors", "p95_ms")] == ["int64", "int64", "float64"]


def make_trace(owner: str, start: datetime, ms: float, *, error: bool = False) -> list[str]:
    """Return the lines of a trace of two spans, of which the inner one failed where the trace didn't."""
    trace = new_trace()
    failed = {"errorInfo": {"message": "no"}}
    root = make_span("ended", trace, "root", start, int(ms), deploymentId=owner, **(failed if error else {}))
    child = make_span("ended", trace, "child", start, 10, deploymentId=owner, parentSpanId="root", **failed)
    return [child, root]


def read(store: ObservabilityStore, since: datetime, until: datetime) -> dict[str, dict[Any, Any]]:
    return {row["deployment_id"]: row for row in store.activity(since, until).to_dict("records")}
