"""The parts of the store that need no engine: URLs, batches, schema text, errors, listeners."""

from __future__ import annotations

import os
import re
import socket
from itertools import pairwise
from pathlib import Path

import pytest
from clickhouse_driver import errors as driver
from hypothesis import given
from hypothesis import strategies as st

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore, inserts, schema
from mastra_admin_sdk.adapters.observability.clickhouse.addresses import Role, find_server, parse_address
from mastra_admin_sdk.adapters.observability.clickhouse.clients import make_call
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.listener import owns_listener
from mastra_admin_sdk.adapters.observability.clickhouse.migration import check_server
from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement
from mastra_admin_sdk.adapters.observability.clickhouse.translation import translate_errors
from mastra_admin_sdk.errors import EngineUnavailable, InvalidInput, ObservabilityError, QueryError
from mastra_admin_sdk.ports.observability import Chunk, Stream

# --- where ------------------------------------------------------------------------------------------------------------


def test_a_url_says_where_and_as_whom() -> None:
    address = parse_address("clickhouse://me:s3cr3t@db.example.com:9001/mastra?connect_timeout=3")
    assert (address.host, address.port, address.database) == ("db.example.com", 9001, "mastra")
    assert (address.user, address.password) == ("me", "s3cr3t")
    assert "s3cr3t" not in repr(address)
    assert find_server("clickhouses://db")(Role.READER).port == 9440


@pytest.mark.parametrize("url", ["http://db:8123", "clickhouse://", "postgresql://db/x", "db:9000"])
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="no URL of a ClickHouse server"):
        ClickHouseStore(url)


def test_a_store_needs_a_url_or_a_home() -> None:
    with pytest.raises(InvalidInput, match="URL of a server or a home"):
        ClickHouseStore()
    with pytest.raises(InvalidInput, match="-1 days"):
        ClickHouseStore("clickhouse://db", retention_days=-1)


def test_neither_repr_nor_description_has_a_password(tmp_path: Path) -> None:
    store = ClickHouseStore("clickhouse://me:s3cr3t@db:9001/mastra")
    assert repr(store) == "ClickHouseStore(ClickHouse server at db:9001/mastra)"
    assert repr(ClickHouseStore(home=tmp_path)) == f"ClickHouseStore(ClickHouse engine of {tmp_path})"


def test_a_server_that_is_not_there_is_said_to_be_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    store = ClickHouseStore(f"clickhouse://127.0.0.1:{port}/mastra")
    status = store.status()
    assert (status["engine"], status["running"]) == ("server", False)
    with pytest.raises(EngineUnavailable, match="the connection to the analytics engine broke"):
        store.init()


def test_a_status_starts_nothing(tmp_path: Path) -> None:
    store = ClickHouseStore(home=tmp_path)
    assert store.status() == {"engine": "embedded", "running": False, "home": str(tmp_path)}
    store.stop()
    assert not (tmp_path / "run" / "engine.json").exists()


# --- lines ------------------------------------------------------------------------------------------------------------

BODIES = st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b" ")), min_size=1, max_size=30)


@given(BODIES)
def test_halving_ends_at_single_lines_and_keeps_every_one(lines: list[bytes]) -> None:
    body = b"".join(line + b"\n" for line in lines)
    waiting, found = [[Chunk(Stream.SPANS, body, "a", 100)]], []
    while waiting:
        batch = waiting.pop()
        parts = inserts.halve(batch)
        if parts is None:
            found.append(batch[0])
        else:
            waiting += parts
    found.sort(key=lambda chunk: chunk.position)
    assert [chunk.body for chunk in found] == [line + b"\n" for line in lines]
    assert next(chunk.position for chunk in found) == 100
    for one, next_one in pairwise(found):
        assert next_one.position == one.position + len(one.body)


