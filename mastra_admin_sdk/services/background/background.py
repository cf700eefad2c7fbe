"""The background work of a home, as threads of one process: builds, supervision, ingestion, tidying, triggers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mastra_admin_sdk.services.builds.worker import BuildWorker
from mastra_admin_sdk.services.keeping.janitor import INTERVAL as TIDY_SECONDS
from mastra_admin_sdk.services.keeping.janitor import ROLE as JANITOR
from mastra_admin_sdk.services.keeping.janitor import Janitor
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.supervision.supervisor import ROLE as SUPERVISOR
from mastra_admin_sdk.services.supervision.supervisor import Supervisor
from mastra_admin_sdk.services.telemetry.ingestion import LEASE_SECONDS, LONGEST_PAUSE, Ingester
from mastra_admin_sdk.services.telemetry.ingestion import ROLE as INGESTER

from .roles import RoleThread

_SUPERVISE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Duty:
    """What the holder of a role does every ``interval`` seconds: ``run`` is one pass.

    It is given the role, and what to ask whether this process is to stop.
    """

    role: str
    run: Callable[[HeldLease, Callable[[], bool]], object]
    interval: float


class Background:
    """Starts and stops the threads. Processes that run them at once share the work by claims and leases.

    ``duties`` are further roles.
    """

    def __init__(
        self,
        parts: Parts,
        make_worker: Callable[[], BuildWorker],
        supervisor: Supervisor,
        ingester: Ingester,
        janitor: Janitor,
        duties: Sequence[Duty] = (),
    ) -> None:
        self._parts, self._make_worker = parts, make_worker
        self._supervisor, self._ingester, self._janitor = supervisor, ingester, janitor
        self._duties = tuple(duties)
        self._workers: list[BuildWorker] = []
        self._roles: list[RoleThread] = []

    @property
    def is_running(self) -> bool:
        """True between ``start`` and ``stop``."""
        return bool(self._roles)

    def start(self) -> None:
        """Start all threads. Can be repeated."""
        if self.is_running:
            return
        poll = float(self._parts.settings.telemetry_poll_seconds)
        ingest = RoleThread(
            INGESTER, self._ingest, poll, self._parts.leases, ttl=LEASE_SECONDS, longest_pause=LONGEST_PAUSE
        )
        supervise = RoleThread(SUPERVISOR, self._supervise, _SUPERVISE_SECONDS, self._parts.leases)
        tidy = RoleThread(JANITOR, self._tidy, TIDY_SECONDS, self._parts.leases)
        self._roles = [ingest, supervise, tidy, *map(self._make_role, self._duties)]
        self._workers = [self._make_worker() for _ in range(max(1, int(self._parts.settings.build_concurrency)))]
        for role in self._roles:
            role.start()
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """End all threads and give roles and builds back. Can be repeated."""
        for worker in self._workers:
            worker.stop()
        for role in self._roles:
            role.stop()
        self._supervisor.stop()
        self._workers, self._roles = [], []

    def _make_role(self, duty: Duty) -> RoleThread:
        def step(role: HeldLease) -> object:
            return duty.run(role, self._is_stopping)

        return RoleThread(duty.role, step, duty.interval, self._parts.leases)

    def _ingest(self, role: HeldLease) -> None:
        self._ingester.run_once(role, stopping=self._is_stopping)

    def _supervise(self, role: HeldLease) -> None:
        self._supervisor.begin(role, stopping=self._is_stopping)

    def _tidy(self, role: HeldLease) -> None:
        self._janitor.run_once(role, stopping=self._is_stopping)

    def _is_stopping(self) -> bool:
        return any(item.stopping for item in self._roles)
