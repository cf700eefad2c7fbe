"""Builds that go wrong, with real npm and a stand-in for the Mastra CLI."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.servers import (
    PROJECTS,
    list_left_behind,
    make_build_request,
    make_runner,
    never,
    open_clean_home,
    wait_until,
)

from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.adapters.runner.local.processes import BUILD_MARKER
from mastra_admin_sdk.adapters.runner.local.toolchain import find_wheel
from mastra_admin_sdk.errors import BuildCancelled, BuildError, CommandFailed, PhaseTimeout, ToolMissing
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.linelog import LineLog, read_lines
from mastra_admin_sdk.models import Artifact, BuildRequest, PackageManager, SourceProject


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_clean_home(tmp_path / "a home") as made:
        yield made


@pytest.fixture
def log(home: Home) -> Iterator[LineLog]:
    with LineLog(home.build_logs / "build.log") as made:
        yield made


def build(runner: LocalRunner, request: BuildRequest, log: LineLog, cancel: Any = never) -> Artifact:
    return runner.build(request, log, cancel, lambda _: None)


def change_package(request: BuildRequest, **fields: Any) -> None:
    path = request.workspace / "package.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def read_log(home: Home) -> list[str]:
    return [line.text for line in read_lines(home.build_logs / "build.log")]


# --- what a build does ------------------------------------------------------------------------------------------------


def test_each_step_is_told_with_its_seconds(home: Home, log: LineLog) -> None:
    request = make_build_request(home, "tiny_build")
    artifact = build(make_runner(home), request, log)
    told = [line.text for line in read_lines(log.path) if line.stream == "info"]
    assert told[0].startswith("Node ")
    assert "$ npm install --include=dev" in told
    assert any(text.startswith("mastra build took ") and text.endswith(" s.") for text in told)
    assert "There is no lock file" in artifact.notes[0]
    assert artifact.notes[1] == "Not traced: @mastra/core is bundled into the built output, not a package of it."
    assert set(artifact.phases) == {"install", "build"}
    assert not os.access(artifact.path / "index.mjs", os.W_OK) or os.geteuid() == 0


def test_a_lock_file_is_followed(home: Home, log: LineLog) -> None:
    request = make_build_request(home, "tiny_build")
    lock = [find_wheel() / "bin/node", find_wheel() / "lib/node_modules/npm/bin/npm-cli.js"]  # type: ignore[operator]
    subprocess.run(
        [*map(str, lock), "install", "--package-lock-only", "--offline"],
        cwd=request.workspace,
        check=True,
        capture_output=True,
        timeout=60,
    )
    build(make_runner(home), request, log)
    assert "$ npm ci --include=dev" in read_log(home)


def test_a_lock_file_that_does_not_agree_fails_with_what_to_do(home: Home, log: LineLog) -> None:
    request = make_build_request(home, "tiny_build")
    (request.workspace / "package-lock.json").write_text('{"lockfileVersion": 3, "packages": {}}')
    with pytest.raises(CommandFailed) as caught:
        build(make_runner(home), request, log)
    assert caught.value.evidence["command"] == "npm ci --include=dev"
    assert "npm install" in caught.value.hint


def test_the_install_sees_no_variables_and_the_build_those_of_the_project(home: Home, log: LineLog) -> None:
    request = make_build_request(home, "tiny_build")
    save = "node -e \"require('fs').writeFileSync('../install.json', JSON.stringify(process.env))\""
    change_package(request, scripts={"postinstall": save})
    request = BuildRequest(**{**as_fields(request), "env": {"API_URL": "https://example.com"}})
    runner = LocalRunner(home, environment={**os.environ, "OF_THE_CALLER": "1"})
    artifact = build(runner, request, log)
    install = json.loads((request.workspace.parent / "install.json").read_text())
    built = json.loads((artifact.path / "assets" / "environment.json").read_text())
    assert "API_URL" not in install
    assert built["API_URL"] == "https://example.com"
    for environment in (install, built):
        assert "OF_THE_CALLER" not in environment
        assert environment["MASTRA_ADMIN_HOME"] == str(home.path)
        assert environment["MASTRA_TELEMETRY_DISABLED"] == "1"


def test_builds_run_at_low_priority(home: Home, log: LineLog) -> None:
    """Coolify 6656: a build took the machine and everything on it died."""
    artifact = build(make_runner(home), make_build_request(home, "tiny_build"), log)
    assert int((artifact.path / "assets" / "priority.json").read_text()) >= 10


def test_how_much_builds_yield_is_a_setting(home: Home, log: LineLog) -> None:
    artifact = build(make_runner(home, build_nice=15), make_build_request(home, "tiny_build"), log)
    assert int((artifact.path / "assets" / "priority.json").read_text()) >= 15


def as_fields(request: BuildRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in BuildRequest.__dataclass_fields__}


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_build_without_an_output_is_told_apart_from_one_that_failed(home: Home, log: LineLog) -> None:
    with pytest.raises(BuildError, match=r"left no \.mastra/output/index\.mjs") as caught:
        build(make_runner(home), make_build_request(home, "tiny_build", "forgets"), log)
    assert "Nothing to do" in caught.value.evidence["log_tail"]


def test_a_flood_of_output_keeps_the_log_small_and_its_last_words(home: Home, log: LineLog) -> None:
    with pytest.raises(CommandFailed) as caught:
        build(make_runner(home), make_build_request(home, "tiny_build", "floods"), log)
    assert "the last words" in caught.value.evidence["log_tail"]
    assert log.path.stat().st_size < 25 * 1024 * 1024
    assert any("lines of output were left out" in text for text in read_log(home))


def test_a_build_that_takes_too_long_is_ended_with_all_its_helpers(home: Home, log: LineLog) -> None:
    with pytest.raises(PhaseTimeout, match="the phase build may take 1 s") as caught:
        build(make_runner(home, build_timeout=1.0), make_build_request(home, "tiny_build", "hangs"), log)
    assert caught.value.evidence["log_tail"][-1] == "hanging"
    assert list_left_behind(home) == []


@pytest.mark.parametrize("phase", ["install", "build"])
def test_a_cancel_is_heard_at_once_and_leaves_no_process(home: Home, log: LineLog, phase: str) -> None:
    request = make_build_request(home, "tiny_build", "hangs")
    if phase == "install":
        change_package(request, scripts={"preinstall": "echo hanging && sleep 600 & sleep 600"})
    asked: list[float] = []

    def cancel() -> None:
        asked.append(time.monotonic())
        # The preinstall script's output isn't shown by npm; its processes are.
        if "hanging" in log.tail() or any("sleep" in entry["command"] for entry in list_left_behind(home)):
            raise BuildCancelled("The build was cancelled.")

    with pytest.raises(BuildCancelled):
        build(make_runner(home), request, log, cancel)
    assert time.monotonic() - asked[-1] < 5
    assert list_left_behind(home) == []
    assert not request.artifact_dir.exists()


def test_a_cancel_is_asked_for_at_least_five_times_a_second(home: Home, log: LineLog) -> None:
    asked: list[float] = []
    with pytest.raises(PhaseTimeout):
        build(
            make_runner(home, build_timeout=1.5),
            make_build_request(home, "tiny_build", "hangs"),
            log,
            lambda: asked.append(time.monotonic()),
        )
    last_second = [moment for moment in asked if moment > asked[-1] - 1.0]
    assert len(last_second) >= 5


def test_the_processes_of_a_build_end_when_the_sdk_is_killed(home: Home) -> None:
    request = make_build_request(home, "tiny_build", "hangs")
    program = """
