"""A runner in this process, for tests of what uses one: its servers are threads that answer over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import BuildError, CommandFailed, NoFreePort, ServerUnhealthy, ToolMissing
from mastra_admin_sdk.host import boot_id
from mastra_admin_sdk.models import (
    Artifact,
    BuildRequest,
    Removal,
    ServerExit,
    ServerIdentity,
    ServerSpec,
    ServerUsage,
    SourceProject,
)
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink, PhaseCallback, Runner

BEHAVIOURS = ("hello", "crashes_on_boot", "never_healthy")


@dataclass
class FakeServer:
    """One server of a `FakeRunner`; ``http`` is ``None`` when it could not listen or has ended."""

    spec: ServerSpec
    identity: ServerIdentity
    http: ThreadingHTTPServer | None = None
    thread: threading.Thread | None = None
    exit: ServerExit | None = None


@dataclass
class FakeWorld:
    """What outlives a runner, as processes do."""

    servers: dict[str, FakeServer] = field(default_factory=dict)
    next_pid: int = 900_000


@dataclass
class FakeRunner(Runner):
    """Builds by writing one file, and serves JSON: ``{"build": …, "path": …}`` everywhere, 200 at ``/health``.

    A build does what ``behaviour.txt`` in the workspace says: ``fails`` or ``hangs`` (until it is cancelled). A server
    does what ``behaviour.txt`` in its artifact says: one of `BEHAVIOURS`.

    Attributes:
        requests: the builds that were asked for, oldest first.
        starts: the servers that were asked for, oldest first.
        tool_missing: a reason for `check_source` and `build` to raise `ToolMissing`.
        behaviour: what servers do whose artifact doesn't say.
        trace_status: what every server says of its tracing.
    """

    ports: tuple[int, int] = (4100, 4199)
    world: FakeWorld = field(default_factory=FakeWorld)
    requests: list[BuildRequest] = field(default_factory=list)
    starts: list[ServerSpec] = field(default_factory=list)
    ended_builds: list[str] = field(default_factory=list)
    settled: list[tuple[str, bool]] = field(default_factory=list)
    tool_missing: str | None = None
    behaviour: str = "hello"
    trace_status: Mapping[str, Any] = field(default_factory=lambda: {"traced": True, "reason": None})

    # --- builds -------------------------------------------------------------------------------------------------------

    def build(self, request: BuildRequest, log: LogSink, cancel: CancelCheck, on_phase: PhaseCallback) -> Artifact:
        self.requests.append(request)
        self.check_source(request.project)
        behaviour = _read_behaviour(request.workspace, "works")
        on_phase("install")
        log.write("$ npm install", stream="info")
        on_phase("build")
        log.write("$ mastra build", stream="info")
        while behaviour == "hangs":
            cancel()
            time.sleep(0.01)
        cancel()
        if behaviour == "fails":
            log.write("ERROR: src/mastra/index.ts exports no mastra", stream="err")
            raise CommandFailed(
                "The command `mastra build` failed with exit code 4.",
                command=["mastra", "build"],
                exit_code=4,
                log_tail=log.tail(20),
            )
        request.artifact_dir.mkdir(parents=True)
        (request.artifact_dir / "index.mjs").write_text("// fake")
        (request.artifact_dir / "behaviour.txt").write_text(self.behaviour)
        return Artifact(request.artifact_dir, "index.mjs", "/fake/node", "24.0.0", "1.71.0", "1.17.9", {"build": 0.1})

    def settle_build(self, build_id: str, workspace: Path, *, succeeded: bool) -> None:
        self.settled.append((build_id, succeeded))

    def end_build(self, build_id: str) -> None:
        self.ended_builds.append(build_id)

    def load_artifact(self, record: Mapping[str, Any]) -> Artifact:
        path = Path(record["path"])
        if not path.is_dir():
            raise BuildError(f"The artifact {path} is gone.", hint="Deploy the project again.")
        return Artifact(**{**record, "path": path, "notes": tuple(record["notes"])})

    def dump_artifact(self, artifact: Artifact) -> Mapping[str, Any]:
        fields = {name: getattr(artifact, name) for name in Artifact.__dataclass_fields__}
        return {**fields, "path": str(artifact.path), "phases": dict(artifact.phases), "notes": list(artifact.notes)}

    def read_fingerprint(self, project: SourceProject) -> str:
        return f"fake/{project.package_manager}"

    def trim_cache(self, max_bytes: int, *, dry_run: bool = False) -> Sequence[Removal]:
        return []

    def measure_cache(self) -> int:
        return 0

    def measure(self, server: ServerIdentity) -> ServerUsage | None:
        return ServerUsage(1_000_000, 5, 1, 3, 0.5) if self.is_running(server) else None

    def check_source(self, project: SourceProject) -> tuple[str, ...]:
        if self.tool_missing:
            raise ToolMissing(self.tool_missing)
        return ("Node 24.0.0 (fake) builds and runs it.",)

    # --- servers ------------------------------------------------------------------------------------------------------

    def find_port(self, taken: frozenset[int]) -> int:
        first, last = self.ports
        held = {server.spec.port for server in self.world.servers.values() if server.http}
        for port in range(first, last + 1):
            if port not in taken | held and _try_listen("127.0.0.1", port):
                return port
        raise NoFreePort(f"No port is free for a server in {first}-{last}: deployments hold {len(taken)}.")

    def start(self, spec: ServerSpec) -> ServerIdentity:
        self.starts.append(spec)
        self.world.next_pid += 2
        pid = self.world.next_pid
        identity = ServerIdentity(spec.process_id, spec.host, spec.port, pid, pid, pid + 1, pid + 1, boot_id())
        server = FakeServer(spec, identity)
        self.world.servers[spec.process_id] = server
        behaviour = _read_behaviour(spec.artifact.path, self.behaviour)
        if behaviour == "crashes_on_boot":
            server.exit = ServerExit(3, None, "The server ended by itself with exit code 3.", ("Error: no model",))
            return identity
        try:
            server.http = ThreadingHTTPServer((spec.host, spec.port), _make_handler(spec, behaviour))
        except OSError:
            tail = (f"Error: listen EADDRINUSE: address already in use {spec.host}:{spec.port}",)
            server.exit = ServerExit(1, None, "The server ended by itself with exit code 1.", tail)
            return identity
        server.thread = threading.Thread(target=server.http.serve_forever, args=(0.01,), daemon=True)
        server.thread.start()
        return identity

    def wait_healthy(self, server: ServerIdentity, timeout: float, cancel: CancelCheck) -> None:
        deadline = time.monotonic() + timeout
        while True:
            cancel()
            found = self._find(server)
            if found is None or found.exit:
                raise _explain(found)
            if self.is_healthy(server):
                return
            if time.monotonic() > deadline:
                raise ServerUnhealthy(
                    f"The server did not become healthy within {timeout:g} s.",
                    evidence={"port_taken": False, "log_tail": ["the database is not there"]},
                )
            time.sleep(0.01)

    def is_healthy(self, server: ServerIdentity) -> bool:
        found = self._find(server)
        return self.is_running(server) and found is not None and _behaviour_of(found, self.behaviour) == "hello"

    def is_running(self, server: ServerIdentity) -> bool:
        found = self._find(server)
        return found is not None and found.http is not None

    def stop(self, server: ServerIdentity, grace: float) -> ServerExit:
        found = self._find(server)
        if found is None:
            return ServerExit(None, None, "The server is gone; nothing says how it ended.")
        if found.exit is None:
            self.end(server.process_id, ServerExit(0, None, "The server stopped with exit code 0."))
        assert found.exit is not None
        return found.exit

    def read_exit(self, server: ServerIdentity) -> ServerExit | None:
        found = self._find(server)
        return found.exit if found else ServerExit(None, 9, "The process above the server was killed.")

    def read_trace_status(self, server: ServerIdentity) -> Mapping[str, Any]:
        return dict(self.trace_status) if self.is_running(server) else {}

    def find_servers(self) -> Mapping[str, Sequence[int]]:
        found = {process_id: server for process_id, server in self.world.servers.items() if server.http}
        return {process_id: (server.identity.pid,) for process_id, server in found.items()}

    def describe(self) -> str:
        return "servers that are threads of this process"

    # --- for tests ----------------------------------------------------------------------------------------------------

    def restarted(self) -> FakeRunner:
        """Return a new runner that finds the servers of this one, as after a restart of the SDK."""
        return FakeRunner(self.ports, self.world, behaviour=self.behaviour, trace_status=self.trace_status)

    def end(self, process_id: str, ending: ServerExit) -> None:
        """End a server as if by itself."""
        server = self.world.servers[process_id]
        if server.http and server.thread:
            server.http.shutdown()
            server.thread.join()
            server.http.server_close()
        server.http, server.exit = None, ending

    def close(self) -> None:
        """End all servers."""
        for process_id, server in self.world.servers.items():
            if server.exit is None:
                self.end(process_id, ServerExit(None, 9, "The test is over."))

    def _find(self, server: ServerIdentity) -> FakeServer | None:
        return self.world.servers.get(server.process_id)


def _read_behaviour(folder: Path, default: str) -> str:
    path = folder / "behaviour.txt"
    return path.read_text(encoding="utf-8").strip() if path.exists() else default


def _behaviour_of(server: FakeServer, default: str) -> str:
    return _read_behaviour(server.spec.artifact.path, default)


def _explain(server: FakeServer | None) -> ServerUnhealthy:
    tail = list(server.exit.log_tail) if server and server.exit else []
    taken = any("EADDRINUSE" in line for line in tail)
    return ServerUnhealthy(
        "The server ended before it was healthy.", evidence={"port_taken": taken, "log_tail": tail, "exit_code": 1}
    )


def _try_listen(host: str, port: int) -> bool:
    try:
        ThreadingHTTPServer((host, port), BaseHTTPRequestHandler).server_close()
    except OSError:
        return False
    return True


def _make_handler(spec: ServerSpec, behaviour: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"build": spec.build_id, "path": self.path}).encode()
            self.send_response(500 if behaviour == "never_healthy" else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: tests read what the product says."""

    return Handler
