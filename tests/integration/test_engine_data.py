"""Nothing is lost and nothing doubled: kills, refused lines, odd times, other schemas, and data with a known truth."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.clickhouse import SERVER_URL, find_named, new_database
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore, inserts, schema
from mastra_admin_sdk.adapters.observability.clickhouse.addresses import Role
from mastra_admin_sdk.errors import EngineUnavailable, ObservabilityError, QueryError
from mastra_admin_sdk.host import start_ticks
from mastra_admin_sdk.ports.observability import Chunk, Stream, TelemetryFilter

ORACLE = Path(__file__).parents[1] / "oracle" / "telemetry_truth.py"


@pytest.fixture
def open_engine(tmp_path: Path) -> Iterator[Callable[..., ClickHouseStore]]:
    """Open any number of stores on one home; the engine is ended afterwards."""
    with _open_many({"home": tmp_path / "home"}) as open_one:
        yield open_one


@pytest.fixture(params=["engine", *(["server"] if SERVER_URL else [])])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., ClickHouseStore]]:
    """Open any number of stores on one home, or on the server that is to be tested."""
    with ExitStack() as stack:
        where: dict[str, Any] = {"home": tmp_path / "home"}
        if request.param == "server" and (named := find_named()):
            where = stack.enter_context(new_database(named)).options
        yield stack.enter_context(_open_many(where))


@contextmanager
def _open_many(where: dict[str, Any]) -> Iterator[Callable[..., ClickHouseStore]]:
    opened: list[ClickHouseStore] = []

    def open_one(**options: Any) -> ClickHouseStore:
        opened.append(ClickHouseStore(**where, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.stop()


def count(store: ClickHouseStore, table: str) -> int:
    return int(store.sql(f"SELECT count() AS n FROM {table}")["n"].iloc[0])


def make_inserter(store: ClickHouseStore) -> inserts.Inserter:
    store.init()
    return inserts.Inserter(store._open(), lambda: None, store._topology)


def run_as_owner(store: ClickHouseStore, sql: str) -> None:
    store.init()
    with store._open().lend(Role.OWNER, "Testing", sql) as client:
        client.execute(sql)


def list_files(folder: Path, size: int) -> Iterator[Chunk]:
    for stream in Stream:
        for path in sorted((folder / stream).glob("*.jsonl")):
            with path.open("rb") as file:
                position = 0
                while body := file.read(size) + file.readline():
                    yield Chunk(stream, body, path.name, position)
                    position += len(body)


@pytest.mark.slow  # 40,000 lines, twice
def test_data_with_a_known_truth_comes_back_exactly(open_store: Callable[..., ClickHouseStore], tmp_path: Path) -> None:
    data, rows = tmp_path / "data", tmp_path / "rows.csv"
    made = [sys.executable, str(ORACLE), "generate", "--spans", "20000", "--bad", "50", "--out", str(data)]
    lines = json.loads(subprocess.run(made, check=True, capture_output=True, text=True).stdout)
    store = open_store()
    store.insert(list(list_files(data, 3_000_000)))
    store.insert(list(list_files(data, 1_000_000)))  # once more, cut elsewhere
    frame = store.sql(
        "SELECT trace_id, span_id, type, status, duration_ms, lower(hex(MD5(concat(input, output)))) AS md5 "
        "FROM mastra_admin_spans"
    )
    frame.to_csv(rows, index=False)
    verify = [sys.executable, str(ORACLE), "verify", "--truth", str(data / "truth.csv"), "--rows", str(rows)]
    result = json.loads(subprocess.run(verify, check=False, capture_output=True, text=True).stdout)
    assert result == {"expected": 20000, "stored": 20000, "lost": 0, "duplicated": 0, "wrong": 0}
    assert count(store, "mastra_admin_logs") == lines["log_lines"]
    assert len(store.rejects()) == 50
    assert set(store.spans(TelemetryFilter(limit=None, columns=("status",)))["status"]) == {"ok", "error"}


@pytest.mark.slow  # kills the engine again and again for some seconds
def test_nothing_acknowledged_is_lost_when_the_engine_is_killed(open_engine: Callable[..., ClickHouseStore]) -> None:
    store, watcher = open_engine(), open_engine()
    store.init()
    is_over = threading.Event()
    kills: list[int] = []

    def kill_now_and_then() -> None:
        dice = random.Random(5)
        # So many and no more: on a busy machine an engine would else hardly ever live long enough to answer.
        while len(kills) < 6 and not is_over.wait(dice.uniform(0.3, 0.9)):
            if pid := watcher.status().get("pid"):
                os.kill(pid, signal.SIGKILL)
                kills.append(pid)

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    trace, start = new_trace(), now() - timedelta(hours=1)
    acknowledged: list[str] = []
    try:
        for batch in range(15):
            ids = [f"{batch}-{n}" for n in range(50)]
            lines = [make_span(event, trace, span, start, 5) for span in ids for event in ("started", "ended")]
            insert_until_acknowledged(store, make_chunk(*lines, path="killed.jsonl", position=batch * 1_000_000))
            acknowledged += ids
            time.sleep(0.1)
    finally:
        is_over.set()
        killer.join()
    assert len(kills) >= 2
    stored = sorted(store.trace(trace)["span_id"])
    assert stored == sorted(acknowledged)


def insert_until_acknowledged(store: ClickHouseStore, chunk: Chunk) -> None:
    for _ in range(20):
        try:
            store.insert([chunk])
        except EngineUnavailable:
            continue
        return
    raise AssertionError("it was never acknowledged")


@pytest.mark.slow  # inserts 20,000 long lines twice and starts an engine again
def test_a_killed_insert_can_be_repeated(open_engine: Callable[..., ClickHouseStore]) -> None:
    store = open_engine()
    store.init()
    trace, start = new_trace(), now()
    lines = [make_span("ended", trace, f"s{n}", start, 5, output={"text": "x" * 500}) for n in range(20_000)]
    chunk = make_chunk(*lines, path="big.jsonl")
    pid = store.status()["pid"]
    killer = threading.Timer(0.15, lambda: os.kill(pid, signal.SIGKILL))
    killer.start()
    store.insert([chunk])  # repeats by itself
    killer.join()
    store.insert([chunk])
    assert len(store.trace(trace)) == 20_000
    assert start_ticks(pid) is None


@pytest.mark.slow  # writes 300 partitions
def test_spans_of_150_months_go_in_at_once(open_store: Callable[..., ClickHouseStore]) -> None:
    store = open_store(retention_days=0)
    trace, last = new_trace(), now()
    lines = [make_span("ended", trace, f"s{n}", last - timedelta(days=30.5 * n), 5) for n in range(150)]
    logs = [make_log(f"m{n}", last - timedelta(days=30.5 * n), traceId=trace) for n in range(150)]
    store.insert([make_chunk(*lines), make_chunk(*logs, stream=Stream.LOGS)])
    assert len(store.trace(trace)) == 150
    assert len(store.logs(TelemetryFilter(trace_id=trace))) == 150
    assert len(store.rejects()) == 0


@pytest.mark.slow  # halves two chunks down to the line, twice
def test_one_line_that_the_engine_refuses_never_stops_the_others(
    open_store: Callable[..., ClickHouseStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    # A view that fails on one line stands for whatever the engine may not be able to take.
    run_as_owner(store, "CREATE TABLE picky (n UInt8) ENGINE = Null")
    run_as_owner(
        store,
        "CREATE MATERIALIZED VIEW picky_view TO picky AS SELECT throwIf(position(body, 'poison') > 0, 'poisoned') AS n "
        "FROM mastra_admin_span_lines",
    )
    trace = new_trace()
    lines = [
        make_span("ended", trace, f"s{n}", now(), 1, name="poison" if n in {3, 77} else "fine") for n in range(100)
    ]
    for _ in range(2):
        store.insert([make_chunk(*lines[:50], path="a.jsonl"), make_chunk(*lines[50:], path="b.jsonl")])
    assert len(store.trace(trace)) == 98
    rejects = store.rejects()
    assert sorted(rejects["path"]) == ["a.jsonl", "b.jsonl"]
    assert set(rejects["reason"]) == {"refused by the engine (code 395)"}
    assert sorted(rejects["line"]) == sorted([lines[3], lines[77]])


@pytest.mark.parametrize("code", ["NOT_ENOUGH_SPACE", "TIMEOUT_EXCEEDED", "UNKNOWN_TABLE"])
def test_lines_are_not_rejected_for_trouble_that_passes(open_store: Callable[..., ClickHouseStore], code: str) -> None:
    store = open_store()
    number = {"NOT_ENOUGH_SPACE": 243, "TIMEOUT_EXCEEDED": 159, "UNKNOWN_TABLE": 60}[code]
    error = QueryError("no room", evidence={"code": number})
    chunk = make_chunk(make_span("ended", new_trace(), "s1", now(), 1))
    inserter = make_inserter(store)
    inserter._send = lambda batch: (_ for _ in ()).throw(error)  # type: ignore[method-assign]
    with pytest.raises(EngineUnavailable, match="no room"):
        inserter.insert([chunk])
    assert len(store.rejects()) == 0


def test_a_line_of_30_megabytes_is_stored(open_store: Callable[..., ClickHouseStore]) -> None:
    store = open_store()
    trace = new_trace()
    store.insert([make_chunk(make_span("ended", trace, "s1", now(), 1, output={"text": "x" * 30_000_000}))])
    assert store.sql("SELECT max(length(output)) AS n FROM mastra_admin_spans")["n"].tolist() == [30_000_011]


@pytest.mark.slow  # 20 MB in one chunk
def test_lines_of_one_span_far_apart_in_one_chunk_are_one_span(open_store: Callable[..., ClickHouseStore]) -> None:
    store = open_store()
    trace, start, text = new_trace(), now(), "x" * 1000
    begun = [make_span("started", trace, f"s{n}", start, name="told", input=text) for n in range(6000)]
    ended = [make_span("ended", trace, f"s{n}", start, 5, output=text) for n in range(6000)]
    store.insert([make_chunk(*begun, *ended, *ended)])
    found = store.sql("SELECT count() AS n, uniqExact(span_id) AS u, any(name) AS name FROM mastra_admin_spans")
    assert found.iloc[0].tolist() == [6000, 6000, "told"]
    assert count(store, "mastra_admin_spans_open") == 0


def test_open_spans_that_have_ended_are_purged(open_store: Callable[..., ClickHouseStore]) -> None:
    store = open_store()
    trace, start = new_trace(), now()
    for event in ("started", "updated", "ended"):
        store.insert([make_chunk(*(make_span(event, trace, f"s{n}", start, 5) for n in range(10)))])
    store.insert([make_chunk(make_span("started", trace, "left", start))])
    assert count(store, "mastra_admin_spans_open") >= 11
    make_inserter(store).purge()
    assert count(store, "mastra_admin_spans_open") == 1
    frame = store.trace(trace)
    assert (len(frame), frame["status"].tolist().count("running")) == (11, 1)


@pytest.mark.slow  # reads on and on while spans begin and end
def test_reads_while_spans_end_never_show_one_twice(open_store: Callable[..., ClickHouseStore]) -> None:
    store, other = open_store(), open_store()
    trace, start = new_trace(), now()
    store.insert([make_chunk(make_span("started", trace, "begun", start))])
    seen: list[list[str]] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            seen.append(list(other.trace(trace)["span_id"]))
            seen.append(list(other.sql("SELECT span_id FROM mastra_admin_spans")["span_id"]))

    reading = threading.Thread(target=read)
    reading.start()
    try:
        for n in range(15):
            store.insert([make_chunk(make_span("started", trace, f"s{n}", start))])
            store.insert([make_chunk(make_span("ended", trace, f"s{n}", start, 5))])
    finally:
        is_over.set()
        reading.join()
    assert seen
    assert all(len(ids) == len(set(ids)) for ids in seen)
    for fewer, more in zip(seen, seen[2:], strict=False):
        assert set(fewer) <= set(more), "a span disappeared for a moment"


def test_two_stores_prepare_one_home_at_once(open_engine: Callable[..., ClickHouseStore]) -> None:
    stores = [open_engine() for _ in range(4)]
    errors: list[BaseException] = []

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
    assert count(stores[0], schema.VERSION_TABLE) == 1


def test_another_retention_changes_views_and_tables_and_keeps_rows(open_store: Callable[..., ClickHouseStore]) -> None:
    trace, recent, old = new_trace(), now() - timedelta(days=20), now() - timedelta(days=40)
    open_store(retention_days=90).insert([make_chunk(make_span("ended", trace, "kept", recent, 1))])
    shorter = open_store(retention_days=30)
    shorter.insert([make_chunk(make_span("ended", trace, "late", old, 1))])
    assert list(shorter.trace(trace)["span_id"]) == ["kept"]
    assert list(shorter.rejects()["reason"]) == ["a time outside the kept range"]
    created = shorter.sql(
        "SELECT create_table_query AS q FROM system.tables WHERE database = currentDatabase() "
        "AND name LIKE 'mastra_admin_spans_finished%' AND engine LIKE '%MergeTree'"
    )
    assert "toIntervalDay(30)" in created["q"].iloc[0]
    longest = open_store(retention_days=0)
    longest.insert([make_chunk(make_span("ended", trace, "ancient", datetime(2001, 1, 1, tzinfo=UTC), 1))])
    assert list(longest.trace(trace)["span_id"]) == ["ancient", "kept"]


def test_a_store_of_a_newer_version_is_refused(open_store: Callable[..., ClickHouseStore]) -> None:
    store = open_store()
    newer = schema.SCHEMA_VERSION + 1
    sql = (
        f"INSERT INTO {schema.VERSION_TABLE} (version, fingerprint, applied_at) "
        f"SELECT {newer}, 'newer', now64(6, 'UTC')"
    )
    run_as_owner(store, sql)
    with pytest.raises(ObservabilityError, match=f"schema {newer}; this version knows up to {newer - 1}"):
        open_store().init()


def test_lines_can_not_pass_before_all_views_are_there(open_store: Callable[..., ClickHouseStore]) -> None:
    store = open_store()
    run_as_owner(store, f"ALTER TABLE mastra_admin_span_lines DROP COLUMN {schema.READY_COLUMN}")
    chunk = make_chunk(make_span("ended", new_trace(), "s1", now(), 1))
    with pytest.raises(EngineUnavailable):
        make_inserter(store).insert([chunk])
    assert len(store.rejects()) == 0


def test_what_people_ask_in_sql_is_a_frame_with_fitting_dtypes(open_store: Callable[..., ClickHouseStore]) -> None:
    store = open_store()
    trace, start = new_trace(), now()
    line = make_line("metric", {"timestamp": iso(start), "name": "m", "value": 1.5, "traceId": trace})
    store.insert([make_chunk(make_span("ended", trace, "s1", start, 7, name="it's"), line)])
    query = (
        "SELECT name, type, duration_ms, start_time FROM mastra_admin_spans "
        "WHERE name = %(name)s AND %(day)s < start_time"
    )
    for wanted, found in (("it's", 1), ("nobody", 0)):
        frame = store.sql(query, {"name": wanted, "day": start - timedelta(days=1)})
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
            "name": "category",
            "type": "category",
            "duration_ms": "Int64",
            "start_time": "datetime64[ms, UTC]",
        }
        assert len(frame) == found
    odd = store.sql("SELECT tuple(1, 'a') AS t, unhex('ff') AS bytes, [1, 2] AS list, now() AS n, NULL AS nothing")
    assert (odd["t"].iloc[0], odd["bytes"].iloc[0], list(odd["list"].iloc[0])) == ((1, "a"), b"\xff", [1, 2])
    assert str(odd["n"].dtype) == "datetime64[ms, UTC]"
    names = ["spans", "spans_finished", "logs", "metrics", "scores", "feedback", "rejects"]
    assert [count(store, f"mastra_admin_{name}") for name in names] == [1, 1, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT\n  nope FROM mastra_admin_spans", "nope"),
        ("DROP TABLE mastra_admin_logs", "readonly"),
        ("SELECT * FROM file('/etc/passwd')", "file is refused|readonly mode"),
    ],
    ids=["unknown-column", "drop", "file"],
)
def test_a_failed_query_says_why_and_shows_its_first_line(
    open_store: Callable[..., ClickHouseStore], query: str, text: str
) -> None:
    with pytest.raises(QueryError, match=text) as caught:
        open_store().sql(query)
    assert caught.value.evidence["sql"] == query.splitlines()[0]
    assert caught.value.evidence["code"]
    assert "Stack trace" not in str(caught.value)


def test_a_query_that_needs_too_much_memory_is_ended(open_engine: Callable[..., ClickHouseStore]) -> None:
    with pytest.raises(QueryError, match="memory limit") as caught:
        open_engine().sql("SELECT length(groupArray(repeat('x', 1000))) FROM numbers(10000000)")
    assert "engine_memory_mb" in caught.value.hint


def test_a_query_that_takes_too_long_is_ended(open_store: Callable[..., ClickHouseStore]) -> None:
    store = open_store(timeout=1.0)
    with pytest.raises(QueryError, match="Timeout exceeded"):
        store.sql("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1")
