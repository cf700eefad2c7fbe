"""Roles and locks that span processes: leases that are renewed while they are held.

A holder on this host counts as dead when its process is gone, whatever the clock says: a laptop that slept must not
lose its roles, and a killed process must not block anybody until a time-out. One whose process lives but has not
renewed for as long as others watched, awake, has lost it too: its thread died, or it could not give it back.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

from mastra_admin_sdk.errors import Conflict, LeaseLost, MastraAdminError
from mastra_admin_sdk.host import make_owner_id, owner_is_gone
from mastra_admin_sdk.models import Lease, utc_now
from mastra_admin_sdk.ports.storage import LeaseRepository

logger = logging.getLogger(__name__)

TTL = 30.0
"""Seconds that a lease outlives its last renewal, for holders on other hosts."""


class HeldLease:
    """A lease in our hands, for ``ttl`` seconds from each renewal. ``check()`` raises `LeaseLost` once it is not."""

    def __init__(self, lease: Lease, ttl: float, renewed_at: float) -> None:
        self.current, self.ttl, self.renewed_at = lease, ttl, renewed_at
        self.lost = threading.Event()

    def check(self) -> None:
        """Raise `LeaseLost` when it went to somebody else."""
        if self.lost.is_set():
            raise LeaseLost(f"The role {self.current.name} was taken over by another process.")

    def confirm(self) -> None:
        """Raise `LeaseLost` also when it ran out unrenewed: who was stopped and woke up may not have heard yet."""
        self.check()
        if time.monotonic() - self.renewed_at > self.ttl:
            raise LeaseLost(f"The role {self.current.name} was not renewed in time: another process may have it.")


class LeaseKeeper:
    """Takes, renews and gives back leases for one process. Renewal runs in a thread while anything is held."""

    def __init__(self, repository: LeaseRepository) -> None:
        self._repository = repository
        self._held: set[HeldLease] = set()
        self._unreleased: list[Lease] = []
        self._watched: dict[str, tuple[Lease, float]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None

    def try_acquire(self, name: str, ttl: float | None = None) -> HeldLease | None:
        """Take a role, or return ``None`` when somebody who lives has it.

        Parameters:
            name: of the role.
            ttl: seconds that it outlives its last renewal; everybody who wants this role names the same. `TTL` unless
                given.
        """
        ttl, now = TTL if ttl is None else ttl, time.monotonic()
        found = self._repository.get(name)
        gone = owner_is_gone(found.owner) if found else None
        if found and gone is False and not self._is_abandoned(found, ttl):
            return None
        replace = found.generation if found and gone is not None else None
        lease = self._repository.acquire(name, make_owner_id(), ttl, replace_generation=replace)
        if lease is None:
            return None
        held = HeldLease(lease, ttl, now)
        with self._lock:
            self._watched.pop(name, None)
            self._held.add(held)
            self._ensure_thread()
        self._hurry.set()  # this one may have to be renewed sooner than those that are held
        return held

    def release(self, held: HeldLease) -> None:
        """Give a role back. Can be repeated. While the database is away it is tried again in the background."""
        with self._lock:
            self._held.discard(held)
        if not self._try_release(held.current):
            with self._lock:
                self._unreleased.append(held.current)
                self._ensure_thread()

    @contextlib.contextmanager
    def hold(self, name: str, *, timeout: float, what: str) -> Iterator[HeldLease]:
        """Hold a lock for the length of a ``with`` block.

        Parameters:
            name: of the lock, such as ``deployment/<id>``.
            timeout: seconds to wait for it.
            what: what is locked, for the message of the `Conflict` that is raised when it stays taken.
        """
        held = self._wait_for(name, timeout, what)
        try:
            yield held
        finally:
            self.release(held)

    def holder(self, name: str) -> Lease | None:
        """Return who holds a role and lives, as far as this host can tell."""
        found = self._repository.get(name)
        if found is None:
            return None
        gone = owner_is_gone(found.owner)
        if gone is None:
            gone = found.expires_at < utc_now()
        return None if gone else found

    def close(self) -> None:
        """Give everything back and end the renewals."""
        self._stop.set()
        self._hurry.set()
        if self._thread:
            self._thread.join(timeout=10)
        with self._lock:
            held_still, self._held = self._held, set()
        for held in held_still:
            held.lost.set()
            self._try_release(held.current)

    def _wait_for(self, name: str, timeout: float, what: str) -> HeldLease:
        deadline = time.monotonic() + timeout
        while (held := self.try_acquire(name)) is None:
            if time.monotonic() > deadline:
                holder = self._repository.get(name)
                raise Conflict(
                    f"Another process is changing {what} and didn't finish within {timeout:.0f} s.",
                    hint="Wait for it, or cancel its build, and try again.",
                    evidence={"holder": holder.owner} if holder else {},
                )
            self._stop.wait(0.1)
        return held

    def _is_abandoned(self, found: Lease, ttl: float) -> bool:
        """True when this process has seen it unrenewed for so long, by a clock that stands still while it sleeps."""
        with self._lock:
            seen, since = self._watched.get(found.name, (None, 0.0))
            if seen != found:
                self._watched[found.name] = (found, time.monotonic())
                return False
        return time.monotonic() - since > ttl

    def _try_release(self, lease: Lease) -> bool:
        try:
            self._repository.release(lease)
        except MastraAdminError as exc:
            logger.warning("The lease %s could not be given back yet: %s", lease.name, exc.message)
            return False
        return True

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._renew_all, name="mastra-admin-leases", daemon=True)
            self._thread.start()

    def _renew_all(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                held_now, unreleased = list(self._held), list(self._unreleased)
            self._hurry.wait(min((held.ttl for held in held_now), default=TTL) / 6)
            self._hurry.clear()
            for held in held_now:
                if time.monotonic() - held.renewed_at >= held.ttl / 7:
                    self._renew(held)
            for lease in filter(self._try_release, unreleased):
                with self._lock:
                    self._unreleased.remove(lease)

    def _renew(self, held: HeldLease) -> None:
        now = time.monotonic()
        try:
            held.current = self._repository.renew(held.current, held.ttl)
            held.renewed_at = now
        except LeaseLost:
            with self._lock:
                still_ours = held in self._held
                self._held.discard(held)
            if still_ours:
                held.lost.set()
        except MastraAdminError as exc:
            # The next renewal comes before it runs out; a database that stays away loses us the role anyway.
            logger.warning("The lease %s could not be renewed: %s", held.current.name, exc.message)
