"""A cluster of two shards: rows go to the shard of their trace, once, whichever node takes them and whatever fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from fixtures.clickhouse import CLUSTER, Node, Target, new_database, run_shards, run_sql
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore, schema
from mastra_admin_sdk.errors import EngineUnavailable, ObservabilityError
from mastra_admin_sdk.ports.observability import Chunk, Stream

pytestmark = pytest.mark.slow  # two servers are started, and the schema is made on both

UNSUMMED = "distributed_group_by_no_merge=1"
"""The shards answer parts of a query completely (see ``clickhouse_node.py``): nothing may be summed up over both."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with run_shards(tmp_path_factory.mktemp("shards")) as nodes:
        yield nodes


@pytest.fixture
def targets(nodes: list[Node]) -> Iterator[list[Target]]:
    """A new database, as each of the nodes is asked for it."""
    first = replace(nodes[0].target, cluster=CLUSTER, replicated=False)
    with new_database(first) as made:
        path = urlsplit(made.url).path
        urls = [f"{node.target.url.removesuffix('/default')}{path}?{UNSUMMED}" for node in nodes]
        yield [replace(made, url=url) for url in urls]


def open_all(targets: list[Target]) -> list[ClickHouseStore]:
    return [ClickHouseStore(**target.options, timeout=60) for target in targets]  # type: ignore[arg-type]


def make_chunks(traces: list[str], path: str) -> list[Chunk]:
    start, spans, logs = now(), [], []
    for trace in traces:
        spans.append(make_span("started", trace, "open", start))
        spans += [make_span(event, trace, name, start, 5) for name in ("a", "b") for event in ("started", "ended")]
        spans.append(make_line("metric", {"timestamp": iso(start), "name": "m", "value": 1, "traceId": trace}))
        spans.append(f"broken {trace}")
        logs.append(make_log("hello", start, traceId=trace))
    return [make_chunk(*spans, path=path), make_chunk(*logs, stream=Stream.LOGS, path=path)]


def list_rows(target: Target, table: str, columns: str) -> list[tuple[object, ...]]:
    """Return the rows of one node's own part of a table."""
    return sorted(run_sql(target, f"SELECT {columns} FROM mastra_admin_{table}_local FINAL"))


def test_each_row_is_stored_once_and_a_trace_stays_together(targets: list[Target]) -> None:
    stores = open_all(targets)
    traces = [new_trace() for _ in range(24)]
    chunks = make_chunks(traces, "x.jsonl")
    for store in (stores[0], stores[1], stores[0]):
        store.insert(chunks)
    for table, columns, expected in (
        ("spans_finished", "trace_id, span_id", [(trace, name) for trace in traces for name in ("a", "b")]),
        ("spans_open", "trace_id, span_id", [(trace, "open") for trace in traces]),
        ("metrics", "trace_id", [(trace,) for trace in traces]),
        ("logs", "trace_id", [(trace,) for trace in traces]),
        ("rejects", "line", [(f"broken {trace}",) for trace in traces]),
    ):
        parts = [list_rows(target, table, columns) for target in targets]
        assert sorted(parts[0] + parts[1]) == sorted(expected), table
        assert all(parts), f"all of {table} is on one shard"
    where = [{row[0] for row in list_rows(target, "spans_finished", "trace_id")} for target in targets]
    for table in ("spans_open", "metrics", "logs"):
        assert [{row[0] for row in list_rows(target, table, "trace_id")} for target in targets] == where
    # Nothing was written twice, so nothing had to be replaced.
    for target in targets:
        for table in ("spans_finished", "metrics", "logs", "rejects"):
            ((all_rows, single),) = run_sql(
                target,
                f"SELECT (SELECT count() FROM mastra_admin_{table}_local), "
                f"(SELECT count() FROM mastra_admin_{table}_local FINAL)",
            )
            assert all_rows == single, table
    close(stores)


