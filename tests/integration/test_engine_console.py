"""Debian's clickhouse-client (18.16) against the engine: an old client of the native protocol that isn't a driver."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from fixtures.engines import connect, running_engine

from mastra_admin_sdk.adapters.observability.clickhouse.embedded.record import EngineRecord

PROGRAM = shutil.which("clickhouse-client")

pytestmark = [
    pytest.mark.slow,  # starts an engine, and a program for every query
    pytest.mark.skipif(PROGRAM is None, reason="clickhouse-client isn't installed (apt-get install clickhouse-client)"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineRecord]:
    with running_engine(tmp_path_factory.mktemp("console") / "home") as (_, record):
        yield record


def make_command(engine: EngineRecord, sql: str, *more: str, owner: bool = False, compression: int = 0) -> list[str]:
    who = ("admin", engine.owner_password) if owner else ("reader", engine.reader_password)
    return [
        *(str(PROGRAM), "--host", "127.0.0.1", "--port", str(engine.port), "--user", who[0], "--password", who[1]),
        *("--database", "mastra", "--compression", str(compression), *more, "--query", sql),
    ]


def run(command: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("sql", "output"),
    [
        ("SELECT 1 AS a, 'x' AS b", "1\tx\n"),
        ("SELECT number FROM numbers(2) FORMAT JSONEachRow", '{"number":"0"}\n{"number":"1"}\n'),
        ("SELECT toLowCardinality('a'), [1, 2], (1, 'x'), CAST(NULL, 'Nullable(Int8)')", "a\t[1,2]\t(1,'x')\t\\N\n"),
        ("SELECT count() FROM numbers(1000000)", "1000000\n"),
        ("EXISTS TABLE system.one", "1\n"),
        ("SELECT toString(toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC'))", "2026-01-02 03:04:05.678\n"),
    ],
)
def test_queries_are_answered(engine: EngineRecord, sql: str, output: str) -> None:
    done = run(make_command(engine, sql))
    assert (done.stdout, done.returncode) == (output, 0), done.stderr


def test_several_queries_go_one_by_one(engine: EngineRecord) -> None:
    assert run(make_command(engine, "SELECT 1; SELECT 2", "--multiquery")).stdout == "1\n2\n"


def test_what_is_given_in_a_format_is_inserted(engine: EngineRecord) -> None:
    columns = "a Int64, b String, c LowCardinality(String), d Nullable(Float64), e Date"
    given = '1,"x","l",1.5,2020-01-01\n2,"y","m",\\N,2020-01-02\n'
    for sql, lines in (
        (f"CREATE TABLE told ({columns}) ENGINE = Memory", ""),
        ("INSERT INTO told FORMAT CSV", given),
        ("INSERT INTO told VALUES (3, 'z', 'n', NULL, '2021-01-01')", ""),
    ):
        done = run(make_command(engine, sql, owner=True), lines)
        assert done.returncode == 0, done.stderr
    assert run(make_command(engine, "SELECT a, b, c, d FROM told ORDER BY a")).stdout == (
        "1\tx\tl\t1.5\n2\ty\tm\t\\N\n3\tz\tn\t\\N\n"
    )


@pytest.mark.parametrize(
    ("sql", "more", "code", "text"),
    [
        ("SELECT throwIf(number = 100000, 'boom') FROM numbers(200000) FORMAT Null", [], 395, "boom"),
        ("CREATE TABLE x (a Int8) ENGINE = Memory", [], 164, "readonly"),
        ("SELECT * FROM file('/etc/passwd')", [], 497, "file is refused"),
        ("SELECT 1", ["--max_threads", "1"], 48, "The setting max_threads can't be read"),
        ("SELECT sleep(3)", ["--max_execution_time", "1"], 159, "Timeout exceeded"),
        ("SELECT now64(3)", [], 50, "DateTime64"),
    ],
    ids=["in-the-middle", "change", "file", "setting", "time-out", "type-it-does-not-know"],
)
def test_what_fails_is_told(engine: EngineRecord, sql: str, more: list[str], code: int, text: str) -> None:
    done = run(make_command(engine, sql, *more))
    assert done.returncode == code & 255
    assert f"Code: {code}" in done.stderr
    assert text in done.stderr


def test_compression_is_refused_with_what_to_do_instead(engine: EngineRecord) -> None:
    done = run(make_command(engine, "SELECT 1", compression=1))
    assert "Compression is not supported" in done.stderr
    assert "--compression 0" in done.stderr


def test_an_interrupt_ends_the_query(engine: EngineRecord) -> None:
    sql = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
    process = subprocess.Popen(make_command(engine, sql), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    find = "SELECT count() FROM system.processes WHERE position(query, 'sipHash' || '64(number) = 1') > 0"
    try:
        with connect(engine) as client:
            wait_for_count(client, find, 1)
            process.send_signal(signal.SIGINT)
            wait_for_count(client, find, 0)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()


def wait_for_count(client: object, sql: str, wanted: int) -> None:
    deadline = time.monotonic() + 20
    while client.execute(sql) != [(wanted,)]:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.05)
