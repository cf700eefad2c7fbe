"""Builds, the servers that run them, and the routes to those."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import (
    Build,
    BuildStatus,
    Cursor,
    IdempotencyKey,
    Process,
    ProcessStatus,
    Route,
)


class BuildRepository(ABC):
    """Builds, which are also the queue.

    A claim gives a build to one worker. It raises ``generation`` by one; whoever writes for the build later passes
    that number, and gets `LeaseLost` when somebody else has claimed the build since.
    """

    @abstractmethod
    def create(self, build: Build, *, key: IdempotencyKey | None = None) -> Build:
        """Store a new build with the next number of its deployment (``number`` of the argument is ignored).

        With ``key`` also that, as the build's: both are stored or neither. `StaleState` when a key of that digest is
        there that hasn't expired, however many ask at once; one that has expired is replaced.
        """

    @abstractmethod
    def get(self, build_id: str) -> Build:
        """Return a build or raise `NotFound`."""

    @abstractmethod
    def get_many(self, build_ids: Iterable[str]) -> Mapping[str, Build]:
        """Return builds by id, without those that aren't there: few queries, however many they are."""

    @abstractmethod
    def get_by_number(self, deployment_id: str, number: int) -> Build:
        """Return a build or raise `NotFound`."""

    @abstractmethod
    def list(
        self,
        deployment_id: str | None = None,
        *,
        project_id: str | None = None,
        team_id: str | None = None,
        statuses: Iterable[BuildStatus] | None = None,
        cache_key: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Build]:
        """Return builds, of one deployment, project or team, or all; of one ``cache_key`` or any, queued at ``since``
        or later. Of the same moment, the greater number is first.
        """

    @abstractmethod
    def list_last(self) -> Sequence[Build]:
        """Return the newest build of each deployment that has one, by number."""

    @abstractmethod
    def update(self, build_id: str, *, generation: int | None = None, **changes: Any) -> Build:
        """Change fields of a build, but not its status; with ``generation`` only for the holder of that claim."""

    @abstractmethod
    def transition(
        self,
        build_id: str,
        to: BuildStatus,
        *,
        expected: Iterable[BuildStatus],
        generation: int | None = None,
        **changes: Any,
    ) -> Build:
        """Change the status if it is one of ``expected`` (else `StaleState`), with other fields, in one statement.

        A change that `models.BUILD_TRANSITIONS` doesn't list raises `InvalidInput`. With ``generation``, `LeaseLost`
        when the claim is somebody else's by now. A final status also sets ``completed_at`` unless given, and clears
        ``worker_id``. Back to ``queued`` clears ``worker_id``, ``started_at`` and ``phases``.
        """

    @abstractmethod
    def claim(self, worker_id: str, *, limit: int) -> Build | None:
        """Give the next queued build to a worker, atomically, and return it as ``building``; ``None`` if there is none.

        Highest ``priority`` first, then oldest. A deployment has one active build (``building`` or ``deploying``) at a
        time, in the order of its numbers; no more than ``limit`` builds are active in all. Sets ``worker_id``,
        ``started_at`` and ``heartbeat_at``, raises ``generation``.
        """

    @abstractmethod
    def heartbeat(self, build_id: str, *, generation: int) -> Build:
        """Move ``heartbeat_at`` to now and return the build (its ``cancel_requested`` is what the worker looks for)."""

    @abstractmethod
    def delete(self, build_id: str) -> None:
        """Remove a build; deployments that name it as current or previous then name none."""


class IdempotencyKeyRepository(ABC):
    """Keys of requests; `BuildRepository.create` adds them."""

    @abstractmethod
    def get(self, digest: str) -> IdempotencyKey:
        """Return a key, or raise `NotFound`, also when it has expired."""

    @abstractmethod
    def prune(self) -> int:
        """Remove keys that have expired, and return how many."""


class ProcessRepository(ABC):
    """Server processes, and with them the ports: a host and port belong to at most one process that hasn't exited."""

    @abstractmethod
    def create(self, process: Process) -> Process:
        """Store a new process; `Conflict` when a process that hasn't exited has its host and port."""

    @abstractmethod
    def get(self, process_id: str) -> Process:
        """Return a process or raise `NotFound`."""

    @abstractmethod
    def list(
        self,
        deployment_id: str | None = None,
        *,
        project_id: str | None = None,
        team_id: str | None = None,
        statuses: Iterable[ProcessStatus] | None = None,
        build_id: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Process]:
        """Return processes, of one build, deployment, project or team, or all."""

    @abstractmethod
    def update(self, process_id: str, **changes: Any) -> Process:
        """Change fields of a process, but not its status."""

    @abstractmethod
    def transition(
        self, process_id: str, to: ProcessStatus, *, expected: Iterable[ProcessStatus], **changes: Any
    ) -> Process:
        """Change the status if it is one of ``expected`` (else `StaleState`); ``exited`` frees the port."""

    @abstractmethod
    def delete(self, process_id: str) -> None:
        """Remove a process record."""


class RouteRepository(ABC):
    """Routes as they should be; the router is made to agree with them."""

    @abstractmethod
    def put(self, route: Route) -> Route:
        """Create the route, or point its host to another target; `Conflict` if another deployment has that host."""

    @abstractmethod
    def get_by_host(self, host: str) -> Route:
        """Return a route or raise `NotFound`."""

    @abstractmethod
    def list(self, deployment_id: str | None = None) -> Sequence[Route]:
        """Return routes, of one deployment or all."""

    @abstractmethod
    def delete(self, host: str) -> None:
        """Remove a route; an unknown host is no error."""
