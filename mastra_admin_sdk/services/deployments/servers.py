"""Servers: started on ports of their own, waited for, ended; their records kept in step with each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from mastra_admin_sdk.errors import Conflict, MastraAdminError, ServerUnhealthy
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
from mastra_admin_sdk.services.environment.secrets import open_env
from mastra_admin_sdk.services.parts import Parts

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
ALIVE = (ProcessStatus.STARTING, ProcessStatus.RUNNING, ProcessStatus.DRAINING)
_PORT_TRIES = 5
_AT_ONCE = 4
_LAST_LINES = 20
_LOCK_WORDS = ("could not set lock on file", "database is locked", "conflicting lock is held", "resource temporarily")


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """Who asks for a server, and how they hear of it.

    ``cancel`` may end it, ``on_phase`` is told each phase. ``on_live`` records that the deployment now is this server:
    called once, right after the switch, with its main server; when it raises, the switch is taken back. ``restarts`` is
    how often these servers were started before.
    """

    project: Project
    deployment: Deployment
    build: Build
    artifact: Artifact
    log: LogSink
    cancel: CancelCheck
    on_phase: Callable[[str], None]
    on_live: Callable[[Process], object]
    restarts: int = 0


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

    def start_healthy(self, context: LaunchContext, replicas: Sequence[int] = (0,)) -> list[Process]:
        """Start a server of the artifact for each replica, wait until all answer, and return them as ``running``.

        A few of them start at the same time. A port that a stranger takes in the same moment is passed over. On
        failure nothing of any of them is left.

        Raises:
            ServerError, NoFreePort: one of them didn't come up.
        """
        started: dict[int, Process] = {}
        try:
            for first in range(0, len(replicas), _AT_ONCE):
                self._start_some(context, replicas[first : first + _AT_ONCE], started)
        except BaseException:
            self._end_all(started.values())
            raise
        return [started[replica] for replica in replicas]

    def end(self, process: Process, *, grace: float = 10.0, reason: str | None = None) -> Process:
        """Stop one server at once, record how it ended with its last lines, and return the record.

        ``reason`` is why it was stopped; what is seen of its end stands in the record unless given.
        """
        ended = self._parts.runner.stop(identify(process), grace)
        with suppress(Conflict):  # somebody else recorded its end first
            return self._parts.storage.processes.transition(
                process.id,
                ProcessStatus.EXITED,
                expected=ALIVE,
                exit_code=ended.code,
                exit_signal=ended.signal,
                exit_reason=reason or ended.reason,
                exited_at=utc_now(),
                stats={**process.stats, "last_lines": list(ended.log_tail[-_LAST_LINES:])},
            )
        return self._parts.storage.processes.get(process.id)

    def explain_end(self, process: Process) -> ServerUnhealthy:
        """Return the error for a server that ended just after it had been healthy."""
        ended = self._parts.runner.read_exit(identify(process))
        return ServerUnhealthy(
            f"The server ended right after it had been healthy: {ended.reason if ended else 'it is gone.'}",
            hint="Look at its last lines.",
            evidence={
                "exit_code": ended.code if ended else None,
                "signal": ended.signal if ended else None,
                "port": process.port,
                "log_tail": list(ended.log_tail) if ended else [],
            },
        )

    # --- starting -----------------------------------------------------------------------------------------------------

    def _start_some(self, context: LaunchContext, replicas: Sequence[int], started: dict[int, Process]) -> None:
        """Start a few servers and wait for them; ``started`` always has what has to be ended when that fails."""
        tried: set[int] = set()
        context.on_phase("start")
        for replica in replicas:
            self._launch(context, replica, tried, started)
        context.on_phase("health")
        for replica in replicas:
            self._see_healthy(context, replica, tried, started)

    def _see_healthy(self, context: LaunchContext, replica: int, tried: set[int], started: dict[int, Process]) -> None:
        timeout = float(self._parts.settings.health_timeout)
        for attempt in range(1, _PORT_TRIES + 1):
            process = started[replica]
            identity = identify(process)
            context.log.write(f"Waiting for port {process.port} to answer /health", stream="info")
            try:
                self._parts.runner.wait_healthy(identity, timeout, context.cancel)
                started[replica] = self._record_running(context, process, identity)
                return
            except ServerUnhealthy as exc:
                if not exc.evidence.get("port_taken") or attempt == _PORT_TRIES:
                    raise explain_lock(exc) from exc
            self.end(process)
            context.log.write(f"Port {process.port} was taken by a stranger; trying another", stream="info")
            tried.add(process.port)
            self._launch(context, replica, tried, started)

    def _end_all(self, processes: Iterable[Process]) -> None:
        for process in processes:
            try:
                self.end(process)
            except MastraAdminError:
                # Why it is ended at all is on its way to the caller; the supervisor ends what is left.
                logger.exception("The server on port %s could not be ended", process.port)

    def _reserve(self, context: LaunchContext, replica: int, tried: set[int]) -> Process:
        """Record a process with a port of its own: the row is what keeps others off that port."""
        while True:
            context.cancel()
            port = self._parts.runner.find_port(frozenset(self._list_taken(context.deployment.id) | tried))
            process = Process(
                context.deployment.id, context.build.id, LOOPBACK, port, replica=replica, restarts=context.restarts
            )
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

    def _launch(self, context: LaunchContext, replica: int, tried: set[int], started: dict[int, Process]) -> None:
        process = started[replica] = self._reserve(context, replica, tried)
        identity = self._parts.runner.start(self._make_spec(context, process))
        context.log.write(f"Started the server: pid {identity.pid}, port {process.port}", stream="info")
        started[replica] = self._parts.storage.processes.update(
            process.id,
            pid=identity.pid,
            start_ticks=identity.start_ticks,
            shim_pid=identity.shim_pid,
            shim_start_ticks=identity.shim_start_ticks,
            boot_id=identity.boot_id,
        )

    def _make_spec(self, context: LaunchContext, process: Process) -> ServerSpec:
        env, _, redact = open_env(self._parts.secrets, context.build.env_snapshot)
        home, settings, deployment = self._parts.home, self._parts.settings, context.deployment
        memory_mb = settings.server_memory_mb if deployment.memory_mb is None else deployment.memory_mb
        return ServerSpec(
            process_id=process.id,
            project_id=context.project.id,
            deployment_id=deployment.id,
            build_id=context.build.id,
            artifact=context.artifact,
            host=process.host,
            port=process.port,
            data_dir=home.data / deployment.id,
            telemetry_dir=home.telemetry / deployment.id / context.build.id / process.id,
            log_path=home.server_logs / f"{process.id}.log",
            env=env,
            redact=redact,
            drain_seconds=float(settings.drain_timeout),
            memory_mb=int(memory_mb) or None,
            nice=int(settings.server_nice if deployment.nice is None else deployment.nice),
            telemetry_policy=self._parts.policies.find(context.project.id).to_json(),
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
