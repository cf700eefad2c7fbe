"""Starting servers that are missing, until it is hopeless."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from mastra_admin_sdk.errors import BuildError, LeaseLost, MastraAdminError
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import Deployment, DeploymentStatus, Process
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.redaction import Redactor
from mastra_admin_sdk.services.deployments.live import PathToLive
from mastra_admin_sdk.services.environment.secrets import open_env
from mastra_admin_sdk.services.parts import Parts

from .restarts import WINDOW, Restarts

logger = logging.getLogger(__name__)


class Revival:
    """Starts the servers that a deployment lacks, with growing pauses; gives up what ends again and again."""

    def __init__(self, parts: Parts, path: PathToLive) -> None:
        self._parts, self._path = parts, path
        self.restarts = Restarts(parts)

    def is_due(self, deployment: Deployment, serving: Sequence[Process]) -> bool:
        """True when a server is missing whose pause is over."""
        return any(self.restarts.is_due(deployment.id, replica) for replica in _list_missing(deployment, serving))

    def complete(
        self, deployment: Deployment, serving: Sequence[Process], unfit: Mapping[str, str], check: CancelCheck
    ) -> None:
        """Start the servers that are missing and due, one after the other: each serves as soon as it can.

        Parameters:
            deployment: which one; the caller holds its lock.
            serving: its servers that are fit.
            unfit: why others aren't, by process id; they are stopped once another one serves.
            check: raises when this process is to stop, or has lost the lock.
        """
        ends = self.restarts.list_recent_ends(deployment)
        if not serving and self._is_given_up(deployment, ends):
            return
        try:
            for replica in _list_missing(deployment, serving):
                if self.restarts.is_due(deployment.id, replica):
                    check()
                    serving = self._try(deployment, serving, replica, ends, unfit, check)
        except BuildError as exc:
            if not serving:
                self._give_up(deployment, f"The server can't be started again: {exc.message}", [])
            else:
                logger.warning("A server of %s can't be started again: %s", deployment.slug, exc.message)
            return
        if not serving:
            self._is_given_up(deployment, self.restarts.list_recent_ends(deployment))

    def record_running(self, deployment: Deployment, servers: int) -> None:
        """Record that a deployment serves, with so many servers."""
        reason = None if servers == deployment.replicas else f"{servers} of {deployment.replicas} servers run."
        self._parts.storage.deployments.transition(
            deployment.id, DeploymentStatus.RUNNING, expected=tuple(DeploymentStatus), status_reason=reason
        )
        self._parts.record("restarted", "deployment", deployment.id, servers=servers)

    def _try(
        self,
        deployment: Deployment,
        serving: Sequence[Process],
        replica: int,
        ends: Sequence[Process],
        unfit: Mapping[str, str],
        check: CancelCheck,
    ) -> Sequence[Process]:
        """Start one server and return what serves then; one that doesn't come up doesn't keep the others from it."""
        restarts = self.restarts.count(ends, replica)
        self.restarts.begin(deployment.id, replica, sum(item.replica == replica for item in ends))
        try:
            serving = self._start(deployment, serving, replica, restarts, unfit, check)
        except (BuildError, LeaseLost):
            raise
        except MastraAdminError as exc:
            logger.warning("Server %d of %s could not be started: %s", replica, deployment.slug, exc)
        else:
            self.restarts.succeed(deployment.id, replica)
        return serving

    def _start(
        self,
        deployment: Deployment,
        serving: Sequence[Process],
        replica: int,
        restarts: int,
        unfit: Mapping[str, str],
        check: CancelCheck,
    ) -> Sequence[Process]:
        """Start the current artifact once more, with the environment that its build ran with."""
        build = self._parts.storage.builds.get(deployment.current_build_id or "")
        path = Path(build.log_path or self._parts.home.build_logs / f"{build.id}.log")
        with LineLog(path, Redactor(open_env(self._parts.secrets, build.env_snapshot)[2])) as log:
            for reason in unfit.values():
                log.write(reason, stream="info")
            log.write(f"Starting the server again ({restarts} ends before)", stream="info")
            return self._path.revive(
                deployment,
                log,
                check,
                lambda _: self.record_running(deployment, len(serving) + 1),
                keep=serving,
                replicas=[replica],
                unfit=unfit,
                restarts=restarts,
            )

    def _is_given_up(self, deployment: Deployment, ends: Sequence[Process]) -> bool:
        """Give up what is hopeless, and say whether it was."""
        if not self.restarts.is_hopeless(ends, range(deployment.replicas)):
            return False
        self._give_up(deployment, _explain_ends(ends), _list_last_lines(ends))
        return True

    def _give_up(self, deployment: Deployment, reason: str, last_lines: Sequence[str]) -> None:
        self._path.routes.close(deployment.id)
        # Before the state: whoever sees that it failed finds out why.
        self._parts.record("gave_up", "deployment", deployment.id, reason=reason, last_lines=list(last_lines))
        self._parts.storage.deployments.transition(
            deployment.id, DeploymentStatus.FAILED, expected=tuple(DeploymentStatus), status_reason=reason
        )
        self.restarts.clear(deployment.id)


def _list_missing(deployment: Deployment, serving: Sequence[Process]) -> list[int]:
    return sorted(set(range(deployment.replicas)) - {item.replica for item in serving})


def _explain_ends(ends: Sequence[Process]) -> str:
    lines = _list_last_lines(ends)
    last = f" Its last line: {lines[-1]}" if lines else ""
    return f"The server ended {len(ends)} times within {WINDOW.seconds // 60} minutes: {ends[0].exit_reason}{last}"


def _list_last_lines(ends: Sequence[Process]) -> list[str]:
    return [str(line) for line in ends[0].stats.get("last_lines", [])]
