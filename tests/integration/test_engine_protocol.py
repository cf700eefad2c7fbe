"""What the engine's protocol carries besides plain reads: settings, kills, large inserts and results, odd clients."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException
from fixtures.engines import connect, running_engine

from mastra_admin_sdk.adapters.observability.clickhouse.embedded.launcher import EngineLauncher
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.record import EngineRecord

SLOW = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"

INTERRUPTED = """
import sys
from clickhouse_driver import Client
port, password, mark = sys.argv[1:]
client = Client("127.0.0.1", port=int(port), user="reader", password=password, database="mastra")
try:
    client.execute(f"/* {mark} */ SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EngineLauncher, EngineRecord]]:
    with running_engine(tmp_path_factory.mktemp("protocol") / "home", memory_mb=1500) as (launcher, record):
        yield launcher, record


@pytest.fixture
def engine(running: tuple[EngineLauncher, EngineRecord]) -> EngineRecord:
    return running[1]


@pytest.fixture
def reader(engine: EngineRecord) -> Iterator[Client]:
    with connect(engine) as client:
        yield client


@pytest.fixture
def owner(engine: EngineRecord) -> Iterator[Client]:
    with connect(engine, owner=True) as client:
        yield client


def wait_until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.02)


def is_running(client: Client, mark: str) -> bool:
    sql = "SELECT count() FROM system.processes WHERE position(query, %(mark)s) > 0 AND position(query, 'system') = 0"
    return bool(client.execute(sql, {"mark": mark})[0][0])


def read_peak_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


# --- ends -------------------------------------------------------------------------------------------------------------


def test_a_query_is_killed_by_the_id_that_its_client_gave_it(engine: EngineRecord, reader: Client) -> None:
    errors: list[ServerException] = []

    def ask() -> None:
        with connect(engine) as client, pytest.raises(ServerException) as caught:
            client.execute(SLOW, query_id="a slow one")
        errors.append(caught.value)

    asking = threading.Thread(target=ask)
    asking.start()
    killed: list[tuple[str, str]] = []
    wait_until(lambda: killed.extend(reader.execute("KILL QUERY WHERE query_id = 'a slow one'")) or killed)
    asking.join(20)
    assert killed == [("waiting", "a slow one")]
    assert (errors[0].code, "ended by KILL QUERY" in str(errors[0])) == (394, True)
    assert reader.execute("KILL QUERY WHERE query_id = 'a slow one'") == []
    with pytest.raises(ServerException, match=r"Only KILL QUERY WHERE query_id"):
        reader.execute("KILL QUERY WHERE 1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_the_query_of_a_process_that_is_ended_ends(
    engine: EngineRecord, reader: Client, number: signal.Signals
) -> None:
    mark = f"of a process: {number}"
    command = [sys.executable, "-c", INTERRUPTED, str(engine.port), engine.reader_password, mark]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        wait_until(lambda: is_running(reader, mark))
        process.send_signal(number)
        wait_until(lambda: not is_running(reader, mark))
    finally:
        process.kill()
        said = process.communicate(timeout=20)[0]
    assert said == ("interrupted\n" if number is signal.SIGINT else "")


def test_a_query_that_waits_for_its_turn_says_so_and_is_given_up_with_its_client(engine: EngineRecord) -> None:
    slow = [connect(engine) for _ in range(6)]
    try:
        for place, client in enumerate(slow):
            client.establish_connection({})
            client.connection.send_query(SLOW, query_id=f"hog {place}")
            client.connection.send_external_tables(None)
        with connect(engine) as client:
            # The kill needs no session for reading: it gets through when all of them are taken.
            wait_until(lambda: client.execute("KILL QUERY WHERE query_id = 'nobody'") == [])
            with pytest.raises(ServerException) as caught:
                client.execute("SELECT count() FROM numbers(10000)", settings={"max_execution_time": 1})
            assert caught.value.code in {159, 202}
            assert len(client.execute("KILL QUERY WHERE query_id = 'hog 0'")) == 1
            wait_until(lambda: client.execute("SELECT 1") == [(1,)])
    finally:
        for client in slow:
            client.disconnect()


