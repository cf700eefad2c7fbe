"""Talking to the engine with a real driver: results of every kind, refusals, and ends before their time."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException
from fixtures.engines import connect, running_engine

from mastra_admin_sdk.adapters.observability.clickhouse.embedded.protocol import encode_text, encode_varint
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.record import EngineRecord

SLOW = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineRecord]:
    folder = tmp_path_factory.mktemp("engine")
    (folder / "home").mkdir()
    (folder / "home" / "secret.key").write_text("the key", encoding="utf-8")
    (folder / "home" / "data.csv").write_text("1,2\n", encoding="utf-8")
    with running_engine(folder / "home") as (_, record):
        yield record


@pytest.fixture
def reader(engine: EngineRecord) -> Iterator[Client]:
    with connect(engine) as client:
        yield client


@pytest.fixture
def owner(engine: EngineRecord) -> Iterator[Client]:
    with connect(engine, owner=True) as client:
        yield client


def wait_until(condition: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.02)


def count_running(client: Client, text: str) -> int:
    sql = (
        "SELECT count() FROM system.processes WHERE position(query, %(text)s) > 0 AND position(query, 'processes') = 0"
    )
    return int(client.execute(sql, {"text": text})[0][0])


def begin(client: Client, sql: str) -> None:
    """Send a query and don't wait for its result."""
    client.establish_connection({})
    client.connection.send_query(sql)
    client.connection.send_external_tables(None)


VALUES = {
    "toUInt8(1)": 1,
    "toInt64(-5)": -5,
    "toUInt64(18446744073709551615)": 2**64 - 1,
    "toInt128('-170141183460469231731687303715884105728')": -(2**127),
    "toFloat64(0.1)": 0.1,
    "'it''s é🙂'": "it's é🙂",
    "toLowCardinality('x')": "x",
    "CAST(NULL, 'Nullable(String)')": None,
    "toNullable(toInt64(3))": 3,
    "true": True,
    "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')": uuid.UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
    "toDate('2026-01-02')": dt.date(2026, 1, 2),
    "toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC')": dt.datetime(2026, 1, 2, 3, 4, 5, 678000, dt.UTC),
    "toDecimal64(1.5, 2)": Decimal("1.50"),
    "['a', 'b']": ["a", "b"],
    "map('a', toUInt8(1))": {"a": 1},
    "(1, 'x')": (1, "x"),
    "CAST('a', 'Enum8(\\'a\\' = 1)')": "a",
    "array()": [],
}


@pytest.mark.parametrize("expression", VALUES)
def test_values_of_every_type_arrive(reader: Client, expression: str) -> None:
    ((value,),) = reader.execute(f"SELECT {expression}")
    if isinstance(value, dt.datetime):
        value = value.astimezone(dt.UTC)
    assert value == VALUES[expression]


def test_an_empty_result_has_its_columns(reader: Client) -> None:
    rows, columns = reader.execute("SELECT 1 AS a, 'x' AS b, now64(3, 'UTC') AS c WHERE 0", with_column_types=True)
    assert (rows, columns) == ([], [("a", "UInt8"), ("b", "String"), ("c", "DateTime64(3, 'UTC')")])


def test_results_come_as_numpy_and_arrow_too(engine: EngineRecord) -> None:
    sql = "SELECT number, toLowCardinality(toString(number % 3)) AS text FROM numbers(200000)"
    with connect(engine, settings={"use_numpy": True}) as client:
        frame = client.query_dataframe(sql)
        assert frame.shape == (200_000, 2)
        assert isinstance(frame["number"].to_numpy(), np.ndarray)
        assert client.query_dataframe(f"{sql} LIMIT 0").columns.tolist() == ["number", "text"]
    with connect(engine) as client:
        table = client.query_arrow(sql)
        assert (table.num_rows, table.column_names) == (200_000, ["number", "text"])
        assert client.query_arrow(f"{sql} LIMIT 0").column_names == ["number", "text"]


