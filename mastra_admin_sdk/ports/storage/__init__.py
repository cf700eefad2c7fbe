"""Where the records are kept. `AdminStorage` has a repository a noun; the modules of this package group them.

Rules for every adapter:

- Lists are newest first; of the same moment, the greater id first, unless something else counts (builds have numbers,
  events an order). ``after`` begins behind a place in that order, ``limit`` ends it: pages of a list neither repeat
  nor skip what was there, whatever is added meanwhile. A list is one query, by an index.
- Where a list takes several of deployment, project and team, it is of what all of them own.
- ``update`` takes field names of the record, returns the new record and always moves ``updated_at`` where there is
  one; an empty update changes nothing; an unknown id raises `NotFound`, an unknown field `InvalidInput`.
- A change of status goes through ``transition``: a compare-and-set in one statement, so that of two processes only
  one gets it; the other gets `StaleState`.
- A write that breaks uniqueness raises `Conflict` with a message that names the thing.
- JSON columns that hold null or rubbish read as empty.
- Objects may be used from several threads. Used after a fork they raise `ForkedProcess`.
- Failures of the database itself are `StorageError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from .alerts import AlertMessageRepository, AlertRuleRepository, AlertStateRepository
from .builds import BuildRepository, IdempotencyKeyRepository, ProcessRepository, RouteRepository
from .datasets import DatasetItemRepository, DatasetRepository
from .ledgers import EventRepository, LeaseRepository, OffsetRepository
from .members import MemberRepository
from .projects import DeploymentRepository, ProjectRepository, ScheduleRepository, TeamRepository
from .tokens import TokenRepository

__all__ = [
    "AdminStorage",
    "AlertMessageRepository",
    "AlertRuleRepository",
    "AlertStateRepository",
    "BuildRepository",
    "DatasetItemRepository",
    "DatasetRepository",
    "DeploymentRepository",
    "EventRepository",
    "IdempotencyKeyRepository",
    "LeaseRepository",
    "MemberRepository",
    "OffsetRepository",
    "ProcessRepository",
    "ProjectRepository",
    "RouteRepository",
    "ScheduleRepository",
    "TeamRepository",
    "TokenRepository",
]


class AdminStorage(ABC):
    """All repositories of one database."""

    teams: TeamRepository
    projects: ProjectRepository
    deployments: DeploymentRepository
    builds: BuildRepository
    idempotency_keys: IdempotencyKeyRepository
    processes: ProcessRepository
    routes: RouteRepository
    schedules: ScheduleRepository
    events: EventRepository
    leases: LeaseRepository
    offsets: OffsetRepository
    alert_rules: AlertRuleRepository
    alert_states: AlertStateRepository
    alert_messages: AlertMessageRepository
    datasets: DatasetRepository
    dataset_items: DatasetItemRepository
    members: MemberRepository
    tokens: TokenRepository

    @abstractmethod
    def init(self) -> None:
        """Create or migrate the tables. Can be repeated, also by several processes at once."""

    @abstractmethod
    def close(self) -> None:
        """Close what this object opened; a caller's own engine stays open. Can be repeated."""

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words which database this is, without any password: for reprs and ``doctor``."""
