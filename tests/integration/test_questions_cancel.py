"""A reader that gives up ends its query in the engine, in whatever way it gives up."""

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
from fixtures.lines import make_chunk, make_span, new_trace, now

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore
from mastra_admin_sdk.errors import QueryError
from mastra_admin_sdk.ports.observability import Listing, TelemetryFilter

SLOW = "SELECT count() AS n FROM numbers(100000000000) WHERE cityHash64(number, '{mark}') = 1"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseStore]:
    made = ClickHouseStore(home=tmp_path_factory.mktemp("home"))
    spans = (make_span("ended", new_trace(), "s", now(), 1, name=f"n{number}") for number in range(5_000))
    made.insert([make_chunk(*spans)])
    yield made
    made.stop()


def count_running(store: ClickHouseStore, mark: str) -> int:
    find = "SELECT count() AS n FROM system.processes WHERE position(query, 'formatQuery') = 0 AND position(query, {})"
    return int(store.sql(find.format(f"concat('{mark[:4]}', '{mark[4:]}')"))["n"].iloc[0])


def await_that(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.slow
def test_an_interrupt_from_the_keyboard_ends_the_query(store: ClickHouseStore, tmp_path: Path) -> None:
    mark = new_trace()
    home = str(store._home.path)  # type: ignore[union-attr]
    code = (
        "import sys\nfrom mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore\n"
        "store = ClickHouseStore(home=sys.argv[1])\n"
        "try:\n    store.sql(sys.argv[2])\nexcept KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    arguments = [sys.executable, "-c", code, home, SLOW.format(mark=mark)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as reader:
        await_that(lambda: count_running(store, mark) == 1, "the query has begun")
        reader.send_signal(signal.SIGINT)
        assert reader.stdout is not None
        assert reader.stdout.readline() == "interrupted\n"
        # The reader itself lives on: it is its giving up that ends the query.
        await_that(lambda: count_running(store, mark) == 0, "the query is gone")
        assert reader.poll() is None
        reader.communicate("", timeout=20)


def test_a_time_out_ends_the_query(store: ClickHouseStore) -> None:
    mark = new_trace()
    hasty = ClickHouseStore(home=store._home, timeout=1)
    with pytest.raises(QueryError):
        hasty.sql(SLOW.format(mark=mark))
    hasty.close()
    await_that(lambda: count_running(store, mark) == 0, "the query is gone")


def test_a_closed_iterator_ends_its_query_in_the_middle_of_the_result(store: ClickHouseStore) -> None:
    from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement

    mark = new_trace()
    sql = f"SELECT number, repeat('{mark}', 50) AS text FROM numbers(10000000000) WHERE sleepEachRow(0.00001) = 0"
    parts = store._stream("Reading numbers", Statement(sql))
    assert next(parts).num_rows > 0
    await_that(lambda: count_running(store, mark) == 1, "the query runs")
    parts.close()  # type: ignore[attr-defined]
    await_that(lambda: count_running(store, mark) == 0, "the query is gone")


@pytest.mark.parametrize("listing", [Listing.SPANS, Listing.TRACES])
def test_parts_that_nobody_takes_leave_nothing_running(store: ClickHouseStore, listing: Listing) -> None:
    mark = new_trace()
    parts: Any = store.iterate(listing, TelemetryFilter(limit=None, type=("tool_call", mark)), 10)
    assert len(next(parts)) == 10
    parts.close()
    find = "SELECT count() AS n FROM system.processes WHERE position(query, 'mastra_admin_spans_' || 'finished') > 0"
    await_that(lambda: int(store.sql(find)["n"].iloc[0]) == 0, "the query is gone")


@pytest.mark.slow
def test_others_are_answered_while_somebody_gives_up(store: ClickHouseStore) -> None:
    mark = new_trace()
    hasty = ClickHouseStore(home=store._home, timeout=2)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            hasty.sql(SLOW.format(mark=mark))
        except QueryError as exc:
            failed.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    await_that(lambda: count_running(store, mark) == 1, "the query has begun")
    assert len(store.spans(TelemetryFilter(limit=10))) == 10
    thread.join()
    hasty.close()
    assert failed
