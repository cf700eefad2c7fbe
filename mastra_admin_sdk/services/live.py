"""The one path to live: every deploy, restart, rollback and environment change takes it.

Start the new server on a port of its own → wait until it answers and the listener is its own → switch the route in
one atomic call → check that the new one answers → drain and stop the old one. Until the switch the old one serves;
whatever fails before it leaves the old one as it was.

Whoever calls holds the lock ``deployment/<id>`` (see `lock_name`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from mastra_admin_sdk.errors import Conflict, MastraAdminError, RequestFailed, RouterError, ServerUnhealthy
from mastra_admin_sdk.models import (
    Artifact,
    Build,
    Deployment,
    DeploymentType,
    Process,
    ProcessStatus,
    Project,
    Route,
    ServerIdentity,
    ServerSpec,
    Strategy,
    utc_now,
)
from mastra_admin_sdk.ports.runner import CancelCheck, LogSink

from .addresses import make_hosts
from .parts import Parts
from .requests import request
from .secrets import open_env

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
ALIVE = (ProcessStatus.STARTING, ProcessStatus.RUNNING, ProcessStatus.DRAINING)
_PORT_TRIES = 5


def lock_name(deployment_id: str) -> str:
    """Return the name of the lock under which a deployment's servers and routes are changed."""
    return f"deployment/{deployment_id}"


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


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """Who asks for a server, and how they hear of it: ``on_phase`` is told each phase, ``cancel`` may end it."""

    project: Project
    deployment: Deployment
    build: Build
    artifact: Artifact
    log: LogSink
    cancel: CancelCheck
    on_phase: Callable[[str], None]


_LOCK_WORDS = ("could not set lock on file", "database is locked", "conflicting lock is held", "resource temporarily")


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


