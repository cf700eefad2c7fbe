"""Every telemetry store cuts time where charts have their steps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fixtures.lines import make_chunk, make_span, new_trace, now

from mastra_admin_sdk.display.charts.moments import STEPS, list_moments
from mastra_admin_sdk.ports.observability import Grouping, ObservabilityStore, TelemetryFilter


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_buckets_begin_where_the_steps_of_charts_do(store: ObservabilityStore, zone: str) -> None:
    project, until = new_trace(), now() - timedelta(minutes=1)
    moments = [until - timedelta(hours=11 * number) for number in range(1, 100)]
    lines = [make_span("ended", new_trace(), f"s{n}", at, 1, projectId=project) for n, at in enumerate(moments)]
    store.insert([make_chunk(*lines)])
    for step in (each for each in STEPS if each >= timedelta(minutes=30)):
        filters = TelemetryFilter(project_id=project, since=min(moments), until=until, limit=None)
        frame = store.latency(filters, Grouping(bucket=step, timezone=zone))
        assert set(frame["bucket"]) <= set(list_moments(min(moments), until, step, zone)), step