# --- inserts ----------------------------------------------------------------------------------------------------------


def test_settings_of_an_insert_are_in_force_for_it_alone(owner: Client) -> None:
    owner.execute("CREATE TABLE counted (n UInt8) ENGINE = Null")
    owner.execute("CREATE TABLE seen (size UInt64) ENGINE = Memory")
    owner.execute(
        "CREATE MATERIALIZED VIEW looks TO seen AS SELECT getSetting('max_threads')::UInt64 AS size FROM counted"
    )
    for settings in ({"max_threads": 1}, {}):
        owner.execute("INSERT INTO counted VALUES", [(1,)], settings=settings)
    sizes = [row[0] for row in owner.execute("SELECT size FROM seen")]
    assert sorted(sizes) == [1, 2]
    with pytest.raises(ServerException, match="no_such_setting"):
        owner.execute("INSERT INTO counted VALUES", [(1,)], settings={"no_such_setting": 1})
    owner.execute("INSERT INTO counted VALUES", [(1,)])


@pytest.mark.slow  # 80 and 300 MB through a socket
def test_large_inserts_go_through_a_file_and_larger_ones_are_refused_whole(owner: Client, engine: EngineRecord) -> None:
    owner.execute("CREATE TABLE large (line String) ENGINE = MergeTree ORDER BY tuple()")
    line = "x" * 4_000_000
    owner.execute("INSERT INTO large VALUES", [(line,)] * 20)
    assert owner.execute("SELECT count(), sum(length(line)) FROM large") == [(20, 80_000_000)]
    with pytest.raises(ServerException, match="at most 268435456 fit") as caught:
        owner.execute("INSERT INTO large VALUES", [(line,)] * 70)
    assert caught.value.code == 241
    assert owner.execute("SELECT count() FROM large") == [(20,)]
    assert not list((Path(f"/proc/{engine.pid}/cwd") / "clickhouse" / "tmp").iterdir())
    owner.execute("DROP TABLE large")


def test_an_insert_that_needs_too_much_memory_is_refused_and_nothing_is_stored(owner: Client) -> None:
    owner.execute("CREATE TABLE fed (n UInt8) ENGINE = Null")
    owner.execute("CREATE TABLE kept (n UInt64) ENGINE = Memory")
    owner.execute(
        "CREATE MATERIALIZED VIEW hungry TO kept AS "
        "SELECT length(groupArray(repeat('x', 1000))) AS n FROM fed CROSS JOIN (SELECT * FROM numbers(10000000)) AS m"
    )
    with pytest.raises(ServerException) as caught:
        owner.execute("INSERT INTO fed VALUES", [(1,)])
    assert caught.value.code == 241
    assert owner.execute("SELECT count() FROM kept") == [(0,)]
    assert owner.execute("SELECT 1") == [(1,)]


# --- results ----------------------------------------------------------------------------------------------------------

COLUMNS = {
    "text": "String",
    "category": "LowCardinality(String)",
    "moment": "DateTime64(3, 'UTC')",
    "ended": "Nullable(DateTime64(3, 'UTC'))",
    "duration": "Nullable(Int64)",
    "value": "Float64",
    "maybe": "Nullable(Float64)",
    "flag": "Bool",
    "key": "UInt64",
    "position": "UInt32",
    "day": "Date",
    "labels": "Map(String, String)",
    "list": "Array(String)",
}