class PathToLive:
    """Starts servers, switches routes, stops servers; keeps the records in step with each."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def go_live(self, context: LaunchContext) -> Process:
        """Put an artifact live and return its process; what served before is drained and stopped.

        Raises:
            ServerError, RouterError, NoFreePort: the new server didn't come up; what served before still does.
        """
        old = self.list_alive(context.deployment.id)
        if context.deployment.strategy is Strategy.RECREATE and old:
            context.on_phase("drain")
            self.retire(old, context.log)
            old = []
        process = self._start_healthy(context)
        try:
            context.on_phase("route")
            context.cancel()
            self._switch(context, process)
        except BaseException:
            self.end(process)
            self._restore_routes(context.deployment, old)
            raise
        if old:
            context.on_phase("drain")
            self.retire(old, context.log)
        return process

    def list_alive(self, deployment_id: str) -> list[Process]:
        """Return the processes of a deployment that haven't exited, as recorded."""
        return list(self._parts.storage.processes.list(deployment_id, statuses=ALIVE))

    def retire(self, processes: Iterable[Process], log: LogSink | None = None, *, grace: float | None = None) -> None:
        """Drain and stop servers that no route names any more."""
        grace = float(self._parts.settings.drain_timeout) if grace is None else grace
        for process in processes:
            self._mark_draining(process)
            left = self._wait_for_requests(process, grace)
            if left and log:
                log.write(f"{left} requests were still open on port {process.port} after {grace:.0f} s", stream="info")
            self.end(process)
            self._parts.record("server_stopped", "deployment", process.deployment_id, process=process.id)
            if log:
                log.write(f"Stopped the server on port {process.port}", stream="info")

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

    def close_routes(self, deployment_id: str) -> None:
        """Take a deployment's routes out of the router and the records."""
        for route in self._parts.storage.routes.list(deployment_id):
            if self._parts.router.is_running():
                self._parts.router.unregister(route.host)
            self._parts.storage.routes.delete(route.host)

    def list_hosts(self, project: Project, deployment: Deployment) -> list[str]:
        """Return the hosts that a deployment answers on, its main one first."""
        team = self._parts.storage.teams.get(project.team_id)
        return make_hosts(
            team.slug,
            project.slug,
            deployment.slug,
            base_domain=self._parts.router.base_domain,
            is_default_production=deployment.type is DeploymentType.PRODUCTION
            and deployment.branch == project.default_branch,
        )

    def sync_router(self) -> int:
        """Make the router agree with the recorded routes; return how many differences were mended."""
        routes = self._parts.storage.routes.list()
        if not routes and not self._parts.router.is_running():
            return 0
        self._parts.router.start()
        return self._parts.router.reconcile(routes)

    # --- start --------------------------------------------------------------------------------------------------------

    def _start_healthy(self, context: LaunchContext) -> Process:
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

    def _reserve(self, context: LaunchContext, tried: set[int]) -> Process:
        """Record a process with a port of its own: the row is what keeps others off that port."""
        while True:
            context.cancel()
            recorded = {item.port for item in self._parts.storage.processes.list(statuses=ALIVE)}
            port = self._parts.runner.find_port(frozenset(recorded | tried))
            process = Process(context.deployment.id, context.build.id, LOOPBACK, port)
            log_path = self._parts.home.server_logs / f"{process.id}.log"
            try:
                return self._parts.storage.processes.create(replace(process, log_path=str(log_path)))
            except Conflict:
                tried.add(port)

    def _launch(self, context: LaunchContext, process: Process) -> tuple[Process, ServerIdentity]:
        env, _, redact = open_env(self._parts.secrets, context.build.env_snapshot)
        spec = ServerSpec(
            process_id=process.id,
            project_id=context.project.id,
            deployment_id=context.deployment.id,
            build_id=context.build.id,
            artifact=context.artifact,
            host=process.host,
            port=process.port,
            data_dir=self._parts.home.data / context.deployment.id,
            telemetry_dir=self._parts.home.telemetry / context.deployment.id / context.build.id / process.id,
            log_path=self._parts.home.server_logs / f"{process.id}.log",
            env=env,
            redact=redact,
            drain_seconds=float(self._parts.settings.drain_timeout),
        )
        identity = self._parts.runner.start(spec)
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

    def _record_running(self, context: LaunchContext, process: Process, identity: ServerIdentity) -> Process:
        trace_status = dict(self._parts.runner.read_trace_status(identity))
        if not trace_status.get("traced"):
            reason = trace_status.get("reason") or "the tracing module said nothing"
            context.log.write(f"Not traced: {reason}", stream="info")
        return self._parts.storage.processes.transition(
            process.id, ProcessStatus.RUNNING, expected=[ProcessStatus.STARTING], trace_status=trace_status
        )

    # --- switch -------------------------------------------------------------------------------------------------------

    def _switch(self, context: LaunchContext, process: Process) -> None:
        hosts = self.list_hosts(context.project, context.deployment)
        self._parts.router.start()
        for host in hosts:
            route = self._parts.storage.routes.put(Route(host, process.host, process.port, context.deployment.id))
            self._parts.router.register(route)
        self._drop_other_hosts(context.deployment.id, hosts)
        self._check_answer(hosts[0], process)
        context.log.write(f"Live at {self._parts.router.make_url(hosts[0])}", stream="info")

    def _drop_other_hosts(self, deployment_id: str, hosts: Sequence[str]) -> None:
        for route in self._parts.storage.routes.list(deployment_id):
            if route.host not in hosts:
                self._parts.router.unregister(route.host)
                self._parts.storage.routes.delete(route.host)

    def _check_answer(self, host: str, process: Process) -> None:
        """See that the address leads to the new server, and that it answers there."""
        found = self._parts.router.get_route(host)
        if found is None or (found.target_host, found.target_port) != (process.host, process.port):
            raise RouterError(
                f"The route of {host} leads to {found.target_port if found else 'nothing'}, not to {process.port}.",
                hint="Look at logs/caddy.log in the home, then deploy again.",
            )
        try:
            request(self._parts.router.endpoint, host, "GET", "/health", timeout=10)
        except RequestFailed as exc:
            # 401, 403 or 404 are answers of the app too: it may guard or move its health check.
            if int(exc.evidence.get("status") or 599) >= 500:
                raise RouterError(
                    f"{host} didn't answer right after the switch to port {process.port}: {exc.message}",
                    hint="What served before still does. Look at the server's log, then deploy again.",
                    evidence=exc.evidence,
                ) from exc

    def _restore_routes(self, deployment: Deployment, old: Sequence[Process]) -> None:
        """Point the routes back to what served before; without that, remove them."""
        serving = next((item for item in old if item.status is ProcessStatus.RUNNING), None)
        try:
            for route in self._parts.storage.routes.list(deployment.id):
                if serving is None:
                    self._parts.storage.routes.delete(route.host)
                    self._parts.router.unregister(route.host)
                elif route.target_port != serving.port:
                    back = self._parts.storage.routes.put(
                        Route(route.host, serving.host, serving.port, deployment.id, id=route.id)
                    )
                    self._parts.router.register(back)
        except MastraAdminError:
            # The first error is on its way to the caller; the supervisor's next pass reconciles the routes.
            logger.exception("The routes of deployment %s could not be put back", deployment.id)

    # --- drain --------------------------------------------------------------------------------------------------------

    def _mark_draining(self, process: Process) -> None:
        with suppress(Conflict):  # it is draining or gone already
            self._parts.storage.processes.transition(
                process.id, ProcessStatus.DRAINING, expected=[ProcessStatus.STARTING, ProcessStatus.RUNNING]
            )

    def _wait_for_requests(self, process: Process, grace: float) -> int:
        """Wait until the router counts no request on the server; return how many were left in the end."""
        deadline = time.monotonic() + grace
        while self._parts.runner.is_running(identify(process)) and self._parts.router.is_running():
            left = self._parts.router.count_requests(process.host, process.port)
            if not left or time.monotonic() >= deadline:
                return left
            time.sleep(0.1)
        return 0