import os, sys
from pathlib import Path
from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import BuildRequest, SourceProject
home = Home(Path(sys.argv[1]))
request = BuildRequest("b", SourceProject("s", "tiny", "/x"), Path(sys.argv[2]), home.artifacts / "b")
runner = LocalRunner(home, environment=os.environ)
runner.build(request, LineLog(home.build_logs / "b.log"), lambda: None, lambda _: None)
"""
    arguments = [sys.executable, "-c", program, str(home.path), str(request.workspace)]
    with subprocess.Popen(arguments, cwd=PROJECTS.parent.parent, start_new_session=True) as sdk:
        path = home.build_logs / "b.log"
        wait_until(lambda: any(line.text == "hanging" for line in read_lines(path)), 60)
        assert len(list_left_behind(home)) > 2
        os.killpg(sdk.pid, signal.SIGKILL)
    wait_until(lambda: list_left_behind(home) == [])
    make_runner(home).end_build("b")


def test_a_guard_that_is_killed_takes_its_command_along_and_never_holds_the_build_up(home: Home, log: LineLog) -> None:
    request = make_build_request(home, "tiny_build", "hangs")

    def kill_guard() -> None:
        if "hanging" in log.tail():
            for entry in list_left_behind(home):
                if b"local.guard" in Path(f"/proc/{entry['pid']}/cmdline").read_bytes():
                    os.kill(entry["pid"], signal.SIGKILL)

    with pytest.raises(CommandFailed) as caught:
        build(make_runner(home), request, log, kill_guard)
    assert caught.value.evidence["exit_code"] == -signal.SIGKILL
    stray = [entry["pid"] for entry in list_left_behind(home)]
    for pid in stray:  # a daemon without our marks, whose subreaper was killed
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: list_left_behind(home) == [])
    assert len(stray) <= 1


def test_ending_a_build_kills_what_still_carries_its_mark(home: Home) -> None:
    environment = {BUILD_MARKER: "b1", "MASTRA_ADMIN_HOME": str(home.path)}
    with subprocess.Popen(["/bin/sleep", "600"], env=environment, start_new_session=True) as left:
        make_runner(home).end_build("another")
        assert left.poll() is None
        make_runner(home).end_build("b1")
        assert left.wait(10) == -signal.SIGKILL


def test_a_package_manager_that_can_not_be_brought_is_named_with_what_to_do(home: Home, log: LineLog) -> None:
    request = make_build_request(home, "tiny_build")
    change_package(request, packageManager="bun@0.0.0-nobody-published-this")
    source = SourceProject("s", "tiny", "/x", package_manager=PackageManager.BUN)
    request = BuildRequest(**{**as_fields(request), "project": source})
    with pytest.raises(ToolMissing, match=r"bun@0\.0\.0-nobody-published-this") as caught:
        build(make_runner(home), request, log)
    assert "on PATH" in caught.value.hint
    assert caught.value.evidence["log_tail"]
    assert sorted(path.suffix for path in (home.cache / "tools").glob("bun@*")) == [".lock"]


def test_a_workspace_without_a_package_file_is_named(home: Home, log: LineLog) -> None:
    request = make_build_request(home, "tiny_build")
    (request.workspace / "package.json").unlink()
    with pytest.raises(BuildError, match=r"no package\.json"):
        build(make_runner(home), request, log)


# --- packages that the project doesn't have ---------------------------------------------------------------------------


@pytest.fixture
def scripted_npm(tmp_path: Path) -> LocalRunner:
    """A runner whose npm answers from a table: `view` prints it, `install x@y` makes a folder."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "node").write_text(f'#!/bin/sh\nexec "{find_wheel()}/bin/node" "$@"\n')
    (tools / "node").chmod(0o755)
    (tools / "npm-cli.js").write_text(SCRIPTED_NPM)
    (tools / "npm").symlink_to("npm-cli.js")
    home = Home(tmp_path / "a home")
    return LocalRunner(home, environment={**os.environ, "PATH": f"{tools}:/usr/bin:/bin"})


