"""Processes of our own on record: found, told from strangers, ended; and what they are started with."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mastra_admin_sdk.cli.leftovers import find_leftovers
from mastra_admin_sdk.errors import HomeError, NoFreePort
from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.services.programs.panel import find_panel_port, is_free, make_panel_url
from mastra_admin_sdk.services.programs.records import end_recorded, find_running, read_record, write_record
from mastra_admin_sdk.services.programs.spawning import make_environment, read_tail, spawn_detached
from mastra_admin_sdk.settings import load_settings

SLEEPER = "import signal, sys, time; {}; print('ready', flush=True); time.sleep(60)"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def start_sleeper(started: list[subprocess.Popen[bytes]], code: str = "", **env: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER.format(code or "pass")], stdout=subprocess.PIPE, env={**os.environ, **env}
    )
    started.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_a_process_on_record_is_found_and_ended(home: Home, sleepers: list[subprocess.Popen[bytes]]) -> None:
    process = start_sleeper(sleepers)
    write_record(home, "up", process.pid, port=1)
    found = find_running(home, "up")
    assert found is not None
    assert (found.pid, found.facts) == (process.pid, {"port": 1})
    assert (home.run / "up.json").stat().st_mode & 0o777 == 0o600
    assert end_recorded(home, "up", grace=5) == found
    assert process.wait(timeout=5) == -signal.SIGTERM
    assert read_record(home, "up") is None
    assert end_recorded(home, "up", grace=5) is None


def test_one_that_ignores_sigterm_is_killed(home: Home, sleepers: list[subprocess.Popen[bytes]]) -> None:
    process = start_sleeper(sleepers, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    write_record(home, "up", process.pid)
    end_recorded(home, "up", grace=0.2)
    assert process.wait(timeout=5) == -signal.SIGKILL


def test_a_pid_that_was_given_out_again_is_left_alone(home: Home, sleepers: list[subprocess.Popen[bytes]]) -> None:
    process = start_sleeper(sleepers)
    record = write_record(home, "up", process.pid)
    path = home.run / "up.json"
    path.write_text(path.read_text().replace(str(record.start_ticks), str(record.start_ticks - 1)))
    assert find_running(home, "up") is None
    assert end_recorded(home, "up", grace=5) is None
    assert process.poll() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}'], ids=["empty", "torn", "list", "wrong"])
def test_a_record_that_cannot_be_read_counts_as_none(home: Home, text: str) -> None:
    (home.run / "up.json").write_text(text)
    assert read_record(home, "up") is None


def test_a_process_that_has_ended_cannot_be_recorded(home: Home, sleepers: list[subprocess.Popen[bytes]]) -> None:
    process = start_sleeper(sleepers)
    process.kill()
    process.wait()
    with pytest.raises(HomeError, match="ended before"):
        write_record(home, "up", process.pid)


def test_settings_travel_by_environment_and_little_else_does(home: Home) -> None:
    environment = {
        "PATH": "/bin",
        "SECRET_OF_THE_SHELL": "x",
        "https_proxy": "http://p",
        "MASTRA_ADMIN_ROUTER_PORT": "81",
    }
    settings = load_settings({"home": str(home.path), "database_url": "postgresql://u:p@h/d"}, environment)
    found = make_environment(settings, "/agents")
    assert found["MASTRA_ADMIN_HOME"] == str(home.path)
    assert found["MASTRA_ADMIN_DATABASE_URL"] == "postgresql://u:p@h/d"
    assert found["MASTRA_ADMIN_ROUTER_PORT"] == "81"
    assert found["MASTRA_ADMIN_SOURCE_PATHS"] == "/agents"
    assert (found["PATH"], found["https_proxy"]) == ("/bin", "http://p")
    assert "SECRET_OF_THE_SHELL" not in found
    assert "MASTRA_ADMIN_PANEL_PORT" not in found


def test_a_background_process_reads_repositories_as_this_one_does(home: Home) -> None:
    environment = {"PATH": "/bin", "SSH_AUTH_SOCK": "/run/agent", "GIT_SSH_COMMAND": "ssh -4", "GIT_SSL_CAINFO": "/ca"}
    found = make_environment(load_settings({"home": str(home.path)}, environment), "/agents")
    assert environment.items() <= found.items()


def test_the_settings_are_the_same_at_the_other_end(home: Home) -> None:
    settings = load_settings({"home": str(home.path), "source_paths": ["/a b", "/c"], "drain_timeout": 1.5}, {})
    again = load_settings({}, make_environment(settings, "/agents"))
    assert (again.source_paths, again.drain_timeout) == (["/a b", "/c"], 1.5)


def test_a_detached_process_has_a_session_and_log_of_its_own(home: Home) -> None:
    log = home.logs / "x.log"
    log.write_text("before\n")
    code = "import os; print(os.getsid(0) == os.getpid(), os.environ['MARK'])"
    process = spawn_detached([sys.executable, "-c", code], {"MARK": "m"}, cwd=home.path, log=log)
    assert process.wait(timeout=20) == 0
    assert read_tail(log, after=len("before\n")) == ["True m"]
    assert read_tail(log) == ["before", "True m"]
    assert read_tail(home.logs / "missing.log") == []


def test_leftovers_are_found_by_marker_with_their_ports(home: Home, sleepers: list[subprocess.Popen[bytes]]) -> None:
    port_file = home.path / "port"
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); open('{}', 'w').write(str(s.getsockname()[1]))"
    process = start_sleeper(sleepers, code.format(port_file), MASTRA_ADMIN_HOME=str(home.path))
    start_sleeper(sleepers, MASTRA_ADMIN_HOME=f"{home.path}-other")
    found = find_leftovers(str(home.path))
    assert list(found.processes) == [process.pid]
    assert found.ports == (int(port_file.read_text()),)
    assert find_leftovers(str(home.path), known=frozenset({process.pid})).processes == {}


def test_a_port_of_ours_that_somebody_listens_on_counts(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert find_leftovers(str(home.path), [port]).ports == (port,)
    assert find_leftovers(str(home.path), [port]).ports == ()


def test_the_panel_takes_the_next_port_when_its_own_is_taken(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        settings = load_settings({"home": str(home.path), "panel_port": port})
        assert port < find_panel_port(settings) <= port + 50


def test_no_free_port_for_the_panel_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_admin_sdk.services.programs.panel.is_free", lambda *_: False)
    with pytest.raises(NoFreePort, match="3001 to 3051"):
        find_panel_port(load_settings({"home": str(home.path)}, {}))


@pytest.mark.parametrize(
    ("bind", "expected"),
    [("127.0.0.1", "http://127.0.0.1:9"), ("0.0.0.0", "http://127.0.0.1:9"), ("::1", "http://[::1]:9")],
)
def test_the_address_of_the_panel_is_one_that_opens(bind: str, expected: str) -> None:
    assert make_panel_url(bind, 9) == expected


def test_waiting_for_an_end_takes_no_longer_than_the_process(
    home: Home, sleepers: list[subprocess.Popen[bytes]]
) -> None:
    process = start_sleeper(sleepers)
    write_record(home, "up", process.pid)
    started = time.monotonic()
    end_recorded(home, "up", grace=30)
    assert time.monotonic() - started < 10
