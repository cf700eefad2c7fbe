"""A home with everything running, in processes that can be killed: the stage of the fault drills."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import MastraAdminError
from mastra_admin_sdk.models import ProcessStatus
from tests.fixtures.cli_process import TINY, Program

ORACLE = Path(__file__).parents[1] / "oracle" / "left_behind.py"

SERVER = """
import http from 'node:http';
const version = %(version)d;
const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ success: true, version, build: process.env.MASTRA_BUILD_ID }));
});
server.listen(Number(process.env.PORT), process.env.MASTRA_HOST, () => console.log('version %(version)d is up'));
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections(); });
"""

STANDBY = "import mastra_admin_sdk\nadmin = mastra_admin_sdk.MastraAdmin().start()\ninput()\n"
DEPLOYER = (
    "import sys, mastra_admin_sdk\n"
    "admin = mastra_admin_sdk.MastraAdmin()\n"
    "build = admin.deploy(sys.argv[1], wait=False)\n"
    "print(build.id, flush=True)\n"
    "build.wait(on_progress=lambda _: None)\n"
)
STOPPER = "import sys, mastra_admin_sdk\nmastra_admin_sdk.MastraAdmin().stop(sys.argv[1])\n"


class Stage:
    """One home with apps, a background process, and a second process that stands by to take its work over."""

    def __init__(self, folder: Path, apps: int, dice: random.Random) -> None:
        settings = {"DRAIN_TIMEOUT": "2", "HEALTH_TIMEOUT": "20", "BUILD_CONCURRENCY": "2", "KEEP_BUILDS": "3"}
        self.program = Program(folder / "home", {**settings, "SOURCE_PATHS": str(folder / "apps")})
        self.apps = [f"app-{index}" for index in range(apps)]
        self.folder, self.dice = folder, dice
        self.versions = dict.fromkeys(self.apps, 0)
        self.background: subprocess.Popen[str] | None = None
        self.standby: subprocess.Popen[str] | None = None
        self.deployers: list[subprocess.Popen[str]] = []
        ports = self.program.settings
        self.admin = MastraAdmin(
            folder / "home",
            router_port=int(ports["ROUTER_PORT"]),
            server_ports=ports["SERVER_PORTS"],
            source_paths=[str(folder / "apps")],
            min_free_mb=1,
        )

    # --- set-up and end -----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Write the apps, start the two processes, and deploy each app once."""
        self.staff()
        team = self.admin.teams.create("Drill")
        for app in self.apps:
            self.write(app)
            self.admin.projects.create(team, source=app)
            self.admin.deploy(app, on_progress=lambda _: None)

    def close(self) -> dict[str, Any]:
        """Stop everything as a person would, and return what the oracle still finds."""
        for process in [*self.deployers, *(item for item in (self.background, self.standby) if item)]:
            _end(process)
        self.admin.close()
        self.program.run("down")
        return self.look_from_outside()

    def look_from_outside(self) -> dict[str, Any]:
        """Return what runs of the home as seen from /proc; this process doesn't count."""
        ports = self.program.settings["SERVER_PORTS"]
        command = [sys.executable, str(ORACLE), "--home", str(self.program.home), "--ports", ports]
        answer = subprocess.run([*command, "--allow", str(os.getpid())], capture_output=True, text=True, timeout=60)
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    def staff(self) -> None:
        """See that the background process and its stand-in run, as a service manager would."""
        self.background = self._keep(self.background, "-m", "mastra_admin_sdk.cli", "up", "--foreground")
        self.standby = self._keep(self.standby, "-c", STANDBY)
        for process in self.deployers:
            if process.poll() is not None:
                _close(process)
        self.deployers = [process for process in self.deployers if process.poll() is None]

    def _keep(self, process: subprocess.Popen[str] | None, *arguments: str) -> subprocess.Popen[str]:
        if process is not None and process.poll() is None:
            return process
        if process is not None:
            _close(process)
        return self._spawn([sys.executable, *arguments])

    # --- what people do -----------------------------------------------------------------------------------------------

    def write(self, app: str) -> int:
        """Write the next version of an app and return its number."""
        folder = self.folder / "apps" / app
        if not folder.exists():
            shutil.copytree(TINY, folder)
            manifest = json.loads((folder / "package.json").read_text())
            (folder / "package.json").write_text(json.dumps({**manifest, "name": app}))
        self.versions[app] += 1
        (folder / "server.mjs").write_text(SERVER % {"version": self.versions[app]})
        (folder / "behaviour.txt").write_text(self.dice.choice(["works", "slow"]))
        return self.versions[app]

    def deploy_elsewhere(self, app: str) -> str:
        """Deploy from another process that also offers itself as a worker; return the acknowledged build."""
        process = self._spawn([sys.executable, "-c", DEPLOYER, app], stdout=subprocess.PIPE)
        self.deployers.append(process)
        assert process.stdout is not None
        build_id = process.stdout.readline().strip()
        process.stdout.close()
        return build_id

    def stop_elsewhere(self, app: str) -> subprocess.Popen[str]:
        """Stop an app from another process."""
        process = self._spawn([sys.executable, "-c", STOPPER, app])
        self.deployers.append(process)
        return process

    # --- what is there ------------------------------------------------------------------------------------------------

    def list_servers(self) -> list[tuple[int, int]]:
        """Return pid and shim pid of the servers on record."""
        alive = self.admin.storage.processes.list(statuses=[status for status in ProcessStatus if status.is_alive])
        return [(item.pid or 0, item.shim_pid or 0) for item in alive if item.pid and item.shim_pid]

    def list_marked(self, name: bytes) -> list[int]:
        """Return pids of processes of this home whose environment names something, such as a build."""
        home = f"MASTRA_ADMIN_HOME={self.program.home}".encode()
        return [pid for pid, entries in _read_environments() if home in entries and any(name in e for e in entries)]

    def list_caddies(self) -> list[int]:
        """Return pids of the home's router."""
        listed = self.look_from_outside()["processes"]
        return [item["pid"] for item in listed if "caddy" in item["command"].split()[0]]

    def ask(self, app: str) -> int | None:
        """Return the version that answers at an app's address, or ``None`` when none does."""
        try:
            return int(self.admin.deployments.get(app).request("GET", "/", timeout=3).json()["version"])
        except (MastraAdminError, ValueError, KeyError):
            return None

    def _spawn(self, argv: list[str], **more: Any) -> subprocess.Popen[str]:
        options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stdin": subprocess.PIPE, **more}
        environment = self.program.environment
        return subprocess.Popen(argv, text=True, env=environment, stderr=subprocess.DEVNULL, **options)


def kill(pid: int) -> None:
    """Send SIGKILL; a process that is gone already is fine."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for(condition: Any, timeout: float) -> float | None:
    """Return after how many seconds a condition held, or ``None`` when it didn't in time."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout:
            return None
        time.sleep(0.1)
    return time.monotonic() - started


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    process.kill()
    process.wait()
    _close(process)


def _close(process: subprocess.Popen[str]) -> None:
    if process.stdin:
        process.stdin.close()


def _read_environments() -> Iterator[tuple[int, list[bytes]]]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                yield int(name), Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
