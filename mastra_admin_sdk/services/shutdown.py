"""Ending everything that a home has running."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from mastra_admin_sdk.errors import MastraAdminError, ServerError
from mastra_admin_sdk.models import Deployment, DeploymentStatus

from .builds.pipeline import ACTIVE
from .builds.queue import BuildQueue
from .deployments.live import PathToLive, lock_name
from .parts import Parts
from .supervision.strays import end_stray, find_strays

logger = logging.getLogger(__name__)

_GRACE = 10.0
_LOCK_TIMEOUT = 60.0
_CANCEL_TIMEOUT = 60.0


def shut_down(parts: Parts, path: PathToLive, queue: BuildQueue, on_step: Callable[[str], None]) -> None:
    """Stop all servers, then the router, then the engine. What deployments should do is kept for the next ``up``.

    Servers that no record names, as when the database was removed, are found by what they carry in their environment.
    Builds that run elsewhere are cancelled first and waited for; queued ones stay queued. What can't be stopped
    doesn't keep the rest running.

    Raises:
        ServerError: some of it could not be stopped; the evidence says what and why.
    """
    parts.record("down", "home", str(parts.home.path))
    _cancel_builds(parts, queue, on_step)
    failures: dict[str, str] = {}
    for deployment in parts.storage.deployments.list():
        if path.servers.list_alive(deployment.id) or parts.storage.routes.list(deployment.id):
            _try(_name(parts, deployment), on_step, partial(_stop_servers, parts, path, deployment), failures)
    for process_id, pids in find_strays(parts).items():
        title = f"a server without a record (pids {', '.join(map(str, pids))})"
        _try(title, on_step, partial(end_stray, parts, process_id), failures)
    if parts.router.is_running():
        _try("the router", on_step, parts.router.stop, failures)
    else:
        parts.router.stop()
    if parts.observability.status().get("running"):
        _try("the analytics engine", on_step, parts.observability.stop, failures)
    else:
        parts.observability.stop()
    if failures:
        raise ServerError(
            f"{', '.join(failures)} could not be stopped.", hint="Try `mastra-admin down` again.", evidence=failures
        )


def _name(parts: Parts, deployment: Deployment) -> str:
    project = parts.storage.projects.get(deployment.project_id)
    return f"{parts.storage.teams.get(project.team_id).slug}/{project.slug}/{deployment.slug}"


def _try(title: str, on_step: Callable[[str], None], stop: Callable[[], None], failures: dict[str, str]) -> None:
    on_step(f"Stopping {title}")
    try:
        stop()
    except MastraAdminError as exc:
        logger.warning("%s could not be stopped: %s", title, exc)
        failures[title] = exc.message


def _cancel_builds(parts: Parts, queue: BuildQueue, on_step: Callable[[str], None]) -> None:
    """Cancel the builds that run and wait for their end; one that went live meanwhile is stopped with the rest."""
    for build in parts.storage.builds.list(statuses=ACTIVE):
        on_step(f"Cancelling build #{build.number}")
        parts.storage.builds.update(build.id, cancel_requested=True)
    deadline = time.monotonic() + _CANCEL_TIMEOUT
    while parts.storage.builds.list(statuses=ACTIVE) and time.monotonic() < deadline:
        queue.recover()
        time.sleep(0.1)


def _stop_servers(parts: Parts, path: PathToLive, deployment: Deployment) -> None:
    with parts.leases.hold(lock_name(deployment.id), timeout=_LOCK_TIMEOUT, what=deployment.slug):
        path.routes.close(deployment.id)
        path.retire(path.servers.list_alive(deployment.id), grace=_GRACE)
        current = parts.storage.deployments.get(deployment.id).status
        to = DeploymentStatus.FAILED if current is DeploymentStatus.FAILED else DeploymentStatus.STOPPED
        parts.storage.deployments.transition(deployment.id, to, expected=tuple(DeploymentStatus))
