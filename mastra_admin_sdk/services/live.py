"""The one path to live: every deploy, restart, rollback and environment change takes it.

Start the new server on a port of its own → wait until it answers and the listener is its own → switch the route in
one atomic call → check that the new one answers → record it → drain and stop the old one. Until the switch the old
one serves; whatever fails before it is recorded leaves the old one as it was; whatever fails later changes nothing
any more.

Whoever calls holds the lock ``deployment/<id>`` (see `lock_name`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence

from mastra_admin_sdk.errors import Conflict, LeaseLost, MastraAdminError, RouterError
from mastra_admin_sdk.models import Deployment, Process, ProcessStatus, Strategy
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink

from .parts import Parts
from .servers import LaunchContext, Servers
from .switchboard import Switchboard

logger = logging.getLogger(__name__)

_QUIET = 0.3
_GRACE_AFTER_FAILURE = 10.0


def lock_name(deployment_id: str) -> str:
    """Return the name of the lock under which a deployment's servers and routes are changed."""
    return f"deployment/{deployment_id}"


class PathToLive:
    """Puts servers in the place of others. ``servers`` starts and ends them, ``routes`` says where hosts lead."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.servers = Servers(parts)
        self.routes = Switchboard(parts)

    def go_live(self, context: LaunchContext) -> Process:
        """Put an artifact live and return its process; what served before is drained and stopped.

        Raises:
            ServerError, RouterError, NoFreePort: the new server didn't come up; what served before still does (with
                the strategy ``recreate`` it has been stopped).
        """
        old = self.servers.list_alive(context.deployment.id)
        if context.deployment.strategy is Strategy.RECREATE and old:
            old = []
            process = self._replace_first(context)
        else:
            process = self.servers.start_healthy(context)
        self._switch(context, process, old)
        if old:
            self._retire_replaced(context, old)
        return process

    def revive(
        self, deployment: Deployment, log: LogSink, cancel: CancelCheck, on_live: Callable[[Process], object]
    ) -> Process:
        """Start what a deployment served last again: the current artifact, with the environment its build ran with."""
        build = self._parts.storage.builds.get(deployment.current_build_id or "")
        kept = self._parts.storage.builds.get(build.artifact_build_id or build.id)
        project = self._parts.storage.projects.get(deployment.project_id)
        artifact = self._parts.runner.load_artifact(kept.artifact)
        return self.go_live(
            LaunchContext(project, deployment, build, artifact, log, cancel, on_phase=_ignore_phase, on_live=on_live)
        )

    def retire(self, processes: Iterable[Process], log: LogSink | None = None, *, grace: float | None = None) -> None:
        """Drain and stop servers that no route names any more."""
        grace = float(self._parts.settings.drain_timeout) if grace is None else grace
        for process in processes:
            self._mark_draining(process)
            left = self._wait_for_requests(process, grace)
            if left and log:
                log.write(f"{left} requests were still open on port {process.port} after {grace:.0f} s", stream="info")
            self.servers.end(process)
            self._parts.record("server_stopped", "deployment", process.deployment_id, process=process.id)
            if log:
                log.write(f"Stopped the server on port {process.port}", stream="info")

    def _replace_first(self, context: LaunchContext) -> Process:
        """Stop what serves, then start the new server; if it doesn't come up, no host leads to what is gone."""
        context.on_phase("drain")
        self.retire(self.servers.list_alive(context.deployment.id), context.log)
        try:
            return self.servers.start_healthy(context)
        except BaseException:
            self._put_back(context, [])
            raise

    # --- switch -------------------------------------------------------------------------------------------------------

    def _switch(self, context: LaunchContext, process: Process, old: Sequence[Process]) -> None:
        try:
            context.on_phase("route")
            context.cancel()
            # Before the routes are on record: who sees them there may send requests at once.
            self._parts.router.start()
            hosts = self.routes.lead_to(context.project, context.deployment, [process])
            self.routes.check_answer(hosts[0], [process], context.build.id)
            context.on_live(process)
        except BaseException:
            # Routes first: nobody may be sent to a server that is about to end.
            self._put_back(context, old)
            self.retire([process], context.log, grace=_GRACE_AFTER_FAILURE)
            raise
        context.log.write(f"Live at {self._parts.router.make_url(hosts[0])}", stream="info")

    def _put_back(self, context: LaunchContext, old: Sequence[Process]) -> None:
        """Lead the hosts back to what served before; without that, remove them."""
        serving = next((item for item in old if item.status is ProcessStatus.RUNNING), None)
        try:
            if serving:
                self.routes.lead_to(context.project, context.deployment, [serving])
            else:
                self.routes.close(context.deployment.id)
        except MastraAdminError:
            # The first error is on its way to the caller; the supervisor's next pass mends the routes.
            logger.exception("The routes of deployment %s could not be put back", context.deployment.id)

    # --- drain --------------------------------------------------------------------------------------------------------

    def _retire_replaced(self, context: LaunchContext, old: Sequence[Process]) -> None:
        try:
            context.on_phase("drain")
            self.retire(old, context.log)
        except LeaseLost:
            raise
        except MastraAdminError as exc:
            # The new server is live, whatever becomes of the old one: the supervisor ends what is left of it.
            logger.warning("A server that was replaced could not be ended: %s", exc)
            context.log.write(f"The old server could not be ended yet: {exc.message}", stream="info")

    def _mark_draining(self, process: Process) -> None:
        try:
            self._parts.storage.processes.transition(
                process.id, ProcessStatus.DRAINING, expected=[ProcessStatus.STARTING, ProcessStatus.RUNNING]
            )
        except Conflict:
            logger.debug("Process %s is draining or gone already", process.id)

    def _wait_for_requests(self, process: Process, grace: float) -> int:
        """Wait until no request is under way on a server; return how many were left in the end.

        A request may have read the old target just before the switch and not be counted yet: no request counts as
        none only when it stays so for a moment.
        """
        deadline = time.monotonic() + grace
        busy_at = time.monotonic()
        while self.servers.is_running(process) and self._parts.router.is_running():
            left = self._count_requests(process)
            now = time.monotonic()
            busy_at = now if left else busy_at
            if now >= deadline or now - busy_at >= _QUIET:
                return left
            time.sleep(0.05)
        return 0

    def _count_requests(self, process: Process) -> int:
        try:
            return self._parts.router.count_requests(process.host, process.port)
        except RouterError as exc:
            # A router that can't say passes no requests on either: nothing to wait for.
            logger.warning("The requests on port %s can't be counted: %s", process.port, exc.message)
            return 0


def _ignore_phase(_: str) -> None:
    """A server that is started again has no build whose phases are measured."""
