"""Builds that take installed packages of earlier ones: with real processes and a scripted npm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.scripted_npm import OBSERVABILITY, ScriptedNpm, make_request, write_source
from fixtures.servers import TESTS, never, open_clean_home, wait_until

from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.errors import BuildError
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.linelog import LineLog, read_lines
from mastra_admin_sdk.models import Artifact, BuildRequest


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_clean_home(tmp_path / "a home") as made:
        yield made


@pytest.fixture
def npm(tmp_path: Path) -> ScriptedNpm:
    return ScriptedNpm(tmp_path / "tools")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "source")


class Built:
    """One build from its request to its end."""

    def __init__(self, runner: LocalRunner, request: BuildRequest, home: Home) -> None:
        log_path = home.build_logs / f"{request.build_id}.log"
        try:
            with LineLog(log_path) as log:
                self.artifact: Artifact = runner.build(request, log, never, lambda _: None)
            runner.settle_build(request.build_id, request.workspace, succeeded=True)
        finally:
            self.lines = [line.text for line in read_lines(log_path)]
            remove_tree(request.workspace)

    @property
    def states(self) -> tuple[Any, Any]:
        stats = self.artifact.stats
        return stats["dependencies"], stats["output"]


def build(runner: LocalRunner, home: Home, source: Path, **fields: Any) -> Built:
    return Built(runner, make_request(home, source, **fields), home)


def test_a_second_build_installs_nothing(home: Home, npm: ScriptedNpm, source: Path) -> None:
    """Mastra 13379: a build took 55 s and kept nothing."""
    runner = npm.make_runner(home)
    first = build(runner, home, source)
    assert first.states == ("miss", "miss")
    assert sorted(call.split()[0] for call in npm.take_calls()) == ["cache", "ci", "install", "view"]
    second = build(runner, home, source)
    assert second.states == ("hit", "hit")
    assert npm.take_calls() == []
    assert second.artifact.observability == first.artifact.observability == OBSERVABILITY
    assert second.artifact.stats["files"] == first.artifact.stats["files"]
    assert second.artifact.packages == {"@mastra/core": "1.71.0"}
    assert second.artifact.stats["peak_memory_bytes"] > 1_000_000


def test_what_tracing_needs_comes_with_the_install_of_the_output(home: Home, npm: ScriptedNpm, source: Path) -> None:
    built = build(npm.make_runner(home), home, source)
    (install,) = [call for call in npm.take_calls() if call.startswith("install")]
    assert install == f"install --audit=false --no-save @mastra/observability@{OBSERVABILITY} in output"
    assert f"@mastra/observability {OBSERVABILITY} was added to the output, for tracing." in built.artifact.notes


def test_an_output_that_can_not_have_it_is_installed_without(home: Home, npm: ScriptedNpm, source: Path) -> None:
    (npm.user / "break-observability").touch()
    built = build(npm.make_runner(home), home, source)
    assert built.artifact.observability is None
    assert any(note.startswith("Not traced: @mastra/observability could not be added") for note in built.artifact.notes)


def test_another_lock_file_is_installed_anew(home: Home, npm: ScriptedNpm, source: Path) -> None:
    runner = npm.make_runner(home)
    build(runner, home, source)
    (source / "package-lock.json").write_text('{"lockfileVersion": 3, "packages": {}}')
    assert build(runner, home, source).states == ("miss", "miss")


def test_without_the_cache_every_build_installs(home: Home, npm: ScriptedNpm, source: Path) -> None:
    runner = npm.make_runner(home, build_cache=False)
    assert [build(runner, home, source).states for _ in range(2)] == [("off", "off")] * 2
    assert runner.measure_cache() == 0


def test_a_fresh_build_takes_nothing_and_leaves_what_it_installed(home: Home, npm: ScriptedNpm, source: Path) -> None:
    runner = npm.make_runner(home)
    build(runner, home, source)
    assert build(runner, home, source, fresh=True).states == ("miss", "miss")
    assert build(runner, home, source).states == ("hit", "hit")


def test_a_build_that_writes_into_its_packages_poisons_neither_artifacts_nor_later_builds(
    home: Home, npm: ScriptedNpm, source: Path
) -> None:
    runner = npm.make_runner(home)
    kept = build(runner, home, source).artifact
    write_source(source, "writes")
    assert build(runner, home, source).states == ("hit", "hit")
    write_source(source)
    after = build(runner, home, source)
    assert after.states == ("miss", "hit")
    assert 'left is module.exports = "left";' in after.lines
    for artifact in (kept, after.artifact):
        assert (artifact.path / "node_modules/left/index.js").read_text() == 'module.exports = "left";'
    assert build(runner, home, source).states == ("hit", "hit")


def test_what_a_writing_build_installed_is_not_kept(home: Home, npm: ScriptedNpm, source: Path) -> None:
    runner = npm.make_runner(home)
    write_source(source, "writes")
    assert build(runner, home, source).states == ("miss", "miss")
    assert build(runner, home, source).states == ("miss", "hit")


def test_a_build_that_may_not_write_into_its_packages_runs_again_on_copies(
    home: Home, npm: ScriptedNpm, source: Path
) -> None:
    runner = npm.make_runner(home)
    build(runner, home, source)
    write_source(source, "insists")
    insisting = build(runner, home, source)
    assert insisting.states == ("hit", "hit")
    assert any("runs again on copies" in note for note in insisting.artifact.notes)
    write_source(source)
    assert build(runner, home, source).states == ("hit", "hit")


def test_an_install_that_failed_is_not_kept(home: Home, npm: ScriptedNpm, source: Path) -> None:
    runner = npm.make_runner(home)
    (npm.user / "break-install").touch()
    with pytest.raises(BuildError):
        build(runner, home, source)
    (npm.user / "break-install").unlink()
    assert build(runner, home, source).states == ("miss", "miss")


def test_a_build_that_failed_leaves_nothing(home: Home, npm: ScriptedNpm, source: Path) -> None:
    runner = npm.make_runner(home)
    write_source(source, "fails")
    request = make_request(home, source)
    with LineLog(home.build_logs / "x.log") as log, pytest.raises(BuildError):
        runner.build(request, log, never, lambda _: None)
    runner.settle_build(request.build_id, request.workspace, succeeded=False)
    assert not request.artifact_dir.exists()
    assert runner.measure_cache() == 0


def test_install_scripts_of_the_project_run_each_time_on_files_of_their_own(
    home: Home, npm: ScriptedNpm, source: Path
) -> None:
    runner = npm.make_runner(home)
    write_source(source, scripts={"postinstall": "generate", "prepare": "husky", "test": "x"})
    build(runner, home, source)
    npm.take_calls()
    again = build(runner, home, source)
    assert again.states == ("hit", "hit")
    assert [call.rsplit(" in ")[0].strip() for call in npm.take_calls()] == ["run postinstall", "run prepare"]
    assert any("(copied)" in line for line in again.lines)


def test_two_builds_at_once_both_succeed_and_leave_one_tree(home: Home, npm: ScriptedNpm, source: Path) -> None:
    runner = npm.make_runner(home)
    built: list[Built] = []
    threads = [threading.Thread(target=lambda: built.append(build(runner, home, source))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 2
    assert len(list((home.cache / "packages" / "modules" / "trees").glob("*"))) == 1
    assert build(runner, home, source).states == ("hit", "hit")


def test_a_cache_that_was_trimmed_away_costs_an_install(home: Home, npm: ScriptedNpm, source: Path) -> None:
    runner = npm.make_runner(home)
    kept = build(runner, home, source).artifact
    assert len(runner.trim_cache(0)) == 2
    assert runner.measure_cache() == 0
    assert (kept.path / "node_modules/left/index.js").is_file()
    assert build(runner, home, source).states == ("miss", "miss")


def test_commands_that_hold_more_memory_than_allowed_are_ended(home: Home, npm: ScriptedNpm, source: Path) -> None:
    """Coolify 6656: a build took 4 GB of memory."""
    write_source(source, "fills")
    with pytest.raises(BuildError, match="300 MB are allowed") as caught:
        build(npm.make_runner(home, build_memory_mb=300), home, source)
    assert "MASTRA_ADMIN_BUILD_MEMORY_MB" in caught.value.hint
    assert caught.value.evidence["memory_bytes"] > 300_000_000


_KILLED = """
import os, sys
from pathlib import Path
from fixtures.scripted_npm import make_request
from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.adapters.runner.local.cache import pool, store
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.linelog import LineLog
home, source, point = Home(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
runner = LocalRunner(home, environment=os.environ)
request = make_request(home, source)
runner.build(request, LineLog(home.build_logs / "b.log"), lambda: None, lambda _: None)
def stop(*_):
    print("here", flush=True)
    sys.stdin.read()
if point == "files":
    put = pool.Pool.put
    count = []
    def slow(self, *arguments):
        count.append(1)
        stop() if len(count) == 3 else put(self, *arguments)
    pool.Pool.put = slow
else:
    store.TreeStore._write = stop
runner.settle_build(request.build_id, request.workspace, succeeded=True)
"""


@pytest.mark.parametrize("point", ["files", "list"])
def test_a_kill_while_packages_are_stored_leaves_no_half_tree(
    home: Home, npm: ScriptedNpm, source: Path, point: str
) -> None:
    program = [sys.executable, "-c", _KILLED, str(home.path), str(source), point]
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**npm.environment, "PYTHONPATH": paths}
    with subprocess.Popen(program, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sdk:
        assert sdk.stdout
        assert sdk.stdout.readline() == "here\n"
        os.kill(sdk.pid, signal.SIGKILL)
    wait_until(lambda: sdk.poll() is not None)
    runner = npm.make_runner(home)
    assert build(runner, home, source).states == ("miss", "miss")
    assert build(runner, home, source).states == ("hit", "hit")