def test_both_nodes_show_what_is_on_both_shards(targets: list[Target]) -> None:
    stores = open_all(targets)
    traces = [new_trace() for _ in range(12)]
    stores[0].insert(make_chunks(traces, "x.jsonl"))
    for target in targets:
        rows = run_sql(target, "SELECT trace_id, span_id, status FROM mastra_admin_spans")
        expected = [(trace, *span) for trace in traces for span in (("a", "ok"), ("b", "ok"), ("open", "running"))]
        assert sorted(rows) == sorted(expected)
    for store in stores:
        asked = store.sql(
            "SELECT trace_id FROM mastra_admin_spans_finished "
            "WHERE span_id = 'a' AND trace_id IN (SELECT trace_id FROM mastra_admin_logs WHERE trace_id != %(not)s)",
            {"not": traces[0]},
        )
        assert sorted(asked["trace_id"]) == sorted(traces[1:])
    ends = [make_span("ended", trace, "open", now(), 1, name="told later") for trace in traces]
    stores[1].insert([make_chunk(*ends)])
    for target in targets:
        rows = run_sql(target, "SELECT span_id, status, name FROM mastra_admin_spans WHERE span_id = 'open'")
        assert rows == [("open", "ok", "work")] * len(traces)  # the name that was told first, on whichever shard
    close(stores)


def test_a_shard_that_is_away_costs_a_repetition_and_no_row(nodes: list[Node], targets: list[Target]) -> None:
    stores = open_all(targets)
    stores[0].init()
    traces = [new_trace() for _ in range(24)]
    chunks = make_chunks(traces, "x.jsonl")
    nodes[1].stop()
    try:
        with pytest.raises((EngineUnavailable, ObservabilityError)):
            stores[0].insert(chunks)
    finally:
        nodes[1].start()
    for _ in range(2):
        stores[0].insert(chunks)
    rows = [row for target in targets for row in list_rows(target, "spans_finished", "trace_id, span_id")]
    assert sorted(rows) == sorted((trace, name) for trace in traces for name in ("a", "b"))
    lines = [row for target in targets for row in list_rows(target, "rejects", "line")]
    assert sorted(lines) == sorted((f"broken {trace}",) for trace in traces)
    close(stores)


def test_a_node_that_is_away_is_told_when_the_schema_changes(nodes: list[Node], targets: list[Target]) -> None:
    nodes[1].stop()
    try:
        with pytest.raises(EngineUnavailable, match="didn't end on every node of the cluster one") as caught:
            open_all(targets)[0].init()
        assert "system.distributed_ddl_queue" in caught.value.hint
        assert str(urlsplit(nodes[1].target.url).port) in caught.value.message
    finally:
        nodes[1].start()
    stores = open_all(targets)
    stores[0].insert(make_chunks([trace := new_trace()], "x.jsonl"))
    rows = [row for target in targets for row in list_rows(target, "spans_finished", "trace_id, span_id")]
    assert sorted(rows) == [(trace, "a"), (trace, "b")]
    close(stores)


def test_a_change_of_the_schema_reaches_every_node(targets: list[Target]) -> None:
    open_all(targets)[0].init()
    changed = ClickHouseStore(**targets[1].options, retention={"logs": 14}, timeout=60)  # type: ignore[arg-type]
    changed.init()
    for target in targets:
        made = dict(
            run_sql(target, "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()")
        )
        assert "toIntervalDay(14)" in str(made["mastra_admin_logs_local"])
        assert schema.LOCK_TABLE not in made
        expected = ("logs", "logs_local", "spans", "spans_local", "span_lines", "store_logs")
        assert {f"mastra_admin_{name}" for name in expected} <= made.keys()
    versions = [row for target in targets for row in run_sql(target, "SELECT version FROM mastra_admin_schema_local")]
    assert len(versions) == 2
    changed.close()


def close(stores: list[ClickHouseStore]) -> None:
    for store in stores:
        store.close()