def test_batches_are_of_one_stream_and_of_bounded_size() -> None:
    big = b"x" * (inserts.BATCH_BYTES // 2 + 1)
    chunks = [
        Chunk(Stream.LOGS, b"l1\n"),
        Chunk(Stream.SPANS, big, "1"),
        Chunk(Stream.SPANS, b""),
        Chunk(Stream.LOGS, b"l2\n"),
        Chunk(Stream.SPANS, big, "2"),
        Chunk(Stream.SPANS, b"small\n", "3"),
    ]
    batches = [[chunk.path or chunk.body for chunk in batch] for batch in inserts.make_batches(chunks)]
    assert batches == [["1"], ["2", "3"], [b"l1\n", b"l2\n"]]


# --- schema -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [0, 90])
def test_the_schema_is_filled_in_and_can_be_repeated(days: int) -> None:
    statements = schema.list_statements(days)
    assert all(
        re.match(r"CREATE (TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS mastra_admin_\w+", text) for text in statements
    )
    assert not any("{{" in text or "--" in text for text in statements)
    assert any("TTL" in text for text in statements) is bool(days)
    assert schema.make_fingerprint(statements) != schema.make_fingerprint(schema.list_statements(days + 1))


def test_stations_are_what_keeps_nothing() -> None:
    statements = schema.list_statements(90)
    stations = schema.list_stations(statements)
    assert stations[:3] == ["mastra_admin_span_lines", "mastra_admin_log_lines", "mastra_admin_refused_lines"]
    assert "mastra_admin_spans" in stations
    assert "mastra_admin_span_rows" in stations
    kept = {
        "mastra_admin_spans_finished",
        "mastra_admin_spans_open",
        "mastra_admin_trace_times",
        "mastra_admin_logs",
        "mastra_admin_rejects",
    }
    assert not kept & set(stations)
    assert len(stations) + 8 == len(statements)


def test_every_version_of_the_schema_has_its_migration() -> None:
    assert sorted(schema.MIGRATIONS) == list(range(2, schema.SCHEMA_VERSION + 1))


def test_a_server_too_old_for_the_schema_is_refused_with_the_version_it_needs() -> None:
    class Info:
        version_major, version_minor = 18, 16

    with pytest.raises(ObservabilityError, match=r"18\.16, which is too old") as caught:
        check_server(Info())
    assert "24.3" in caught.value.hint


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "expected", "text"),
    [
        (driver.NetworkError("refused"), EngineUnavailable, "connection"),
        (driver.SocketTimeoutError("slow"), EngineUnavailable, "connection"),
        (EOFError("gone"), EngineUnavailable, "connection"),
        (ConnectionResetError("reset"), EngineUnavailable, "connection"),
        (driver.ServerException("Code: 516. wrong", 516), EngineUnavailable, "refused user or password"),
        (driver.ServerException("Code: 241. DB::Exception: Memory limit", 241), QueryError, "Memory limit"),
        (driver.ServerException("Code: 60. DB::Exception: Unknown table x. Stack trace: …", 60), QueryError, "table x"),
        (driver.PartiallyConsumedQueryError(), QueryError, "Simultaneous queries"),
    ],
    ids=["network", "time-out", "eof", "reset", "password", "memory", "table", "driver"],
)
def test_errors_of_the_driver_become_ours(raised: Exception, expected: type[Exception], text: str) -> None:
    with pytest.raises(expected, match=text) as caught, translate_errors("Reading spans", "SELECT 1\nFROM x"):
        raise raised
    assert caught.value.__cause__ is raised
    assert "Reading spans failed" in str(caught.value)
    assert "Stack trace" not in str(caught.value)


# --- listeners --------------------------------------------------------------------------------------------------------


def test_a_listener_is_known_by_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert owns_listener(os.getpid(), port)
        assert not owns_listener(os.getppid(), port)
        assert not owns_listener(2**22 + 1, port)
    assert not owns_listener(os.getpid(), port)


# --- binding ----------------------------------------------------------------------------------------------------------


class Connected:
    """A client that is connected to a server of some protocol revision."""

    def __init__(self, revision: int) -> None:
        self.connection = self
        self.server_info = self
        self.used_revision = revision


def test_values_travel_to_a_server_as_parameters_and_to_the_engine_as_settings() -> None:
    statement = Statement("SELECT {x:String}", {"x": "it's\t", "n": 5}, has_fixed_columns=True)
    settings = {"max_execution_time": 9}
    assert make_call(Connected(54468), statement, settings) == {
        "query": "SELECT {x:String}",
        "params": {"x": "it's\t", "n": 5},
        "settings": {"max_execution_time": 9, "use_numpy": True, "server_side_params": True},
    }
    assert make_call(Connected(54429), statement, settings) == {
        "query": "SELECT {x:String}",
        "settings": {
            "max_execution_time": 9,
            "use_numpy": True,
            "columns_by_text": 1,
            "param_x": "it's\\t",
            "param_n": "5",
        },
    }