SCRIPTED_NPM = r"""
const fs = require('fs');
const [command, ...rest] = process.argv.slice(2);
const core = version => ({ '@mastra/core': version });
const row = (version, built, peer) => ({ version, devDependencies: core(built), peerDependencies: core(peer) });
if (command === 'view') {
  if (fs.existsSync('no-registry')) { console.error('npm error code ENOTFOUND'); process.exit(1); }
  const rows = [row('0.9.0', '0.24.0', '<1.0.0-0'), row('1.31.0', '1.68.0', '>=1.50.0-0 <2.0.0-0')];
  console.log(JSON.stringify(rows));
} else if (fs.existsSync('../../no-registry')) {
  console.error('npm error code ENOTFOUND'); process.exit(1);
} else {
  const write = (folder, text) => {
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(`${folder}/package.json`, text);
  };
  const added = rest.find(argument => !argument.startsWith('-'));
  if (!added) {
    write('node_modules/@mastra/core', JSON.stringify({ version: '1.71.0' }));
  } else {
    const [name, version] = added.split(/(?<!^)@/);
    write(`node_modules/${name}`, JSON.stringify({ version, bin: { mastra: 'cli.js' } }));
    fs.writeFileSync(`node_modules/${name}/cli.js`, `
      const fs = require('fs');
      fs.mkdirSync('.mastra/output/node_modules/@mastra/core', { recursive: true });
      fs.writeFileSync('.mastra/output/node_modules/@mastra/core/package.json', '{"version": "1.71.0"}');
      fs.writeFileSync('.mastra/output/index.mjs', '');
      if (fs.existsSync('break-registry')) fs.writeFileSync('no-registry', '');
    `);
  }
}
"""


def test_a_project_without_a_cli_gets_the_one_of_its_core_and_is_told_so(
    home: Home, log: LineLog, scripted_npm: LocalRunner
) -> None:
    artifact = build(scripted_npm, make_build_request(home, "tiny_build"), log)
    assert any("mastra 1.31.0, which belongs to @mastra/core 1.71.0, was used" in note for note in artifact.notes)
    assert "$ npm install --no-save --include=dev mastra@1.31.0" in read_log(home)


def test_the_output_gets_what_tracing_needs(home: Home, log: LineLog, scripted_npm: LocalRunner) -> None:
    artifact = build(scripted_npm, make_build_request(home, "tiny_build"), log)
    assert artifact.observability == "1.31.0"
    assert (artifact.path / "node_modules/@mastra/observability/package.json").is_file()


def test_a_registry_that_can_not_be_reached_costs_the_tracing_and_not_the_build(
    home: Home, log: LineLog, scripted_npm: LocalRunner
) -> None:
    request = make_build_request(home, "tiny_build")
    (request.workspace / "break-registry").touch()
    artifact = build(scripted_npm, request, log)
    assert artifact.observability is None
    assert any(note.startswith("Not traced: @mastra/observability could not be added") for note in artifact.notes)
