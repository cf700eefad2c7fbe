"""``admin.deployments``, ``admin.builds`` and ``admin.events``: finding what there is."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_admin_sdk.models import Event

from .objects import LiveBuild, LiveDeployment, Services
from .parts import Parts
from .references import BuildRef, DeploymentRef, ProjectRef


class DeploymentCollection:
    """All deployments."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def get(self, reference: DeploymentRef) -> LiveDeployment:
        """Return a deployment by id, ``project``, ``project/slug`` or ``team/project/slug``."""
        return LiveDeployment(self._services.resolver.deployment(reference), self._services)

    def list(self, project: ProjectRef | None = None) -> Sequence[LiveDeployment]:
        """Return the deployments of a project, or all, newest first."""
        project_id = self._services.resolver.project(project).id if project is not None else None
        found = self._services.parts.storage.deployments.list(project_id)
        return [LiveDeployment(item, self._services) for item in found]

    def delete(self, reference: DeploymentRef) -> None:
        """Stop a deployment and remove its records, artifacts, logs and data; telemetry stays."""
        self._services.deployments.delete(self._services.resolver.deployment(reference))


class BuildCollection:
    """All builds."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def get(self, reference: BuildRef) -> LiveBuild:
        """Return a build by id or ``<deployment>#<number>``."""
        return LiveBuild(self._services.resolver.build(reference), self._services)

    def list(self, deployment: DeploymentRef | None = None, *, limit: int | None = 100) -> Sequence[LiveBuild]:
        """Return builds of a deployment, or all, newest first."""
        deployment_id = self._services.resolver.deployment(deployment).id if deployment is not None else None
        found = self._services.parts.storage.builds.list(deployment_id, limit=limit)
        return [LiveBuild(item, self._services) for item in found]


class EventCollection:
    """The audit log."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def list(
        self, *, object_type: str | None = None, object_id: str | None = None, limit: int = 1000
    ) -> Sequence[Event]:
        """Return who did what, newest first."""
        return self._parts.storage.events.list(object_type=object_type, object_id=object_id, limit=limit)
