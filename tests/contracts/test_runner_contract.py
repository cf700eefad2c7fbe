"""What every runner promises, held against the fake and the real one."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.runner import FakeRunner
from fixtures.servers import (
    PROJECTS,
    find_free_port,
    get,
    is_refused,
    make_artifact,
    make_build_request,
    make_runner,
    make_spec,
    never,
    open_clean_home,
)

from mastra_admin_sdk.errors import BuildCancelled, BuildError, CommandFailed, NoFreePort, ServerUnhealthy
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import Artifact, PackageManager, ServerIdentity, ServerSpec
from mastra_admin_sdk.ports.runner import Runner


class World:
    """A runner, and ways to give it something to do."""

    def __init__(self, home: Home, runner: Runner, restart: Callable[[], Runner]) -> None:
        self.home, self.runner, self.restart = home, runner, restart
        self.started: list[ServerIdentity] = []

    def artifact(self, project: str) -> Artifact:
        path = self.home.artifacts / project
        if not path.exists():
            shutil.copytree(PROJECTS / project, path)
            (path / "behaviour.txt").write_text(project)
        return replace(make_artifact(self.home, project), path=path)

    def start(self, project: str, **fields: object) -> tuple[ServerSpec, ServerIdentity]:
        spec = make_spec(self.home, self.artifact(project), **fields)  # type: ignore[arg-type]
        identity = self.runner.start(spec)
        self.started.append(identity)
        return spec, identity

    def log(self) -> LineLog:
        return LineLog(self.home.build_logs / "build.log")


@pytest.fixture(params=["fake", "local"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_clean_home(tmp_path / "a home") as home:
        if request.param == "fake":
            fake = FakeRunner()
            made = World(home, fake, fake.restarted)
        else:
            made = World(home, make_runner(home), lambda: make_runner(home))
        yield made
        for identity in made.started:
            made.runner.stop(identity, 0.0)


def cancel() -> None:
    raise BuildCancelled("The build was cancelled.")


# --- builds -----------------------------------------------------------------------------------------------------------


def test_a_build_leaves_an_artifact_that_its_record_brings_back(world: World) -> None:
    request = make_build_request(world.home, "tiny_build")
    phases: list[str] = []
    with world.log() as log:
        artifact = world.runner.build(request, log, never, phases.append)
    assert phases == ["install", "build"]
    assert (artifact.path / artifact.entry).is_file()
    assert request.workspace.exists()
    world.runner.settle_build(request.build_id, request.workspace, succeeded=True)
    record = json.loads(json.dumps(world.runner.dump_artifact(artifact)))
    assert world.runner.load_artifact(record) == artifact


def test_a_failed_build_says_command_exit_code_and_last_lines_and_leaves_no_artifact(world: World) -> None:
    request = make_build_request(world.home, "tiny_build", "fails")
    with world.log() as log, pytest.raises(CommandFailed) as caught:
        world.runner.build(request, log, never, lambda _: None)
    assert caught.value.evidence["command"] == "mastra build"
    assert caught.value.evidence["exit_code"] == 4
    assert "ERROR: src/mastra/index.ts exports no mastra" in caught.value.evidence["log_tail"]
    assert list(world.home.artifacts.glob("*")) == []


def test_a_cancelled_build_ends_and_leaves_no_artifact(world: World) -> None:
    request = make_build_request(world.home, "tiny_build", "hangs")
    phases: list[str] = []
    asked = iter(range(10**9))

    def cancel_while_building() -> None:
        if "build" in phases and next(asked) > 8:
            cancel()

    with world.log() as log, pytest.raises(BuildCancelled):
        world.runner.build(request, log, cancel_while_building, phases.append)
    assert list(world.home.artifacts.glob("*")) == []


def test_an_artifact_whose_folder_is_gone_is_named(world: World) -> None:
    record = world.runner.dump_artifact(world.artifact("hello"))
    shutil.rmtree(record["path"])
    with pytest.raises(BuildError, match="hello"):
        world.runner.load_artifact(record)


def test_ending_a_build_that_left_nothing_is_no_error(world: World) -> None:
    world.runner.end_build("no such build")


def test_settling_a_build_that_somebody_else_made_is_no_error(world: World) -> None:
    world.runner.settle_build("no such build", world.home.workspaces / "gone", succeeded=True)


def test_a_settled_build_leaves_its_artifact_alone(world: World) -> None:
    request = make_build_request(world.home, "tiny_build")
    with world.log() as log:
        artifact = world.runner.build(request, log, never, lambda _: None)
    moved = request.workspace.rename(world.home.cache / "moved")
    world.runner.settle_build(request.build_id, moved, succeeded=True)
    assert (artifact.path / artifact.entry).is_file()


def test_a_fingerprint_tells_package_managers_apart_and_nothing_volatile(world: World) -> None:
    project = make_build_request(world.home, "tiny_build").project
    assert world.runner.read_fingerprint(project) == world.restart().read_fingerprint(project)
    other = replace(project, package_manager=PackageManager.BUN)
    assert world.runner.read_fingerprint(other) != world.runner.read_fingerprint(project)


def test_a_cache_that_is_cut_back_to_nothing_holds_nothing(world: World) -> None:
    request = make_build_request(world.home, "tiny_build")
    with world.log() as log:
        world.runner.build(request, log, never, lambda _: None)
    world.runner.settle_build(request.build_id, request.workspace, succeeded=True)
    held = world.runner.measure_cache()
    world.runner.trim_cache(0, dry_run=True)
    assert world.runner.measure_cache() == held
    world.runner.trim_cache(0)
    assert world.runner.measure_cache() == 0


# --- ports ------------------------------------------------------------------------------------------------------------


def test_a_port_is_skipped_when_it_is_taken_or_somebody_listens_on_it(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        listened = stranger.getsockname()[1]
        set_range(world.runner, listened, listened + 20)
        first = world.runner.find_port(frozenset())
        second = world.runner.find_port(frozenset({first}))
    assert listened < first < second


def test_a_range_without_a_free_port_is_named(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        set_range(world.runner, port, port)
        with pytest.raises(NoFreePort, match=f"{port}-{port}"):
            world.runner.find_port(frozenset())


def set_range(runner: Runner, first: int, last: int) -> None:
    if isinstance(runner, FakeRunner):
        runner.ports = (first, last)
    else:
        runner._ports = range(first, last + 1)  # type: ignore[attr-defined]


# --- servers ----------------------------------------------------------------------------------------------------------


def test_a_server_runs_from_start_to_stop(world: World) -> None:
    spec, server = world.start("hello")
    world.runner.wait_healthy(server, 30, never)
    assert world.runner.is_running(server)
    assert world.runner.is_healthy(server)
    assert world.runner.read_exit(server) is None
    assert get(spec.port)["build"] == "build"
    assert world.runner.stop(server, 10).code == 0
    assert not world.runner.is_running(server)
    assert not world.runner.is_healthy(server)
    assert is_refused(spec.port)


def test_stopping_twice_says_the_same(world: World) -> None:
    _, server = world.start("hello")
    world.runner.wait_healthy(server, 30, never)
    first = world.runner.stop(server, 10)
    assert world.runner.stop(server, 10) == first == world.runner.read_exit(server)


def test_a_new_runner_adopts_a_server_by_its_identity(world: World) -> None:
    _, server = world.start("hello")
    world.runner.wait_healthy(server, 30, never)
    later = world.restart()
    assert later.is_running(server)
    assert later.is_healthy(server)
    assert later.stop(server, 10).code == 0
    assert not world.runner.is_running(server)


def test_a_server_whose_starter_died_before_it_wrote_down_the_pids_is_stopped_by_its_process_id(world: World) -> None:
    spec, server = world.start("hello")
    world.runner.wait_healthy(server, 30, never)
    forgotten = replace(server, pid=0, start_ticks=0, shim_pid=0, shim_start_ticks=0, boot_id="")
    assert world.restart().stop(forgotten, 10).code == 0
    assert is_refused(spec.port)


def test_a_server_that_never_was_is_stopped_without_an_error(world: World) -> None:
    nobody = ServerIdentity("no such process", "127.0.0.1", find_free_port(), 0, 0, 0, 0, "")
    world.runner.stop(nobody, 1)
    assert not world.runner.is_running(nobody)


def test_a_server_that_ends_at_once_is_unhealthy_and_shows_its_last_lines(world: World) -> None:
    _, server = world.start("crashes_on_boot")
    with pytest.raises(ServerUnhealthy) as caught:
        world.runner.wait_healthy(server, 30, never)
    assert any("no model" in line for line in caught.value.evidence["log_tail"])
    assert not caught.value.evidence["port_taken"]
    ending = world.runner.read_exit(server)
    assert ending is not None
    assert ending.code == 3


def test_a_server_that_answers_with_errors_is_unhealthy_in_time(world: World) -> None:
    _, server = world.start("never_healthy")
    with pytest.raises(ServerUnhealthy) as caught:
        world.runner.wait_healthy(server, 0.8, never)
    assert "the database is not there" in caught.value.evidence["log_tail"]
    assert not world.runner.is_healthy(server)


def test_a_port_that_a_stranger_took_is_told_apart(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        _, server = world.start("hello", port=stranger.getsockname()[1])
        with pytest.raises(ServerUnhealthy) as caught:
            world.runner.wait_healthy(server, 30, never)
    assert caught.value.evidence["port_taken"]


def test_waiting_for_health_can_be_cancelled(world: World) -> None:
    _, server = world.start("never_healthy")
    with pytest.raises(BuildCancelled):
        world.runner.wait_healthy(server, 30, cancel)


def test_two_servers_of_one_artifact_run_side_by_side(world: World) -> None:
    servers = [world.start("hello", build_id=f"build-{number}") for number in (1, 2)]
    for _, server in servers:
        world.runner.wait_healthy(server, 30, never)
    assert [get(spec.port)["build"] for spec, _ in servers] == ["build-1", "build-2"]
    world.runner.stop(servers[0][1], 10)
    assert world.runner.is_healthy(servers[1][1])


def test_what_runs_is_found_without_any_record_until_it_is_stopped(world: World) -> None:
    _, server = world.start("hello")
    world.runner.wait_healthy(server, 30, never)
    found = world.restart().find_servers()
    assert list(found) == [server.process_id]
    assert server.pid in found[server.process_id]
    world.runner.stop(server, 10)
    assert world.runner.find_servers() == {}


def test_a_runner_says_what_it_is(world: World) -> None:
    assert world.runner.describe()
    assert repr(world.runner)
