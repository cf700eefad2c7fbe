"""Deploys under load: what they cost those who use the deployment meanwhile.

    python -m tests.bench.swap [--rps 300] [--deploys 5] [--host-changes 0]

Two deployments of real Node servers behind the real router; only the build is a copy. A process of its own sends
``--rps`` requests a second at fixed moments to the first, a third of them POSTs. Open at all times are: agent calls of
10 s, event streams of 20 s and websockets of 20 s (on the deployment that is swapped and on the other), and
connections on which POSTs follow each other. Meanwhile the first is deployed ``--deploys`` times.

Prints one JSON object: ``requests`` sent (short ones, agent calls and keep-alive POSTs) and ``failed`` of them,
``streams`` and ``websockets`` with ``streams_cut`` of both, ``p50_ms`` and ``p99_ms`` through the router over the whole
run, the same before the first deploy as ``quiet_…`` and without the router as ``direct_…``, seconds per deploy (most of
them spent waiting for the streams of the old server to end), and how busy the machine was with other things.
``--host-changes`` adds and removes a host that often during the run. That changes the router's configuration, which may
cost a request (see docs/decisions/17-switches-through-a-file.md); deploys don't do it.

Goal: nothing failed, nothing cut, every version answered, nothing left behind. Exit status 1 when it is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.services.objects import LiveDeployment
from tests.fixtures.homes import look_from_outside
from tests.fixtures.quick import find_free_port, find_port_range, make_admin, write_source

_QUIET_SECONDS = 8.0
_SERVER = Path(__file__).with_name("swap_server.mjs")
_ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str]) -> int:
    """Run it, print the figures, and return 0 when the goal is met."""
    options = _read_options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="bench-swap-"))
    try:
        with _open_admin(folder) as admin:
            figures = _measure(admin, folder, options)
        figures["left_behind"] = len(look_from_outside(folder / "home")["processes"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures["goals"] = _judge(figures, options.deploys)
    print(json.dumps(figures, indent=2))
    return 0 if all(figures["goals"].values()) else 1


def _read_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.swap")
    parser.add_argument("--rps", type=float, default=300.0, help="short requests a second")
    parser.add_argument("--deploys", type=int, default=5, help="how often the deployment is deployed")
    parser.add_argument("--host-changes", type=int, default=0, help="how often a host is added and removed")
    return parser.parse_args(arguments)


def _judge(figures: Mapping[str, Any], deploys: int) -> dict[str, bool]:
    return {
        "failed": figures["failed"] == 0,
        "streams_cut": figures["streams_cut"] == 0,
        "all_versions_answered": set(figures["versions"]) == {f"v{number}" for number in range(deploys + 1)},
        "left_behind": figures["left_behind"] == 0,
    }


@contextmanager
def _open_admin(folder: Path) -> Iterator[MastraAdmin]:
    ports = {"router_port": find_free_port(), "router_https_port": find_free_port()}
    sources = folder / "sources"
    for name in ("swapped", "other"):
        _write(sources / name, "v0")
    with make_admin(folder / "home", sources, ports=find_port_range(40), drain_timeout=60.0, **ports) as admin:
        try:
            yield admin
        finally:
            admin.down()


def _write(source: Path, version: str) -> None:
    write_source(source, name=source.name, version=version)
    shutil.copy(_SERVER, source / "index.mjs")


# --- measuring --------------------------------------------------------------------------------------------------------


def _measure(admin: MastraAdmin, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    team = admin.teams.create("Bench")
    swapped, other = (admin.deploy(admin.projects.create(team, source=name)) for name in ("swapped", "other"))
    direct = _measure_direct(swapped, options.rps)
    endpoint = admin.router.endpoint
    load = _start_load(
        address=endpoint.address,
        port=endpoint.port,
        host=_host_of(swapped),
        other_host=_host_of(other),
        rps=options.rps,
    )
    time.sleep(_QUIET_SECONDS)
    first_deploy = time.monotonic()
    seconds = []
    for number in range(1, options.deploys + 1):
        _change_hosts(other, options.host_changes, options.deploys, number)
        seconds.append(_deploy(swapped, folder / "sources" / "swapped", f"v{number}"))
    time.sleep(1)
    return _sum_up(_end_load(load), direct, first_deploy, seconds)


def _measure_direct(live: LiveDeployment, rps: float) -> list[float]:
    process = live.process
    assert process is not None
    load = _start_load(address=process.host, port=process.port, host="x", rps=rps)
    time.sleep(_QUIET_SECONDS)
    return [seconds for _, seconds in _end_load(load)["seconds"]]


def _deploy(live: LiveDeployment, source: Path, version: str) -> float:
    began = time.monotonic()
    _write(source, version)
    live.redeploy(on_progress=lambda _: None)
    taken = time.monotonic() - began
    print(f"deployed {version} in {taken:.1f} s", file=sys.stderr, flush=True)
    return round(taken, 1)


def _change_hosts(live: LiveDeployment, changes: int, deploys: int, number: int) -> None:
    """Add and remove hosts; over all deploys ``changes`` times."""
    for turn in range(changes * (number - 1) // deploys, changes * number // deploys):
        live.set_domains([] if turn % 2 else ["agents.example.com"])


def _host_of(live: LiveDeployment) -> str:
    return (live.url or "").removeprefix("http://")


# --- the load ---------------------------------------------------------------------------------------------------------


def _start_load(**options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.swap_load", json.dumps(options)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _end_load(load: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = load.communicate(timeout=120)
    if load.returncode != 0:
        raise RuntimeError(f"The load ended with exit code {load.returncode}.")
    return dict(json.loads(output))


def _sum_up(
    found: Mapping[str, Any], direct: Sequence[float], first_deploy: float, seconds: Sequence[float]
) -> dict[str, Any]:
    counts = found["counts"]
    through = [taken for _, taken in found["seconds"]]
    quiet = [taken for due, taken in found["seconds"] if due < first_deploy]
    return {
        "requests": sum(counts.get(name, 0) for name in ("short", "agent_calls", "keep_alive_posts")),
        "failed": counts.get("failed", 0),
        "streams": counts["streams"],
        "websockets": counts["websockets"],
        "streams_cut": counts.get("streams_cut", 0),
        "agent_calls": counts["agent_calls"],
        "keep_alive_posts": counts["keep_alive_posts"],
        **_name_quantiles("", through),
        **_name_quantiles("quiet_", quiet),
        **_name_quantiles("direct_", direct),
        "versions": found["versions"],
        "deploy_s": list(seconds),
        "cpus": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "failures": found["failures"],
    }


def _name_quantiles(prefix: str, seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {f"{prefix}p50_ms": round(cuts[49] * 1000, 2), f"{prefix}p99_ms": round(cuts[98] * 1000, 2)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