@pytest.mark.slow  # 300 MB through a socket
def test_a_big_result_arrives_whole_and_in_pieces(reader: Client) -> None:
    rows = size = 0
    for batch in reader.query_arrow_stream("SELECT number, repeat('x', 3000) AS text FROM numbers(100000)"):
        rows += batch.num_rows
        size += batch.nbytes
    assert rows == 100_000
    assert size > 300_000_000


@pytest.mark.parametrize("sql", ["SHOW TABLES", "SHOW DATABASES", "DESCRIBE TABLE system.one", "EXPLAIN SELECT 1"])
def test_what_is_there_can_be_looked_at(reader: Client, sql: str) -> None:
    rows, columns = reader.execute(sql, with_column_types=True)
    assert columns
    assert rows or sql == "SHOW TABLES"


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1;", "  select 1 -- why\n", "/* a; b */ SELECT 1", "WITH x AS (SELECT 1) SELECT * FROM x", "(SELECT 1)",
     "FROM system.one SELECT 1", "SELECT 1 UNION ALL SELECT 1 LIMIT 1", "SELECT 1 AS format", "SELECT $$1;2$$ = '1;2'",
     "SELECT 1 FORMAT JSON", "(SELECT 1) FORMAT `TSV`;",
     "SELECT FORMAT FROM (SELECT 1 AS FORMAT) ORDER BY FORMAT ASC"],
)  # fmt: skip
def test_a_query_may_be_written_in_any_way(reader: Client, sql: str) -> None:
    assert reader.execute(sql)[0] == (1,)


