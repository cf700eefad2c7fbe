"""The engine as a process: started once, found again, restarted after any end, and leaving nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from clickhouse_driver.errors import ServerException
from fixtures.engines import connect, make_launcher, running_engine
from fixtures.homes import look_from_outside

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.record import EngineRecord, read_record
from mastra_admin_sdk.errors import EngineUnavailable, ForkedProcess
from mastra_admin_sdk.host import start_ticks
from mastra_admin_sdk.services.doctor import _check_engine

if TYPE_CHECKING:
    from mastra_admin_sdk.services.parts import Parts

STARTER = """
import sys
from fixtures.engines import make_launcher
from pathlib import Path
print(make_launcher(Path(sys.argv[1])).ensure().pid)
"""


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.02)


def ask(record: EngineRecord, sql: str) -> Any:
    with connect(record) as client:
        return client.execute(sql)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: start_ticks(pid) is None)


@pytest.mark.slow  # starts four processes that start an engine
def test_starters_in_many_processes_and_threads_get_one_engine(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), str(Path.cwd())])}
    command = [sys.executable, "-c", STARTER, str(home)]
    starters = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    launcher = make_launcher(home)
    pids: list[int] = []
    threads = [threading.Thread(target=lambda: pids.append(launcher.ensure().pid)) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pids += [int(starter.communicate(timeout=60)[0]) for starter in starters]
        assert len(pids) == 7
        assert len(set(pids)) == 1
        assert [entry["pid"] for entry in look_from_outside(home)["processes"]] == [pids[0]]
    finally:
        launcher.stop()


def test_a_stop_leaves_nothing(tmp_path: Path) -> None:
    with running_engine(tmp_path / "home") as (launcher, record):
        assert ask(record, "SELECT 1") == [(1,)]
        assert launcher.stop() is True
        assert launcher.stop() is False
        left = look_from_outside(tmp_path / "home")
        assert (left["processes"], left["ports"]) == ([], [])
        assert launcher.describe()["running"] is False


def test_its_files_and_arguments_tell_nobody_a_password(tmp_path: Path) -> None:
    with running_engine(tmp_path / "home") as (launcher, record):
        written = tmp_path / "home" / "run" / "engine.json"
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
        assert stat.S_IMODE(launcher.log_path.stat().st_mode) == 0o600
        seen = [Path(f"/proc/{record.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
        for text in (*seen, launcher.log_path.read_bytes(), repr(record).encode()):
            assert record.owner_password.encode() not in text
            assert record.reader_password.encode() not in text
        assert f"MASTRA_ADMIN_HOME={tmp_path / 'home'}".encode() in seen[1]


@pytest.mark.slow  # starts two engines
def test_every_start_has_a_new_password(tmp_path: Path) -> None:
    with running_engine(tmp_path / "home") as (launcher, first):
        launcher.stop()
        second = launcher.ensure()
        assert len({first.owner_password, first.reader_password, second.owner_password, second.reader_password}) == 4
        with pytest.raises(ServerException, match="516"):
            ask(replace(second, reader_password=first.reader_password), "SELECT 1")


@pytest.mark.slow  # waits until an engine is idle
def test_an_idle_engine_stops_and_the_next_call_starts_it_again(tmp_path: Path) -> None:
    store = ClickHouseStore(home=tmp_path / "home", idle_seconds=1.0)
    try:
        assert store.sql("SELECT 1 AS n")["n"].tolist() == [1]
        pid = store.status()["pid"]
        wait_until(lambda: start_ticks(pid) is None)
        assert store.status()["running"] is False
        assert store.sql("SELECT 2 AS n")["n"].tolist() == [2]
        assert store.status()["pid"] != pid
    finally:
        store.stop()


@pytest.mark.slow  # runs a query of two seconds
def test_a_long_query_is_not_idleness(tmp_path: Path) -> None:
    with running_engine(tmp_path / "home", idle_seconds=0.5) as (_, record):
        assert ask(record, "SELECT count(), sleepEachRow(0.5) AS slept FROM numbers(4) GROUP BY slept") == [(4, 0)]


@pytest.mark.slow  # starts three engines
def test_a_killed_engine_is_started_again_by_the_next_call(tmp_path: Path) -> None:
    store = ClickHouseStore(home=tmp_path / "home")
    try:
        store.init()
        for _ in range(2):
            pid = store.status()["pid"]
            kill(pid)
            assert store.sql("SELECT count() AS n FROM mastra_admin_spans")["n"].tolist() == [0]
            assert store.status()["pid"] != pid
    finally:
        store.stop()


def take_port(port: int) -> socket.socket:
    # The threads of a killed process keep its sockets a moment longer than its main thread.
    taken: list[socket.socket] = []

    def take() -> bool:
        try:
            taken.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            return False
        return True

    wait_until(take)
    return taken[0]


@pytest.mark.slow  # starts two engines
def test_a_stranger_on_the_recorded_port_is_not_sent_a_password(tmp_path: Path) -> None:
    with running_engine(tmp_path / "home") as (launcher, record):
        kill(record.pid)
        with take_port(record.port) as stranger:
            stranger.settimeout(0.2)
            # Even a record that names a living process of ours doesn't make the stranger's socket that process's.
            written = tmp_path / "home" / "run" / "engine.json"
            values = {**asdict(record), "pid": os.getpid(), "start_ticks": 1}
            written.write_text(json.dumps(values), encoding="utf-8")
            assert launcher.find() is None
            parent = os.getppid()
            values |= {"pid": parent, "start_ticks": start_ticks(parent)}
            written.write_text(json.dumps(values), encoding="utf-8")
            assert launcher.find() is None
            second = launcher.ensure()
            assert second.port != record.port
            with pytest.raises(TimeoutError):
                stranger.accept()
        assert ask(second, "SELECT 1") == [(1,)]
        launcher.stop()
        assert start_ticks(second.pid) is None


def test_a_torn_record_is_no_record(tmp_path: Path) -> None:
    with running_engine(tmp_path / "home") as (launcher, record):
        launcher.stop()
        for text in ("", "{", "[]", '{"pid": 1}'):
            (tmp_path / "home" / "run" / "engine.json").write_text(text, encoding="utf-8")
            assert read_record(tmp_path / "home" / "run") is None
            assert launcher.find() is None
        again = launcher.ensure()
        assert again.pid != record.pid
        launcher.stop()


def test_an_engine_whose_record_was_lost_is_replaced(tmp_path: Path) -> None:
    with running_engine(tmp_path / "home") as (launcher, record):
        (tmp_path / "home" / "run" / "engine.json").unlink()
        second = launcher.ensure()
        assert second.pid != record.pid
        assert start_ticks(record.pid) is None
        assert ask(second, "SELECT 1") == [(1,)]


@pytest.mark.slow  # waits for one that hangs
def test_an_engine_that_hangs_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_admin_sdk.adapters.observability.clickhouse.embedded.launcher.STOP_SECONDS", 0.5)
    with running_engine(tmp_path / "home") as (launcher, record):
        os.kill(record.pid, signal.SIGSTOP)
        (tmp_path / "home" / "run" / "engine.json").unlink()
        second = launcher.ensure()
        assert start_ticks(record.pid) is None
        assert ask(second, "SELECT 1") == [(1,)]


@pytest.mark.slow  # waits until engines are idle, several times
def test_calls_around_the_moment_of_idle_stop_all_succeed(tmp_path: Path) -> None:
    store = ClickHouseStore(home=tmp_path / "home", idle_seconds=0.2)
    try:
        pids: set[int | None] = set()
        pause, deadline = 0.15, time.monotonic() + 30
        while len(pids - {None}) < 4:
            assert time.monotonic() < deadline
            assert store.sql("SELECT 1 AS n")["n"].tolist() == [1]
            pids.add(store.status().get("pid"))
            time.sleep(pause)
            pause = 0.15 if pause > 0.6 else pause * 1.15
    finally:
        store.stop()


def test_an_engine_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    launcher = make_launcher(tmp_path / "home")
    (tmp_path / "home" / "clickhouse").write_text("not a folder", encoding="utf-8")
    with pytest.raises(EngineUnavailable) as caught:
        launcher.ensure()
    assert "didn't start" in caught.value.message
    assert any("Error" in line for line in caught.value.evidence["log_tail"])
    assert str(launcher.log_path) in caught.value.hint
    assert look_from_outside(tmp_path / "home")["processes"] == []


def test_an_engine_keeps_out_of_other_folders(tmp_path: Path) -> None:
    if not _has_landlock():
        pytest.skip("the kernel has no Landlock")
    secret = tmp_path / "home" / "secret.key"
    with running_engine(tmp_path / "home") as (_, record):
        secret.write_text("key", encoding="utf-8")
        with connect(record, owner=True) as owner:
            owner.execute("CREATE TABLE t (line String) ENGINE = Memory")
            with pytest.raises(ServerException, match=r"(?i)permission denied"):
                owner.execute(f"INSERT INTO t SELECT line FROM file('{secret}', 'LineAsString', 'line String')")


def _has_landlock() -> bool:
    import ctypes

    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def test_a_store_is_not_used_after_a_fork(tmp_path: Path) -> None:
    store = ClickHouseStore(home=tmp_path / "home")
    try:
        store.init()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                store.sql("SELECT 1")
            except ForkedProcess:
                os.write(writer, b"refused")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reader, 16) == b"refused"
        os.close(reader)
        os.close(writer)
    finally:
        store.stop()


def test_the_doctor_leaves_an_engine_as_it_found_it(tmp_path: Path) -> None:
    store = ClickHouseStore(home=tmp_path / "home")
    parts = cast("Parts", SimpleNamespace(observability=store))
    try:
        assert "not running, starts in" in _check_engine(parts)
        assert store.status()["running"] is False
        store.init()
        pid = store.status()["pid"]
        assert "not running" not in _check_engine(parts)
        assert store.status()["pid"] == pid
    finally:
        store.stop()
