"""Ending everything that a home has running."""

from __future__ import annotations

from collections.abc import Callable

from mastra_admin_sdk.models import Deployment, DeploymentStatus

from .live import PathToLive, lock_name
from .parts import Parts
from .pipeline import ACTIVE

_GRACE = 10.0
_LOCK_TIMEOUT = 60.0


def shut_down(parts: Parts, path: PathToLive, on_step: Callable[[str], None]) -> None:
    """Stop all servers, then the router, then the engine. What deployments should do is kept for the next ``up``.

    Builds that run elsewhere are cancelled first.
    """
    for build in parts.storage.builds.list(statuses=ACTIVE):
        on_step(f"Cancelling build #{build.number}")
        parts.storage.builds.update(build.id, cancel_requested=True)
    for deployment in parts.storage.deployments.list():
        if path.list_alive(deployment.id) or parts.storage.routes.list(deployment.id):
            project = parts.storage.projects.get(deployment.project_id)
            on_step(f"Stopping {project.slug}/{deployment.slug}")
            _stop_servers(parts, path, deployment)
    if parts.router.is_running():
        on_step("Stopping the router")
    parts.router.stop()
    if parts.observability.status().get("running"):
        on_step("Stopping the analytics engine")
    parts.observability.stop()


def _stop_servers(parts: Parts, path: PathToLive, deployment: Deployment) -> None:
    with parts.leases.hold(lock_name(deployment.id), timeout=_LOCK_TIMEOUT, what=deployment.slug):
        path.close_routes(deployment.id)
        path.retire(path.list_alive(deployment.id), grace=_GRACE)
        to = DeploymentStatus.FAILED if deployment.status is DeploymentStatus.FAILED else DeploymentStatus.STOPPED
        parts.storage.deployments.transition(deployment.id, to, expected=tuple(DeploymentStatus))
