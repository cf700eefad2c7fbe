"""A storage in memory that keeps every promise of the port but the one to outlive its process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from mastra_admin_sdk.models import utc_now
from mastra_admin_sdk.ports.storage import AdminStorage

from .memory_tables import Memory
from .storage_builds import FakeBuilds, FakeIdempotencyKeys, FakeProcesses, FakeRoutes
from .storage_ledgers import FakeEvents, FakeLeases, FakeOffsets
from .storage_observing import (
    FakeAlertMessages,
    FakeAlertRules,
    FakeAlertStates,
    FakeDatasetItems,
    FakeDatasets,
    FakeMembers,
    FakeTokens,
)
from .storage_projects import FakeDeployments, FakeProjects, FakeSchedules, FakeTeams


class FakeAdminStorage(AdminStorage):
    """All repositories in memory. ``clock`` is the one that leases go by."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._memory = Memory(clock)
        self.teams = FakeTeams(self._memory)
        self.projects = FakeProjects(self._memory)
        self.deployments = FakeDeployments(self._memory)
        self.idempotency_keys = FakeIdempotencyKeys(self._memory)
        self.builds = FakeBuilds(self._memory, self.idempotency_keys)
        self.processes = FakeProcesses(self._memory)
        self.routes = FakeRoutes(self._memory)
        self.schedules = FakeSchedules(self._memory)
        self.events = FakeEvents(self._memory)
        self.leases = FakeLeases(self._memory)
        self.offsets = FakeOffsets(self._memory, self.leases)
        self.alert_rules = FakeAlertRules(self._memory)
        self.alert_messages = FakeAlertMessages(self._memory)
        self.alert_states = FakeAlertStates(self._memory, self.alert_messages)
        self.datasets = FakeDatasets(self._memory)
        self.dataset_items = FakeDatasetItems(self._memory, self.datasets)
        self.members = FakeMembers(self._memory)
        self.tokens = FakeTokens(self._memory)

    def init(self) -> None:
        with self._memory.locked():
            pass

    def close(self) -> None:
        self._memory.check_process()
        self._memory.closed = True

    def describe(self) -> str:
        return "memory"

    def __repr__(self) -> str:
        return "FakeAdminStorage(memory)"
