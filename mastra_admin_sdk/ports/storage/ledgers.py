"""What is only noted: the audit log, who holds which role, and how far telemetry files are stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime

from mastra_admin_sdk.models import (
    Cursor,
    Event,
    Lease,
    Offset,
)


class EventRepository(ABC):
    """The audit log: only ever appended to."""

    @abstractmethod
    def append(self, event: Event) -> Event:
        """Store an event."""

    @abstractmethod
    def list(
        self,
        *,
        object_type: str | None = None,
        object_id: str | None = None,
        action: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        project_id: str | None = None,
        team_id: str | None = None,
        limit: int | None = 1000,
        after: Cursor | None = None,
    ) -> Sequence[Event]:
        """Return events; of a range of time those at ``since`` or later, and before ``until``. Of the same moment, what
        was appended last is first.

        With ``project_id`` or ``team_id`` those about that and what it has now: projects, deployments, builds,
        schedules, members, tokens.
        """


class LeaseRepository(ABC):
    """Roles that one process at a time holds."""

    @abstractmethod
    def acquire(self, name: str, owner: str, ttl: float, *, replace_generation: int | None = None) -> Lease | None:
        """Take a role for ``ttl`` seconds; ``None`` when somebody else holds it.

        It is free when nobody has it, when it has expired, or when it is the owner's already. With
        ``replace_generation`` it is also taken from a holder of exactly that generation, whom the caller knows to be
        dead. Every change of owner raises the generation.
        """

    @abstractmethod
    def renew(self, lease: Lease, ttl: float) -> Lease:
        """Hold it for another ``ttl`` seconds; `LeaseLost` when it has gone to somebody else."""

    @abstractmethod
    def release(self, lease: Lease) -> None:
        """Give it back; nothing happens when it is somebody else's by now."""

    @abstractmethod
    def get(self, name: str) -> Lease | None:
        """Return who holds a role, expired or not; ``None`` when nobody ever did or it was given back."""

    @abstractmethod
    def list(self) -> Sequence[Lease]:
        """Return all roles that somebody holds."""


class OffsetRepository(ABC):
    """How far each telemetry file has been stored."""

    @abstractmethod
    def list(self, paths: Sequence[str] | None = None) -> Sequence[Offset]:
        """Return all offsets, or those of some files."""

    @abstractmethod
    def save(self, offsets: Iterable[Offset], lease: Lease) -> None:
        """Store offsets in one transaction, only while ``lease`` is still the one in force (else `LeaseLost`)."""

    @abstractmethod
    def delete(self, paths: Iterable[str]) -> None:
        """Forget files."""
