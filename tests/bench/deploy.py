"""How long deploys of the example take, against the bare tools on the same project in the same run.

    python -m tests.bench.deploy [--rounds 3]

Prints one JSON object; the figures are medians of seconds:

- ``bare_cold_s``: ``npm ci``, ``mastra build``, ``node index.mjs`` until ``/health`` answers; npm's cache is empty
- ``bare_build_s``: a source file changed, then ``mastra build`` and ``node index.mjs`` until ``/health`` answers
- ``cold_s``: the first ``admin.deploy()`` in a new home, also with an empty npm cache: queue, copy, install, build, the
  start of the proxy, server, health check and route
- ``warm_s``: a source file changed, then ``deploy()`` until the new server is live and the old one has ended
- ``unchanged_s``: ``deploy()`` once more

``…_cpu_s`` are the CPU seconds of the commands that have ended and of this process, without servers: on a machine that
has other work to do they tell more than the clock.

Each round is a new folder with a home, an npm cache and a HOME of its own for either side; which side goes first
alternates. The tools are the same on both sides: the Node and npm that the SDK chooses, quiet, at the same niceness.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.adapters.runner.local.toolchain import choose_toolchain
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.settings import load_settings
from tests.fixtures.quick import find_free_port, find_port_range

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "notebooks" / "weather-agent"
ORACLE = ROOT / "tests" / "oracle" / "left_behind.py"
CHANGED = Path("src") / "mastra" / "index.ts"

_QUIET = {
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_update_notifier": "false",
    "npm_config_progress": "false",
    "MASTRA_TELEMETRY_DISABLED": "1",
    "CI": "1",
}
_HEALTH_SECONDS = 120.0
_REST_SECONDS = 120.0
_WORKER = "mastra-admin-worker"

Figures = dict[str, float]


@dataclass(frozen=True)
class _Moment:
    """A time on the clock, and the CPU seconds used until then by this process and the commands that have ended."""

    clock: float
    cpu: float

    @classmethod
    def now(cls) -> _Moment:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return cls(time.monotonic(), sum(each.ru_utime + each.ru_stime for each in used))

    def since(self, start: _Moment, name: str) -> Figures:
        return {f"{name}_s": self.clock - start.clock, f"{name}_cpu_s": self.cpu - start.cpu}


def main(arguments: Sequence[str]) -> int:
    """Run all rounds, print what they took, and return 0 when every goal is met."""
    options = _read_options(arguments)
    rounds: list[Figures] = []
    details: list[Mapping[str, Any]] = []
    for number in range(options.rounds):
        with _open_folder() as folder:
            figures, detail = _run_round(folder, ours_first=number % 2 == 0)
            rounds.append(figures)
            details.append(detail)
            _say(f"round {number + 1}: {json.dumps(figures)}")
    summary = _sum_up(rounds)
    print(json.dumps({**summary, "rounds": rounds, "phases": details}, indent=2))
    return 0 if all(summary["goals"].values()) else 1


def _read_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.deploy")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    return parser.parse_args(arguments)


def _sum_up(rounds: Sequence[Figures]) -> dict[str, Any]:
    median = {name: round(statistics.median(figures[name] for figures in rounds), 2) for name in rounds[0]}
    goals = {
        "cold": median["cold_s"] <= 1.05 * median["bare_cold_s"],
        "warm": median["warm_s"] <= median["bare_build_s"] + 1,
        "unchanged": median["unchanged_s"] <= 3,
        "left_behind": median["left_behind"] == 0,
    }
    ratios = {
        "cold_ratio": round(median["cold_s"] / median["bare_cold_s"], 3),
        "warm_ratio": round(median["warm_s"] / median["bare_build_s"], 3),
        "cold_cpu_ratio": round(median["cold_cpu_s"] / median["bare_cold_cpu_s"], 3),
    }
    return {**median, **ratios, "goals": goals, "nice": _nice(), "cpus": os.cpu_count()}


# --- a round ----------------------------------------------------------------------------------------------------------


def _run_round(folder: Path, *, ours_first: bool) -> tuple[Figures, Mapping[str, Any]]:
    detail: dict[str, Any] = {}

    def ours() -> Figures:
        return _measure_ours(folder / "ours", detail)

    def bare() -> Figures:
        return _measure_bare(folder / "bare")

    sides: list[Callable[[], Figures]] = [ours, bare] if ours_first else [bare, ours]
    figures: Figures = {}
    for side in sides:
        figures |= side()
    return figures, detail


def _measure_ours(folder: Path, detail: dict[str, Any]) -> Figures:
    source = _copy_example(folder / "source")
    home = folder / "home"
    with _environment(folder), _open_admin(home, source) as admin:
        project = admin.projects.create(admin.teams.create("Bench"), source=str(source))

        def deploy(name: str) -> Figures:
            started = _Moment.now()
            live = admin.deploy(project, on_progress=lambda _: None)
            figures = _Moment.now().since(started, name)
            build = admin.storage.builds.get(live.record.current_build_id)
            detail[name] = {"phases": dict(build.phases), "stats": dict(build.stats)}
            _wait_for_rest()
            return figures

        figures = deploy("cold")
        _change(source)
        figures |= deploy("warm") | deploy("unchanged")
        admin.down()
    return {**figures, "left_behind": float(_count_left(home))}


def _measure_bare(folder: Path) -> Figures:
    source = _copy_example(folder / "source")
    tools = choose_toolchain(open_home(folder / "tools"), os.environ)
    env = {**os.environ, **_QUIET, **_own_home(folder), "PATH": f"{tools.bin}{os.pathsep}{os.environ['PATH']}"}

    def build() -> _Moment:
        _run([str(tools.node), "node_modules/mastra/dist/index.js", "build"], source, env)
        return _start_until_healthy(tools.node, source / ".mastra" / "output", env)

    started = _Moment.now()
    _run(["npm", "ci"], source, env)
    figures = build().since(started, "bare_cold")
    _change(source)
    started = _Moment.now()
    return figures | build().since(started, "bare_build")


# --- our side ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _open_admin(home: Path, source: Path) -> Iterator[MastraAdmin]:
    port, ports = find_free_port(), find_port_range()
    with MastraAdmin(home, source_paths=[str(source.parent)], router_port=port, server_ports=ports) as admin:
        try:
            yield admin
        except BaseException:
            admin.down()
            raise


def _wait_for_rest() -> None:
    """Let what a deploy does afterwards end, so that it counts for none that is measured."""
    deadline = time.monotonic() + _REST_SECONDS
    while any(thread.name == _WORKER for thread in threading.enumerate()):
        if time.monotonic() > deadline:
            raise SystemExit(f"What a deploy does afterwards took more than {_REST_SECONDS:g} s.")
        time.sleep(0.05)


def _count_left(home: Path) -> int:
    command = [sys.executable, str(ORACLE), "--home", str(home), "--allow", str(os.getpid())]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout)
    return len(found["processes"]) + len(found["ports"])


# --- the bare side ----------------------------------------------------------------------------------------------------


def _run(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["nice", "-n", str(_nice()), *command],
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def _start_until_healthy(node: Path, output: Path, env: Mapping[str, str]) -> _Moment:
    """Return when the server answered. What it takes to end is none of the bare side's time."""
    port = find_free_port()
    settings = {**env, "PORT": str(port), "MASTRA_HOST": "127.0.0.1", "NODE_ENV": "production"}
    with subprocess.Popen(
        [str(node), "index.mjs"],
        cwd=output,
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            _wait_until_healthy(port)
            return _Moment.now()
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def _wait_until_healthy(port: int) -> None:
    deadline = time.monotonic() + _HEALTH_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


# --- both -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _open_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-deploy-"))
    try:
        yield folder
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Give this process a HOME of its own, which the SDK hands on to npm: its cache is there, and empty."""
    own = _own_home(folder)
    former = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in former.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _own_home(folder: Path) -> dict[str, str]:
    (folder / "user").mkdir(parents=True, exist_ok=True)
    return {"HOME": str(folder / "user")}


def _copy_example(target: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, target, ignore=shutil.ignore_patterns("node_modules", ".mastra")))


def _change(source: Path) -> None:
    with (source / CHANGED).open("a") as file:
        file.write(f"\n// changed at {time.time_ns()}\n")


def _nice() -> int:
    return int(load_settings({}, {}).build_nice)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