@pytest.mark.parametrize("rows", [0, 3, 20_000])
def test_every_type_of_the_schema_comes_plain_as_numpy_and_as_a_frame(engine: EngineRecord, rows: int) -> None:
    names = ", ".join(COLUMNS)
    types = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items()).replace("'", "\\'")
    sql = f"SELECT {names} FROM generateRandom('{types}', 7, 10, 3) LIMIT {rows}"
    with connect(engine) as client:
        plain, told = client.execute(sql, with_column_types=True)
        assert [(name, kind) for name, kind in told] == list(COLUMNS.items())
        assert len(plain) == rows
    with connect(engine, settings={"use_numpy": True}) as client:
        columns = client.execute(sql, columnar=True)
        frame = client.query_dataframe(sql)
    assert [len(column) for column in columns] == ([rows] * len(COLUMNS) if rows else [])
    assert (list(frame.columns), len(frame)) == (list(COLUMNS), rows)
    assert frame["key"].tolist() == [row[list(COLUMNS).index("key")] for row in plain]
    assert [str(text) for text in frame["text"]] == [row[0] for row in plain]


@pytest.mark.slow  # a gigabyte through a socket
def test_a_gigabyte_is_streamed_with_bounded_memory_on_both_sides(tmp_path: Path) -> None:
    script = (
        "import sys; from clickhouse_driver import Client\n"
        "port, password = sys.argv[1:]\n"
        "client = Client('127.0.0.1', port=int(port), user='reader', password=password, database='mastra')\n"
        "size = sum(batch.nbytes for batch in client.query_arrow_stream("
        "\"SELECT number, repeat('x', 1000) AS text FROM numbers(1000000)\"))\n"
        "lines = open('/proc/self/status').read().splitlines()\n"
        "peak = next(line for line in lines if line.startswith('VmHWM')).split()[1]\n"
        "print(size // 2**20, int(peak) // 1024)"
    )
    with running_engine(tmp_path / "home", memory_mb=1500) as (_, record):
        before = read_peak_mb(record.pid)
        command = [sys.executable, "-c", script, str(record.port), record.reader_password]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        size, client_peak = map(int, done.stdout.split())
        assert size > 950
        assert client_peak < 400
        assert read_peak_mb(record.pid) - before < 400


def test_a_failure_after_many_blocks_comes_instead_of_the_rest(engine: EngineRecord) -> None:
    sql = "SELECT number, throwIf(number = 150000, 'boom') AS x FROM numbers(200000)"
    for settings in ({}, {"use_numpy": True}):
        with connect(engine, settings=settings) as client:
            with pytest.raises(ServerException, match="boom"):
                client.query_dataframe(sql)
            assert client.execute("SELECT 1 AS a", columnar=True)[0][0] == 1
    with connect(engine) as client:
        seen: list[int] = []
        with pytest.raises(ServerException, match="boom"):
            seen.extend(row[0] for row in client.execute_iter(sql))
        assert 8000 < len(seen) < 150_000


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_messages_are_as_a_server_writes_them(reader: Client) -> None:
    with pytest.raises(ServerException) as caught:
        reader.execute("SELECT nothing")
    assert caught.value.message.startswith("DB::Exception: Unknown expression identifier `nothing`")
    with pytest.raises(ServerException) as caught:
        reader.execute("SELECT 1 +")
    assert "formatQuerySingleLine" not in caught.value.message
    with pytest.raises(ServerException) as caught:
        reader.execute("SELECT 1 SETTINGS max_threads = 1")
    assert "/*" not in caught.value.message


def test_an_insert_of_a_type_that_is_not_supported_is_refused(owner: Client) -> None:
    owner.execute("CREATE TABLE listed (names Array(String)) ENGINE = Memory")
    with pytest.raises(ServerException, match=r"A column of type Array\(String\) can't be inserted"):
        owner.execute("INSERT INTO listed VALUES", [(["a"],)])


def test_texts_of_low_cardinality_are_inserted_as_text(owner: Client) -> None:
    owner.execute(
        "CREATE TABLE worded (name LowCardinality(String), n LowCardinality(Nullable(String))) ENGINE = Memory"
    )
    owner.execute("INSERT INTO worded VALUES", [("a", None), ("b", "c")])
    assert owner.execute("SELECT name, n FROM worded ORDER BY name") == [("a", None), ("b", "c")]
