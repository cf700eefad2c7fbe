"""What binds a server: memory of all its processes together, niceness, no core files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.servers import get, is_refused, make_artifact, make_runner, make_spec, never, open_clean_home, wait_until

from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.home import Home
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

    def begin(project: str, **fields: Any) -> tuple[ServerSpec, ServerIdentity]:
        spec = make_spec(home, make_artifact(home, project), **fields)
        started.append(runner.start(spec))
        runner.wait_healthy(started[-1], 30, never)
        return spec, started[-1]

    yield begin
    for identity in started:
        runner.stop(identity, 0)


@pytest.mark.parametrize("way", ["/eat", "/share"], ids=["alone", "with a child"])
def test_a_server_that_holds_more_than_its_limit_is_ended_and_the_record_says_so(
    runner: LocalRunner, start: Start, way: str
) -> None:
    spec, server = start("eats_memory", memory_mb=150)
    for _ in range(8 if way == "/eat" else 1):
        get(spec.port, way)
    wait_until(lambda: runner.read_exit(server))
    ending = runner.read_exit(server)
    assert ending is not None
    assert ending.reason.startswith("The server held ")
    assert "more than its limit of 150 MB" in ending.reason
    assert is_refused(spec.port)
    wait_until(lambda: runner.find_servers() == {})


def test_a_server_within_its_limit_goes_on(runner: LocalRunner, start: Start) -> None:
    spec, server = start("eats_memory", memory_mb=2000)
    before = runner.measure(server)
    for _ in range(4):
        get(spec.port, "/eat")
    after = runner.measure(server)
    assert before is not None
    assert after is not None
    assert after.memory_bytes - before.memory_bytes > 60 * 2**20
    assert after.open_files > 5
    assert after.threads > 1
    assert runner.is_healthy(server)


def test_a_server_yields_the_cpu_as_it_is_told_and_writes_no_core_files(start: Start) -> None:
    _, server = start("hello", nice=7)
    assert os.getpriority(os.PRIO_PROCESS, server.pid) == 7
    assert os.getpriority(os.PRIO_PROCESS, server.shim_pid) == os.getpriority(os.PRIO_PROCESS, 0)
    limits = Path(f"/proc/{server.pid}/limits").read_text()
    (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]