REFUSED = {
    "several": "SELECT 1; SELECT 2",
    "parallel": "SELECT 1 PARALLEL WITH SELECT 2",
    "table-function": "SELECT * FROM file('{home}/secret.key', 'LineAsString')",
    "quoted-table-function": "SELECT * FROM `file`('{home}/secret.key', 'LineAsString')",
    "commented-table-function": "SELECT * FROM file/* x */('{home}/secret.key', 'LineAsString')",
    "function": "SELECT file('{home}/secret.key')",
    "applied": "SELECT * APPLY(file) FROM (SELECT '{home}/secret.key')",
    "applied-lambda": "SELECT * APPLY(x -> file(x)) FROM (SELECT '{home}/secret.key')",
    "higher-order": "SELECT arrayMap(file, ['{home}/secret.key'])",
    "path": "SELECT * FROM '{home}/data.csv'",
    "quoted-path": "SELECT * FROM default.`{home}/data.csv`",
    "described": "DESCRIBE TABLE file('{home}/data.csv')",
    "explained": "EXPLAIN SELECT * FROM file('{home}/data.csv')",
    "glob": "SELECT * FROM fileCluster('x', '{home}/*')",
    "url": "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "remote": "SELECT * FROM remote('127.0.0.1', 'system', 'one')",
    "object-store": "SELECT * FROM s3('http://127.0.0.1:1/bucket/x.csv', 'CSV')",
    "sqlite": "SELECT * FROM sqlite('{home}/admin.db', 'builds')",
    "program": "SELECT * FROM executable('id', 'TSV', 'x String')",
    "python": "SELECT * FROM python('passwords')",
    "outfile": "SELECT 1 INTO OUTFILE '{home}/out.txt'",
    "insert": "INSERT INTO t VALUES",
    "insert-select": "INSERT INTO FUNCTION file('{home}/x.csv') SELECT 1",
    "create": "CREATE TABLE x (a Int8) ENGINE = Memory",
    "temporary": "CREATE TEMPORARY TABLE x (a Int8) ENGINE = Memory",
    "drop": "DROP TABLE t",
    "alter": "ALTER TABLE t DELETE WHERE 1",
    "set": "SET readonly = 0",
    "settings": "SELECT 1 SETTINGS readonly = 0",
    "use": "USE system",
    "kill": "KILL QUERY WHERE 1",
    "system": "SYSTEM STOP MERGES",
    "grant": "GRANT ALL ON *.* TO default",
    "backup": "BACKUP DATABASE mastra TO File('{home}/b')",
    "attach": "ATTACH DATABASE d",
    "execute-as": "EXECUTE AS default SELECT 1",
    "nothing": "",
    "only-a-comment": "-- nothing",
    "nonsense": "SELEKT 1",
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_reader_can_only_read_what_is_stored(
    reader: Client, owner: Client, engine: EngineRecord, tmp_path_factory: pytest.TempPathFactory, case: str
) -> None:
    owner.execute("CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = MergeTree ORDER BY a")
    home = next(path for path in tmp_path_factory.getbasetemp().glob("engine*/home") if path.is_dir())
    sql = REFUSED[case].format(home=home)
    with pytest.raises(ServerException) as caught:
        reader.execute(sql, [(1,)] if case == "insert" else None)
    assert "the key" not in str(caught.value)
    assert not (home / "out.txt").exists()
    assert not (home / "x.csv").exists()
    assert reader.execute("SELECT count(), getSetting('readonly') FROM t") == [(0, 1)]


def test_an_owner_inserts_and_changes(owner: Client, reader: Client) -> None:
    owner.execute("CREATE TABLE kept (s String, n UInt64, m Nullable(Float64)) ENGINE = MergeTree ORDER BY n")
    assert owner.execute("INSERT INTO kept (n, s, m) VALUES", [(1, "a", None), (2, "é", 2.5)]) == 2
    owner.execute("ALTER TABLE kept DELETE WHERE n = 1")
    assert reader.execute("SELECT * FROM kept") == [("é", 2, 2.5)]
    owner.execute("DROP TABLE kept")


def test_what_an_insert_fails_on_is_told(owner: Client, reader: Client) -> None:
    owner.execute("CREATE TABLE landing (n UInt8) ENGINE = Null")
    owner.execute("CREATE TABLE target (n UInt8) ENGINE = MergeTree ORDER BY n")
    owner.execute("CREATE MATERIALIZED VIEW v TO target AS SELECT n + throwIf(n = 3, 'three') AS n FROM landing")
    with pytest.raises(ServerException, match="three"):
        owner.execute("INSERT INTO landing (n) VALUES", [(1,), (3,)])
    assert owner.execute("INSERT INTO landing (n) VALUES", [(4,)]) == 1
    assert reader.execute("SELECT n FROM target") == [(4,)]
    with pytest.raises(ServerException, match="nowhere"):
        owner.execute("INSERT INTO nowhere (n) VALUES", [(1,)])
    with pytest.raises(ServerException, match="wrong"):
        owner.execute("INSERT INTO landing (wrong) VALUES", [(1,)])


def test_values_are_bound_beside_the_query(reader: Client) -> None:
    settings = {"param_text": "it's \\\\ \\n", "param_list": "['a', 'b']"}
    sql = "SELECT {text:String}, has({list:Array(String)}, 'b')"
    assert reader.execute(sql, settings=settings) == [("it's \\ \n", 1)]


def test_other_settings_are_refused_to_readers(reader: Client) -> None:
    with pytest.raises(ServerException, match="max_threads"):
        reader.execute("SELECT 1", settings={"max_threads": 1})
    assert reader.execute("SELECT 1", settings={"readonly": 1, "max_execution_time": 5}) == [(1,)]


def test_settings_of_an_owner_last_for_one_statement(owner: Client) -> None:
    owner.execute("CREATE TABLE made (a UInt8) ENGINE = Memory")
    sql = "INSERT INTO made SELECT getSetting('max_block_size') = 77"
    owner.execute(sql, settings={"max_block_size": 77})
    owner.execute(sql)
    assert sorted(owner.execute("SELECT a FROM made")) == [(0,), (1,)]


def test_a_failure_in_the_middle_of_a_result_is_told_and_the_connection_goes_on(reader: Client) -> None:
    with pytest.raises(ServerException, match="boom") as caught:
        reader.execute("SELECT throwIf(number = 150000, 'boom') FROM numbers(200000)")
    assert caught.value.code == 395
    assert reader.execute("SELECT 1") == [(1,)]


def test_a_slow_query_does_not_hold_up_a_quick_one(engine: EngineRecord, reader: Client) -> None:
    mark = "held up"
    with connect(engine) as slow:
        begin(slow, f"/* {mark} */ {SLOW}")
        wait_until(lambda: count_running(reader, mark) == 1)
        started = time.monotonic()
        for _ in range(20):
            assert reader.execute("SELECT 1") == [(1,)]
        assert time.monotonic() - started < 5
        assert count_running(reader, mark) == 1
    wait_until(lambda: count_running(reader, mark) == 0)  # its client has gone


def test_a_client_that_gives_up_ends_its_query(engine: EngineRecord, reader: Client) -> None:
    mark = "given up"
    with connect(engine) as client:
        begin(client, f"/* {mark} */ {SLOW}")
        wait_until(lambda: count_running(reader, mark) == 1)
        client.cancel()
        wait_until(lambda: count_running(reader, mark) == 0)
        assert client.execute("SELECT 1") == [(1,)]


def test_a_cancelled_query_leaves_its_connection_usable(engine: EngineRecord) -> None:
    with connect(engine) as client:
        begin(client, "SELECT number FROM numbers(100000000000)")
        client.receive_packet()
        client.cancel()
        assert client.execute("SELECT 1") == [(1,)]


def test_a_query_ends_when_its_time_is_over(reader: Client) -> None:
    started = time.monotonic()
    with pytest.raises(ServerException) as caught:
        reader.execute(SLOW, settings={"max_execution_time": 1})
    assert caught.value.code == 159
    assert time.monotonic() - started < 10
    assert reader.execute("SELECT 1") == [(1,)]


def test_too_much_memory_is_an_error_and_not_the_end(reader: Client) -> None:
    with pytest.raises(ServerException) as caught:
        reader.execute("SELECT length(groupArray(repeat('x', 1000))) FROM numbers(10000000)")
    assert caught.value.code == 241
    assert reader.execute("SELECT 1") == [(1,)]


@pytest.mark.slow  # fifty connections
def test_fifty_clients_are_served_at_once(engine: EngineRecord) -> None:
    answers: list[Any] = []

    def ask(number: int) -> None:
        with connect(engine) as client:
            for _ in range(4):
                answers.append(client.execute(f"SELECT {number}, count() FROM numbers(100000)"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(row[0][0] for row in answers) == sorted(number for number in range(50) for _ in range(4))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"password": "wrong"}, "Authentication failed"),
        ({"user": "default", "password": ""}, "Authentication failed"),
        ({"database": "other"}, "no database"),
    ],
    ids=["password", "user", "database"],
)
def test_a_stranger_is_turned_away(engine: EngineRecord, change: dict[str, str], text: str) -> None:
    with connect(engine) as good:
        arguments = {"user": "reader", "password": engine.reader_password, "database": "mastra", **change}
        with Client("127.0.0.1", port=engine.port, **arguments) as client, pytest.raises(ServerException, match=text):
            client.execute("SELECT 1")
        assert good.execute("SELECT 1") == [(1,)]


def test_what_is_not_supported_is_refused_in_words(engine: EngineRecord, reader: Client) -> None:
    with pytest.raises(ServerException, match="External tables are not supported"):
        reader.execute(
            "SELECT * FROM t", external_tables=[{"name": "t", "structure": [("a", "Int8")], "data": [{"a": 1}]}]
        )
    with connect(engine) as client:
        client.connection.connect()
        client.connection.compression = 1
        with pytest.raises(ServerException, match="Compression is not supported"):
            client.execute("SELECT 1")


@pytest.mark.parametrize(
    "noise",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x00", b"\x00" + b"\xff" * 64, b"", b"\x05", encode_varint(0) + encode_text("x") * 3],
    ids=["http", "half-a-hello", "endless-length", "nothing", "unknown-packet", "torn-hello"],
)
def test_noise_on_the_port_hurts_nobody(engine: EngineRecord, reader: Client, noise: bytes) -> None:
    with socket.create_connection(("127.0.0.1", engine.port), timeout=5) as stranger:
        stranger.sendall(noise)
        stranger.shutdown(socket.SHUT_WR)
        while stranger.recv(4096):
            pass
    assert reader.execute("SELECT 1") == [(1,)]
