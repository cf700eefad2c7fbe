"""Servers that misbehave, and what is left of them."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.servers import (
    PROJECTS,
    find_free_port,
    get,
    is_refused,
    list_left_behind,
    make_artifact,
    make_runner,
    make_spec,
    never,
    open_clean_home,
    wait_until,
)

from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.adapters.runner.local.health import Listening, find_listening
from mastra_admin_sdk.adapters.runner.local.processes import is_living, read_environment
from mastra_admin_sdk.adapters.runner.local.records import find_record
from mastra_admin_sdk.errors import ServerError, ServerUnhealthy
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.linelog import read_lines
from mastra_admin_sdk.models import ServerIdentity, ServerSpec

Start = Callable[..., tuple[ServerSpec, ServerIdentity]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_clean_home(tmp_path / "a home") as made:
        yield made


@pytest.fixture
def runner(home: Home) -> LocalRunner:
    return make_runner(home)


@pytest.fixture
def start(home: Home, runner: LocalRunner) -> Iterator[Start]:
    started: list[ServerIdentity] = []

    def begin(project: str, *, wait: bool = True, **fields: Any) -> tuple[ServerSpec, ServerIdentity]:
        spec = make_spec(home, make_artifact(home, project), **fields)
        started.append(runner.start(spec))
        if wait:
            runner.wait_healthy(started[-1], 30, never)
        return spec, started[-1]

    yield begin
    for identity in started:
        runner.stop(identity, 0)


def read_log(spec: ServerSpec) -> list[str]:
    return [line.text for line in read_lines(spec.log_path)]


# --- stop -------------------------------------------------------------------------------------------------------------


def test_a_server_that_ignores_sigterm_gets_one_and_is_killed_after_the_grace_period(
    runner: LocalRunner, start: Start
) -> None:
    spec, server = start("ignores_sigterm")
    began = time.monotonic()
    ending = runner.stop(server, 0.7)
    assert 0.7 <= time.monotonic() - began < 8
    assert ending.signal == signal.SIGKILL
    assert "killed" in ending.reason
    assert [line for line in read_log(spec) if "ignored" in line] == ["SIGTERM number 1 ignored"]
    assert is_refused(spec.port)


def test_daemons_in_sessions_of_their_own_end_with_the_server(runner: LocalRunner, start: Start) -> None:
    spec, server = start("forks_and_exits")
    daemons: list[int] = get(spec.port)
    assert all(is_living(pid) for pid in daemons)
    runner.stop(server, 5)
    assert not any(is_living(pid) for pid in daemons)


def test_a_server_that_ends_by_itself_leaves_no_daemons(runner: LocalRunner, start: Start) -> None:
    spec, server = start("forks_and_exits")
    daemons: list[int] = get(spec.port, "/leave")
    wait_until(lambda: runner.read_exit(server))
    ending = runner.read_exit(server)
    assert ending is not None
    assert (ending.code, ending.signal, ending.reason) == (0, None, "The server ended by itself with exit code 0.")
    assert not any(is_living(pid) for pid in daemons)


def test_a_server_that_dies_is_seen_recorded_and_not_started_again(runner: LocalRunner, start: Start) -> None:
    spec, server = start("dies_after_health")
    wait_until(lambda: not runner.is_running(server))
    wait_until(lambda: runner.read_exit(server))
    ending = runner.read_exit(server)
    assert ending is not None
    assert ending.code == 7
    assert ending.log_tail[-1] == "Error: out of luck"
    assert not runner.is_healthy(server)
    assert is_refused(spec.port)
    assert runner.stop(server, 5) == ending


def test_the_shim_itself_can_be_asked_to_stop_as_at_a_shutdown(home: Home, start: Start) -> None:
    spec, server = start("hello")
    os.kill(server.shim_pid, signal.SIGTERM)
    wait_until(lambda: not is_living(server.shim_pid))
    assert "hello stops" in read_log(spec)


# --- kill -9 ----------------------------------------------------------------------------------------------------------


def test_a_killed_shim_takes_its_server_along_and_counts_as_a_crash(
    home: Home, runner: LocalRunner, start: Start
) -> None:
    spec, server = start("hello")
    os.kill(server.shim_pid, signal.SIGKILL)
    wait_until(lambda: not is_living(server.pid))
    assert not runner.is_running(server)
    ending = runner.read_exit(server)
    assert ending is not None
    assert ending.signal == signal.SIGKILL
    assert "process above the server was killed" in ending.reason
    assert ending.log_tail[-1] == "hello is up"
    runner.stop(server, 5)
    assert is_refused(spec.port)


def test_what_a_killed_shim_left_is_found_and_ended_by_stop(home: Home, runner: LocalRunner, start: Start) -> None:
    spec, server = start("forks_and_exits")
    marked, unmarked = get(spec.port)
    os.kill(server.shim_pid, signal.SIGKILL)
    wait_until(lambda: not is_living(server.pid))
    wait_until(lambda: runner.find_servers() == {server.process_id: (marked,)})
    runner.stop(server, 1)
    assert runner.find_servers() == {}
    assert not is_living(marked)
    # The one that threw its environment away and lost its subreaper can't be told from a stranger's.
    os.kill(unmarked, signal.SIGKILL)
    wait_until(lambda: not is_living(unmarked))


def test_a_server_survives_the_sdk_that_started_it_and_is_adopted_by_another(home: Home) -> None:
    spec = make_spec(home, make_artifact(home, "hello"))
    program = """
