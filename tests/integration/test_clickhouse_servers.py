"""Servers of somebody's own: as one machine and as a cluster, shared by several, with what can go wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fixtures.clickhouse import CLUSTER, Target, new_database, run_node, run_sql
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore, migration_lock, schema
from mastra_admin_sdk.adapters.observability.clickhouse.retention import Retention
from mastra_admin_sdk.adapters.observability.clickhouse.topology import LOCAL, Topology
from mastra_admin_sdk.errors import EngineUnavailable, ObservabilityError
from mastra_admin_sdk.ports.observability import Chunk, Stream, TelemetryFilter


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with run_node(tmp_path_factory.mktemp("node")) as target:
        yield target


@pytest.fixture(params=["server", "cluster"])
def target(request: pytest.FixtureRequest, node: Target) -> Iterator[Target]:
    """A database of its own on a server, and on one that is a cluster."""
    named = node if request.param == "server" else replace(node, cluster=CLUSTER, replicated=False)
    with new_database(named) as made:
        yield made


def open_one(target: Target, **options: Any) -> ClickHouseStore:
    return ClickHouseStore(**{**target.options, **options})


def make_spans(trace: str, *ids: str) -> Chunk:
    return make_chunk(*(make_span("ended", trace, name, now(), 1) for name in ids))


def kept_name(target: Target, table: str) -> str:
    return f"{table}{LOCAL}" if target.cluster else table


def count(target: Target, table: str) -> int:
    ((rows,),) = run_sql(target, f"SELECT count() FROM {table}")
    return int(str(rows))


# --- the schema -------------------------------------------------------------------------------------------------------


@pytest.mark.slow  # the schema is made several times
@pytest.mark.parametrize("target", ["cluster"], indirect=True)
def test_many_that_prepare_a_store_at_once_prepare_it_once(target: Target) -> None:
    stores, errors = [open_one(target) for _ in range(6)], []

    def prepare(store: ClickHouseStore) -> None:
        try:
            store.init()
        except ObservabilityError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=prepare, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert count(target, schema.VERSION_TABLE) == 1
    trace = new_trace()
    stores[0].insert([make_spans(trace, "s1")])
    assert [len(store.trace(trace)) for store in stores] == [1] * 6
    for store in stores:
        store.close()
    assert run_sql(target, f"EXISTS TABLE {schema.LOCK_TABLE}") in ([], [(0,)])


@pytest.mark.slow  # the schema is made several times
@pytest.mark.parametrize("target", ["cluster"], indirect=True)
def test_a_lock_is_waited_for_and_one_that_is_left_behind_is_taken_over(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sql(target, f"CREATE TABLE {schema.LOCK_TABLE} (nothing UInt8) ENGINE = Null COMMENT 'host x, process 7'")
    monkeypatch.setattr(migration_lock, "LOCK_SECONDS", 0.5)
    store = open_one(target)
    with pytest.raises(EngineUnavailable, match="has been preparing the telemetry store") as caught:
        store.init()
    assert "host x, process 7" in caught.value.hint
    assert "DROP TABLE IF EXISTS mastra_admin_migrating" in caught.value.hint
    monkeypatch.setattr(migration_lock, "STALE_SECONDS", -1)
    store.init()
    store.insert([make_spans(trace := new_trace(), "s1")])
    assert len(store.trace(trace)) == 1
    store.close()


def test_another_shape_of_the_store_is_refused(node: Target) -> None:
    with new_database(node) as target:
        open_one(target).init()
        with pytest.raises(ObservabilityError, match="made for one machine, not for the cluster one without replicas"):
            open_one(target, cluster=CLUSTER, replicated=False).init()


@pytest.mark.slow  # the schema is made several times
@pytest.mark.parametrize("target", ["cluster"], indirect=True)
def test_views_are_made_anew_and_rows_stay(target: Target) -> None:
    first = open_one(target)
    trace = new_trace()
    first.insert([make_spans(trace, "s1"), make_chunk(make_span("started", trace, "s2", now()))])
    second = open_one(target, retention_days=60)
    second.insert([make_spans(trace, "s2", "s3")])
    assert sorted(second.trace(trace)["span_id"]) == ["s1", "s2", "s3"]
    # Whoever has the store open already goes on.
    first.insert([make_spans(trace, "s4")])
    assert len(first.trace(trace)) == 4
    first.close()
    second.close()


@pytest.mark.parametrize("replicated", [True, False], ids=["replicas", "no-replicas"])
def test_clickhouse_understands_every_statement_for_a_cluster(node: Target, replicated: bool) -> None:
    topology = Topology(CLUSTER, replicated, "mastra")
    statements = [
        *schema.list_statements(Retention(90, {"logs": 14}), topology),
        *schema.list_version_statements("x", Retention(), topology),
        *schema.list_retention_changes(Retention(0, {"logs": 14}), topology),
        *schema.list_ready_changes(topology),
        schema.purge_ended(topology),
    ]
    for sql in statements:
        run_sql(node, f"EXPLAIN AST {sql}")


# --- how long it is kept ----------------------------------------------------------------------------------------------


@pytest.mark.slow  # the schema is made several times
def test_each_signal_is_kept_as_long_as_is_said_also_when_that_changes(target: Target) -> None:
    trace, old = new_trace(), now() - timedelta(days=20)
    point = {"timestamp": iso(old), "name": "m", "value": 1, "score": 1, "traceId": trace}
    spans = make_chunk(make_span("ended", trace, "s1", old, 1), make_line("metric", point), make_line("score", point))
    logs = make_chunk(make_log("hello", old, traceId=trace), stream=Stream.LOGS)

    def read(store: ClickHouseStore) -> list[int]:
        asked = TelemetryFilter(trace_id=trace)
        return [len(reader(asked)) for reader in (store.spans, store.logs, store.metrics, store.scores)]

    store = open_one(target, retention={"logs": 14, "metrics": 7})
    store.insert([spans, logs])
    assert read(store) == [1, 0, 0, 1]
    assert list(store.rejects()["reason"]) == ["a time outside the kept range"] * 2
    longer = open_one(target, retention_days=30)
    longer.insert([spans, logs])
    assert read(longer) == [1, 1, 1, 1]
    shorter = open_one(target, retention={"scores": 10})
    shorter.init()
    # In time ClickHouse does this by itself.
    for table in ("mastra_admin_scores", "mastra_admin_logs"):
        run_sql(target, f"OPTIMIZE TABLE {kept_name(target, table)} FINAL")
    assert read(shorter) == [1, 1, 1, 0]
    for each in (store, longer, shorter):
        each.close()


# --- several who write ------------------------------------------------------------------------------------------------


def test_what_two_have_stored_at_once_is_read_once(target: Target) -> None:
    store, trace = open_one(target), new_trace()
    lines = [make_span("ended", trace, "s1", now(), 1), make_span("started", trace, "s2", now())]
    metric = make_line("metric", {"timestamp": iso(now()), "name": "m", "value": 1, "traceId": trace})
    store.insert([make_chunk(*lines, metric, "bad", path=trace)])
    store.insert([make_chunk(make_log("hello", now(), traceId=trace), stream=Stream.LOGS)])
    # As if both had looked before either had written: the rows are there twice.
    for table in ("spans_finished", "spans_open", "metrics", "logs", "rejects"):
        name = kept_name(target, f"mastra_admin_{table}")
        run_sql(target, f"INSERT INTO {name} SELECT * FROM {name} SETTINGS insert_deduplicate = 0")
        assert count(target, name) == 2, table
    asked = TelemetryFilter(trace_id=trace)
    assert sorted(store.trace(trace)["span_id"]) == ["s1", "s2"]
    assert len(store.spans(asked)) == 2
    assert [len(read(asked)) for read in (store.logs, store.metrics)] == [1, 1]
    assert len(store.rejects()) == 1
    assert store.sql("SELECT count() AS n FROM mastra_admin_spans")["n"].iloc[0] == 2
    store.close()


def test_open_spans_that_have_ended_are_tidied_up(target: Target) -> None:
    store, trace = open_one(target), new_trace()
    start = now()
    store.insert([make_chunk(*(make_span("started", trace, name, start) for name in ("s1", "s2")))])
    store.insert([make_chunk(make_span("ended", trace, "s1", start, 1))])
    assert count(target, kept_name(target, "mastra_admin_spans_open")) == 2
    assert store._inserter is not None
    store._inserter.purge()
    assert run_sql(target, f"SELECT span_id FROM {kept_name(target, 'mastra_admin_spans_open')}") == [("s2",)]
    assert list(store.trace(trace)["status"]) == ["ok", "running"]
    store.close()
