"""A newer and an older version meet: at an engine that runs, and at the data of another chDB."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.engines import connect, make_launcher, running_engine

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore
from mastra_admin_sdk.adapters.observability.clickhouse.embedded import launcher as launching
from mastra_admin_sdk.adapters.observability.clickhouse.embedded import upgrade
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.launcher import EngineLauncher
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.record import CONTRACT, VERSION_NAME, EngineRecord
from mastra_admin_sdk.errors import EngineUnavailable
from mastra_admin_sdk.host import start_ticks

pytestmark = pytest.mark.slow  # starts engines


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[EngineLauncher, EngineRecord]]:
    with running_engine(tmp_path / "home") as found:
        yield found


def rewrite(home: Path, record: EngineRecord, **changes: Any) -> None:
    """Let a running engine look like that of another version."""
    written = home / "run" / "engine.json"
    written.write_text(json.dumps({**asdict(record), **changes}), encoding="utf-8")


def test_an_engine_of_an_older_version_is_replaced(
    running: tuple[EngineLauncher, EngineRecord], tmp_path: Path
) -> None:
    launcher, old = running
    with connect(old, owner=True) as client:
        client.execute("CREATE TABLE kept (n UInt8) ENGINE = MergeTree ORDER BY n")
        client.execute("INSERT INTO kept VALUES", [(7,)])
    rewrite(tmp_path / "home", old, package="0.0.9")
    new = launcher.ensure()
    assert new.pid != old.pid
    assert start_ticks(old.pid) is None
    assert new.package == upgrade.PACKAGE
    with connect(new) as client:
        assert client.execute("SELECT n FROM kept") == [(7,)]
    assert launcher.ensure() == new


def test_an_older_engine_that_answers_is_used_until_it_has_answered(
    running: tuple[EngineLauncher, EngineRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "REPLACE_SECONDS", 0.2)
    launcher, old = running
    rewrite(tmp_path / "home", old, package="0.0.9")
    answers: list[Any] = []

    def ask() -> None:
        with connect(old) as client:
            answers.append(client.execute("SELECT count(), sleepEachRow(1) AS s FROM numbers(2) GROUP BY s"))

    asking = threading.Thread(target=ask)
    asking.start()
    find = "SELECT count() FROM system.processes WHERE position(query, 'sleepEach' || 'Row') > 0"
    with connect(old) as client:
        while client.execute(find) != [(1,)]:
            assert asking.is_alive()
    assert launcher.ensure().pid == old.pid
    asking.join()
    assert answers == [[(2, 0)]]
    new = launcher.ensure()
    while new.pid == old.pid:
        new = launcher.ensure()
    assert start_ticks(old.pid) is None


def test_calls_go_on_while_another_version_replaces_the_engine(tmp_path: Path) -> None:
    store = ClickHouseStore(home=tmp_path / "home")
    try:
        store.init()
        old = store.status()["pid"]
        launcher = make_launcher(tmp_path / "home")
        record = launcher.find()
        assert record is not None
        rewrite(tmp_path / "home", record, package="0.0.9")
        counts: list[int] = []
        is_over = threading.Event()

        def ask() -> None:
            while not is_over.is_set():
                counts.append(int(store.sql("SELECT count() AS n FROM mastra_admin_spans")["n"].iloc[0]))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            assert launcher.ensure().pid != old
        finally:
            seen = len(counts)
            while asking.is_alive() and len(counts) < seen + 5:
                continue
            is_over.set()
            asking.join()
        assert set(counts) == {0}
        assert len(counts) >= seen + 5
    finally:
        store.stop()


def test_an_engine_of_a_newer_version_is_used_or_refused_by_its_contract(
    running: tuple[EngineLauncher, EngineRecord], tmp_path: Path
) -> None:
    launcher, record = running
    rewrite(tmp_path / "home", record, package="99.0.0", unheard_of=[1])
    assert launcher.ensure() == replace(record, package="99.0.0")
    rewrite(tmp_path / "home", record, package="99.0.0", contract=CONTRACT + 1)
    with pytest.raises(EngineUnavailable, match=r"is of mastra-admin-sdk 99\.0\.0; .* can't use it"):
        launcher.ensure()
    assert start_ticks(record.pid) is not None


def test_data_of_a_newer_chdb_are_refused_and_those_of_an_older_one_opened(
    running: tuple[EngineLauncher, EngineRecord], tmp_path: Path
) -> None:
    launcher, record = running
    written = tmp_path / "home" / "clickhouse" / VERSION_NAME
    assert written.read_text(encoding="ascii") == record.version
    launcher.stop()
    written.write_text("99.1.2.3", encoding="ascii")
    with pytest.raises(EngineUnavailable, match=r"last opened by chDB 99\.1\.2\.3") as caught:
        launcher.ensure()
    assert "chdb-core to 99.1" in caught.value.hint
    assert launcher.find() is None
    written.write_text("20.1.2.3", encoding="ascii")
    assert launcher.ensure().version == record.version
    assert written.read_text(encoding="ascii") == record.version