import json, os, sys, time
from dataclasses import asdict
from pathlib import Path
from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Artifact, ServerSpec
values = json.load(sys.stdin)
paths = {name: Path(values.pop(name)) for name in ("data_dir", "telemetry_dir", "log_path")}
artifact = values.pop("artifact")
artifact = Artifact(**{**artifact, "path": Path(artifact["path"])})
runner = LocalRunner(Home(Path(sys.argv[1])), environment=os.environ)
server = runner.start(ServerSpec(**values, **paths, artifact=artifact))
runner.wait_healthy(server, 30, lambda: None)
print(json.dumps(asdict(server)), flush=True)
time.sleep(600)
"""
    sdk = subprocess.Popen(
        [sys.executable, "-c", program, str(home.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECTS.parent.parent,
        text=True,
        start_new_session=True,
    )
    with sdk:
        assert sdk.stdin
        assert sdk.stdout
        sdk.stdin.write(json.dumps(asdict(spec), default=str))
        sdk.stdin.close()
        server = ServerIdentity(**json.loads(sdk.stdout.readline()))
        os.killpg(sdk.pid, signal.SIGKILL)
    later = make_runner(home)
    assert get(spec.port)["build"] == "build"
    assert later.is_running(server)
    assert {entry["pid"] for entry in list_left_behind(home)} == {server.pid, server.shim_pid}
    assert later.stop(server, 10).code == 0
    assert is_refused(spec.port)


def test_another_process_with_a_pid_that_was_given_out_again_is_never_touched(runner: LocalRunner) -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as stranger:
        server = ServerIdentity("gone", "127.0.0.1", find_free_port(), stranger.pid, 1, stranger.pid, 1, "other boot")
        assert not runner.is_running(server)
        runner.stop(server, 0)
        assert stranger.poll() is None
        stranger.kill()


# --- output -----------------------------------------------------------------------------------------------------------


def test_a_flood_of_output_is_rotated_and_kept_within_bounds(home: Home, start: Start) -> None:
    """PM2 1309: 30 GB of log in a week."""
    runner = make_runner(home, log_max_bytes=200_000, log_keep=2)
    spec = make_spec(home, make_artifact(home, "floods_stdout"))
    server = runner.start(spec)
    try:
        runner.wait_healthy(server, 60, never)
        lines = list(read_lines(spec.log_path))
    finally:
        runner.stop(server, 1)
    files = list(spec.log_path.parent.glob(f"{spec.log_path.name}*"))
    assert len(files) == 3
    assert sum(path.stat().st_size for path in files) < 800_000
    assert [line.number for line in lines] == list(range(lines[0].number, lines[0].number + len(lines)))
    assert any(line.text == "the flood is over" for line in lines)
    assert any("bytes cut" in line.text or "characters cut" in line.text for line in lines)


def test_a_secret_shows_up_nowhere(home: Home, runner: LocalRunner, start: Start) -> None:
    secret = "s3cr3t/value+with=signs"
    spec, server = start("prints_secrets", env={"API_KEY": secret}, redact=(secret,))
    wait_until(lambda: "secrets are out" in read_log(spec))
    command_lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (server.pid, server.shim_pid)]
    shim_environment = b"\0".join(read_environment(server.shim_pid))
    runner.stop(server, 1)
    written = b"".join(path.read_bytes() for path in home.path.rglob("*") if path.is_file())
    for form in (secret, base64.b64encode(secret.encode()).decode(), "s3cr3t%2Fvalue%2Bwith%3Dsigns"):
        assert form.encode() not in written + shim_environment + b"".join(command_lines)
    assert "key=***" in read_log(spec)


# --- health -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("project", ["slow_start", "guards_health"])
def test_a_server_is_healthy_when_it_answers_late_or_asks_for_a_login(
    runner: LocalRunner, start: Start, project: str
) -> None:
    _, server = start(project)
    assert runner.is_healthy(server)


def test_a_server_that_listens_where_others_can_reach_it_is_refused(runner: LocalRunner, start: Start) -> None:
    _, server = start("listens_everywhere", wait=False)
    with pytest.raises(ServerUnhealthy, match="every interface"):
        runner.wait_healthy(server, 30, never)


def test_a_server_that_asks_for_every_interface_gets_loopback(runner: LocalRunner, start: Start) -> None:
    spec, server = start("asks_for_every_interface")
    assert find_listening(server.process_id, server.pid, spec.port) is Listening.OURS


def test_a_server_that_listens_on_another_port_is_told_so(runner: LocalRunner, start: Start) -> None:
    spec, server = start("listens_elsewhere", wait=False)
    with pytest.raises(ServerUnhealthy, match=rf"it listens on \d+ instead of {spec.port}"):
        runner.wait_healthy(server, 1.5, never)


def test_an_artifact_without_its_entry_is_unhealthy_with_what_node_says(home: Home, runner: LocalRunner) -> None:
    artifact = replace(make_artifact(home, "hello"), entry="gone.mjs")
    server = runner.start(make_spec(home, artifact))
    with pytest.raises(ServerUnhealthy) as caught:
        runner.wait_healthy(server, 30, never)
    assert any("Cannot find module" in line for line in caught.value.evidence["log_tail"])


# --- start ------------------------------------------------------------------------------------------------------------


def test_a_node_that_was_removed_since_the_build_is_replaced(home: Home, runner: LocalRunner) -> None:
    artifact = replace(make_artifact(home, "hello"), node="/removed/node")
    spec = make_spec(home, artifact)
    server = runner.start(spec)
    runner.wait_healthy(server, 30, never)
    assert runner.stop(server, 10).code == 0


def test_a_folder_that_can_not_be_made_is_named(home: Home, runner: LocalRunner) -> None:
    in_the_way = home.path / "file"
    in_the_way.touch()
    spec = make_spec(home, make_artifact(home, "hello"), data_dir=in_the_way / "data")
    with pytest.raises(ServerError, match="file"):
        runner.start(spec)


def test_the_environment_of_a_server_is_built_from_empty(home: Home, start: Start) -> None:
    caller = {**os.environ, "OF_THE_CALLER": "1", "TZ": "Europe/Berlin"}
    runner = LocalRunner(home, environment=caller)
    spec = make_spec(home, make_artifact(home, "hello"), env={"OF_THE_PROJECT": "1", "PORT": "1"})
    server = runner.start(spec)
    runner.wait_healthy(server, 30, never)
    environment = read_environment(server.pid)
    assert runner.stop(server, 10).code == 0
    assert {b"OF_THE_PROJECT=1", b"TZ=Europe/Berlin", f"PORT={spec.port}".encode()} <= environment
    assert f"MASTRA_ADMIN_HOME={home.path}".encode() in environment
    names = {entry.split(b"=")[0] for entry in environment}
    assert not names & {b"OF_THE_CALLER", b"VIRTUAL_ENV", b"PYTEST_CURRENT_TEST", b"PYTHONPATH"}


def test_what_an_app_wrote_outlives_redeploy_and_rollback(home: Home, runner: LocalRunner) -> None:
    answers = []
    for build in ("one", "two", "one"):
        spec = make_spec(home, make_artifact(home, "keeps_a_diary"), build_id=build)
        server = runner.start(spec)
        runner.wait_healthy(server, 30, never)
        answers.append(get(spec.port))
        runner.stop(server, 5)
    diary, above, seed = answers[-1]
    assert diary == above == "one\ntwo\none\n"
    assert seed == "from the build\n" + "changed by the app\n" * 3
    assert (home.data / "deployment" / "mastra.db").exists()
    assert (PROJECTS / "keeps_a_diary" / "seed.txt").read_text() == "from the build\n"


def test_a_server_works_in_its_data_folder_and_runs_the_artifacts_own_file(home: Home, start: Start) -> None:
    spec, _ = start("hello")
    assert get(spec.port, "/cwd") == str(home.data / "deployment" / "output")
    assert get(spec.port, "/argv")[1] == str(PROJECTS / "hello" / "index.mjs")


def test_the_small_process_above_a_server_is_small(start: Start) -> None:
    _, server = start("hello")
    status = Path(f"/proc/{server.shim_pid}/status").read_text()
    resident_kb = int(status.split("VmRSS:")[1].split()[0])
    assert resident_kb < 25_000


def test_the_record_of_a_running_server_can_be_read_by_its_owner_only(home: Home, start: Start) -> None:
    _, server = start("hello")
    assert find_record(home.run, server.process_id).stat().st_mode & 0o077 == 0
