"""Servers: started on ports of their own, waited for, ended; their records kept in step with each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from mastra_admin_sdk.errors import Conflict, ServerUnhealthy
from mastra_admin_sdk.models import (
    Artifact,
    Build,
    Deployment,
    Process,
    ProcessStatus,
    Project,
    ServerIdentity,
    ServerSpec,
    utc_now,
)
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink

from .parts import Parts
from .secrets import open_env

LOOPBACK = "127.0.0.1"
ALIVE = (ProcessStatus.STARTING, ProcessStatus.RUNNING, ProcessStatus.DRAINING)
_PORT_TRIES = 5
_LOCK_WORDS = ("could not set lock on file", "database is locked", "conflicting lock is held", "resource temporarily")


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """Who asks for a server, and how they hear of it.

    ``cancel`` may end it, ``on_phase`` is told each phase. ``on_live`` records that the deployment now is this server:
    called once, right after the switch; when it raises, the switch is taken back.
    """

    project: Project
    deployment: Deployment
    build: Build
    artifact: Artifact
    log: LogSink
    cancel: CancelCheck
    on_phase: Callable[[str], None]
    on_live: Callable[[Process], object]


def identify(process: Process) -> ServerIdentity:
    """Return what the runner needs to find a recorded process again."""
    return ServerIdentity(
        process_id=process.id,
        host=process.host,
        port=process.port,
        pid=process.pid or 0,
        start_ticks=process.start_ticks or 0,
        shim_pid=process.shim_pid or 0,
        shim_start_ticks=process.shim_start_ticks or 0,
        boot_id=process.boot_id or "",
    )


class Servers:
    """Starts and ends servers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def list_alive(self, deployment_id: str) -> list[Process]:
        """Return the processes of a deployment that haven't exited, as recorded, newest first."""
        return list(self._parts.storage.processes.list(deployment_id, statuses=ALIVE))

    def list_running(self, deployment_id: str) -> list[Process]:
        """Return the processes that became healthy and exist, newest first."""
        recorded = self._parts.storage.processes.list(deployment_id, statuses=[ProcessStatus.RUNNING])
        return [process for process in recorded if self.is_running(process)]

    def is_running(self, process: Process) -> bool:
        """True while the server and the small process above it exist."""
        return self._parts.runner.is_running(identify(process))

    def start_healthy(self, context: LaunchContext) -> Process:
        """Start a server of the artifact, wait until it answers, and return its record as ``running``.

        A port that a stranger takes in the same moment is passed over. On failure nothing of it is left.

        Raises:
            ServerError, NoFreePort: it didn't come up.
        """
        tried: set[int] = set()
        while True:
            context.on_phase("start")
            process = self._reserve(context, tried)
            try:
                process, identity = self._launch(context, process)
                context.on_phase("health")
                context.log.write(f"Waiting for port {process.port} to answer /health", stream="info")
                self._parts.runner.wait_healthy(identity, float(self._parts.settings.health_timeout), context.cancel)
                return self._record_running(context, process, identity)
            except ServerUnhealthy as exc:
                self.end(process)
                tried.add(process.port)
                if not exc.evidence.get("port_taken") or len(tried) >= _PORT_TRIES:
                    raise explain_lock(exc) from exc
                context.log.write(f"Port {process.port} was taken by a stranger; trying another", stream="info")
            except BaseException:
                self.end(process)
                raise

    def end(self, process: Process, *, grace: float = 10.0) -> None:
        """Stop one server at once and record how it ended."""
        ended = self._parts.runner.stop(identify(process), grace)
        with suppress(Conflict):  # somebody else recorded its end first
            self._parts.storage.processes.transition(
                process.id,
                ProcessStatus.EXITED,
                expected=ALIVE,
                exit_code=ended.code,
                exit_signal=ended.signal,
                exit_reason=ended.reason,
                exited_at=utc_now(),
            )

    def _reserve(self, context: LaunchContext, tried: set[int]) -> Process:
        """Record a process with a port of its own: the row is what keeps others off that port."""
        while True:
            context.cancel()
            port = self._parts.runner.find_port(frozenset(self._list_taken(context.deployment.id) | tried))
            process = Process(context.deployment.id, context.build.id, LOOPBACK, port)
            log_path = self._parts.home.server_logs / f"{process.id}.log"
            try:
                return self._parts.storage.processes.create(replace(process, log_path=str(log_path)))
            except Conflict:
                tried.add(port)

    def _list_taken(self, deployment_id: str) -> set[int]:
        """Ports of servers, and ports that hosts of other deployments lead to.

        The server behind such a host may have crashed: until it is back, its address must not lead to another app.
        """
        held = {item.port for item in self._parts.storage.processes.list(statuses=ALIVE)}
        routes = self._parts.storage.routes.list()
        return held | {route.target_port for route in routes if route.deployment_id != deployment_id}

    def _launch(self, context: LaunchContext, process: Process) -> tuple[Process, ServerIdentity]:
        identity = self._parts.runner.start(self._make_spec(context, process))
        context.log.write(f"Started the server: pid {identity.pid}, port {process.port}", stream="info")
        recorded = self._parts.storage.processes.update(
            process.id,
            pid=identity.pid,
            start_ticks=identity.start_ticks,
            shim_pid=identity.shim_pid,
            shim_start_ticks=identity.shim_start_ticks,
            boot_id=identity.boot_id,
        )
        return recorded, identity

    def _make_spec(self, context: LaunchContext, process: Process) -> ServerSpec:
        env, _, redact = open_env(self._parts.secrets, context.build.env_snapshot)
        home = self._parts.home
        return ServerSpec(
            process_id=process.id,
            project_id=context.project.id,
            deployment_id=context.deployment.id,
            build_id=context.build.id,
            artifact=context.artifact,
            host=process.host,
            port=process.port,
            data_dir=home.data / context.deployment.id,
            telemetry_dir=home.telemetry / context.deployment.id / context.build.id / process.id,
            log_path=home.server_logs / f"{process.id}.log",
            env=env,
            redact=redact,
            drain_seconds=float(self._parts.settings.drain_timeout),
        )

    def _record_running(self, context: LaunchContext, process: Process, identity: ServerIdentity) -> Process:
        trace_status = dict(self._parts.runner.read_trace_status(identity))
        if not trace_status.get("traced"):
            reason = trace_status.get("reason") or "the tracing module said nothing"
            context.log.write(f"Not traced: {reason}", stream="info")
        return self._parts.storage.processes.transition(
            process.id, ProcessStatus.RUNNING, expected=[ProcessStatus.STARTING], trace_status=trace_status
        )


def explain_lock(error: ServerUnhealthy) -> ServerUnhealthy:
    """Return the error with the way out when the new server failed on a file that the old one holds."""
    tail = "\n".join(str(line) for line in error.evidence.get("log_tail") or ()).lower()
    if not any(words in tail for words in _LOCK_WORDS):
        return error
    return ServerUnhealthy(
        error.message,
        hint="It seems that a file of the app can't be open twice (DuckDB locks its files). Deploy with "
        'strategy="recreate": the old server then stops before the new one starts.',
        evidence=error.evidence,
    )
