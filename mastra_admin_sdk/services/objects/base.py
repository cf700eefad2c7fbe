"""What all live objects are made of: a record, and the services that act on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from mastra_admin_sdk.models import (
    Deployment,
    Process,
    Project,
)
from mastra_admin_sdk.services.builds.queue import BuildQueue
from mastra_admin_sdk.services.builds.waiting import BuildWaiter
from mastra_admin_sdk.services.deployments.service import DeploymentService
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import Resolver
from mastra_admin_sdk.services.telemetry.service import TelemetryService


@dataclass(frozen=True, slots=True)
class Services:
    """What the live objects work with."""

    parts: Parts
    resolver: Resolver
    deployments: DeploymentService
    queue: BuildQueue
    waiter: BuildWaiter
    telemetry: TelemetryService


class LiveRecord:
    """A deployment as it was last read; its parts are `Configurable`, `Reachable` and `LiveDeployment`."""

    def __init__(self, record: Deployment, services: Services) -> None:
        self.record = record
        self._services = services

    @property
    def id(self) -> str:
        """Its id, a UUID."""
        return self.record.id

    @property
    def status(self) -> str:
        """Its status when it was last read."""
        return self.record.status

    @property
    def project(self) -> Project:
        """The project it belongs to."""
        return self._services.parts.storage.projects.get(self.record.project_id)

    @property
    def process(self) -> Process | None:
        """The process that serves it, as recorded; of several replicas the first."""
        return self._services.deployments.serving_process(self.id)

    def refresh(self) -> Self:
        """Read the record anew and return this object."""
        self.record = self._services.parts.storage.deployments.get(self.id)
        return self
