"""The one path to live: every deploy, restart, rollback and environment change takes it.

Start the new servers, as many as the deployment has replicas, each on a port of its own → wait until they answer and
the listeners are their own → switch the route to all of them in one atomic call → check that they answer → record it →
drain and stop the old ones. Until the switch the old ones serve; whatever fails before it is recorded leaves them as
they were; whatever fails later changes nothing any more.

What differs in the number of servers only takes the same path: those that ``keep`` names go on, and only the difference
is started or stopped.

Whoever calls holds the lock ``deployment/<id>`` (see `lock_name`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from mastra_admin_sdk.errors import Conflict, LeaseLost, MastraAdminError, RouterError
from mastra_admin_sdk.models import Deployment, Process, ProcessStatus, Strategy
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.supervision.crew import do_together

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

    def go_live(
        self,
        context: LaunchContext,
        *,
        keep: Sequence[Process] = (),
        replicas: Iterable[int] | None = None,
        unfit: Mapping[str, str] | None = None,
    ) -> list[Process]:
        """Put servers of an artifact live and return those that serve then; all others are drained and stopped.

        Parameters:
            context: who asks for it.
            keep: servers of the same build that go on serving.
            replicas: which ones to start; as many as the deployment is to have, without those of ``keep``, unless
                given.
            unfit: why servers that are stopped weren't fit to serve, by process id; they get little time to drain, and
                their end counts as one that nobody asked for.

        Raises:
            ServerError, RouterError, NoFreePort: a new server didn't come up; what served before still does (with the
                strategy ``recreate`` it has been stopped).
        """
        keep_ids = {item.id for item in keep}
        old = [item for item in self.servers.list_alive(context.deployment.id) if item.id not in keep_ids]
        if replicas is None:
            replicas = set(range(context.deployment.replicas)) - {item.replica for item in keep}
        numbers = sorted(replicas)
        if context.deployment.strategy is Strategy.RECREATE and old and numbers:
            fresh, old = self._replace_first(context, old, numbers, unfit or {}), []
        else:
            fresh = self.servers.start_healthy(context, numbers)
        serving = sorted([*keep, *fresh], key=lambda item: item.replica)
        self._switch(context, serving, fresh, before=[*keep, *old])
        if old:
            self._retire_replaced(context, old, unfit or {})
        return serving

    def revive(
        self,
        deployment: Deployment,
        log: LogSink,
        cancel: CancelCheck,
        on_live: Callable[[Process], object],
        *,
        keep: Sequence[Process] = (),
        replicas: Iterable[int] | None = None,
        unfit: Mapping[str, str] | None = None,
        restarts: int = 0,
    ) -> list[Process]:
        """Start what a deployment served last again: the current artifact, with the environment its build ran with.

        ``restarts`` is how often that was done before; the other parameters are those of `go_live`.
        """
        build = self._parts.storage.builds.get(deployment.current_build_id or "")
        kept = self._parts.storage.builds.get(build.artifact_build_id or build.id)
        project = self._parts.storage.projects.get(deployment.project_id)
        artifact = self._parts.runner.load_artifact(kept.artifact)
        context = LaunchContext(project, deployment, build, artifact, log, cancel, _ignore_phase, on_live, restarts)
        return self.go_live(context, keep=keep, replicas=replicas, unfit=unfit)

    def retire(
        self,
        processes: Iterable[Process],
        log: LogSink | None = None,
        *,
        grace: float | None = None,
        unfit: Mapping[str, str] | None = None,
    ) -> None:
        """Drain and stop servers that no route names any more, all at the same time; ``unfit`` as in `go_live`."""
        works = [partial(self._retire, item, log, grace, (unfit or {}).get(item.id)) for item in processes]
        do_together(works, "mastra-admin-drain")

    def _retire(self, process: Process, log: LogSink | None, grace: float | None, reason: str | None) -> None:
        grace = float(self._parts.settings.drain_timeout) if grace is None else grace
        grace = min(grace, _GRACE_AFTER_FAILURE) if reason else grace
        self._mark_draining(process)
        left = self._wait_for_requests(process, grace)
        if left and log:
            log.write(f"{left} requests were still open on port {process.port} after {grace:.0f} s", stream="info")
        self.servers.end(process, reason=reason)
        action, details = ("server_ended", {"reason": reason}) if reason else ("server_stopped", {})
        self._parts.record(action, "deployment", process.deployment_id, process=process.id, **details)
        if log:
            log.write(f"Stopped the server on port {process.port}", stream="info")

    def _replace_first(
        self, context: LaunchContext, old: Sequence[Process], replicas: Sequence[int], unfit: Mapping[str, str]
    ) -> list[Process]:
        """Stop what serves, then start the new server; if it doesn't come up, no host leads to what is gone."""
        context.on_phase("drain")
        self.retire(old, context.log, unfit=unfit)
        try:
            return self.servers.start_healthy(context, replicas)
        except BaseException:
            self._put_back(context, [])
            raise

    # --- switch -------------------------------------------------------------------------------------------------------

    def _switch(
        self, context: LaunchContext, serving: Sequence[Process], fresh: Sequence[Process], before: Sequence[Process]
    ) -> None:
        try:
            context.on_phase("route")
            context.cancel()
            # Before the routes are on record: who sees them there may send requests at once.
            self._parts.router.start()
            hosts = self.routes.lead_to(context.project, context.deployment, serving)
            self.routes.check_answer(hosts[0], serving, context.build.id)
            context.on_live(serving[0])
        except BaseException as exc:
            gone = next((item for item in fresh if not self.servers.is_running(item)), None)
            # Routes first: nobody may be sent to a server that is about to end.
            self._put_back(context, before)
            self.retire(fresh, context.log, grace=_GRACE_AFTER_FAILURE)
            if gone and isinstance(exc, RouterError):
                raise self.servers.explain_end(gone) from exc
            raise
        context.log.write(f"Live at {self._parts.router.make_url(hosts[0])}", stream="info")

    def _put_back(self, context: LaunchContext, before: Sequence[Process]) -> None:
        """Lead the hosts back to what served before; without that, remove them."""
        running = [item for item in before if item.status is ProcessStatus.RUNNING and self.servers.is_running(item)]
        current = [item for item in running if item.build_id == context.deployment.current_build_id]
        serving = sorted(current or running[:1], key=lambda item: item.replica)
        try:
            if serving:
                self.routes.lead_to(context.project, context.deployment, serving)
            else:
                self.routes.close(context.deployment.id)
        except MastraAdminError:
            # The first error is on its way to the caller; the supervisor's next pass mends the routes.
            logger.exception("The routes of deployment %s could not be put back", context.deployment.id)

    # --- drain --------------------------------------------------------------------------------------------------------

    def _retire_replaced(self, context: LaunchContext, old: Sequence[Process], unfit: Mapping[str, str]) -> None:
        try:
            context.on_phase("drain")
            self.retire(old, context.log, unfit=unfit)
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
