"""Roles of a home that one process at a time fills: each is a lease and a thread that does its work."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable

from mastra_admin_sdk.errors import LeaseLost, MastraAdminError
from mastra_admin_sdk.services.actors import Origin, acting
from mastra_admin_sdk.services.leases import HeldLease, LeaseKeeper

logger = logging.getLogger(__name__)

_LONGEST_BACKOFF = 30.0


class RoleThread:
    """Does a role's work whenever this process holds it, and stands by to take it over when its holder is gone.

    Parameters:
        name: of the role, such as ``ingester``.
        step: one pass of its work; called again and again.
        interval: seconds between two passes.
        leases: where the role is taken.
        ttl: seconds without a renewal after which another process may take it; the usual ones unless given.
        longest_pause: seconds between two passes of which one failed after the other.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[HeldLease], object],
        interval: float,
        leases: LeaseKeeper,
        *,
        ttl: float | None = None,
        longest_pause: float = _LONGEST_BACKOFF,
    ) -> None:
        self._name, self._step, self._interval, self._leases = name, step, interval, leases
        self._ttl, self._longest_pause = ttl, longest_pause
        self._trouble = ""
        self._stop = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._loop, name=f"mastra-admin-{name}", daemon=True)

    @property
    def stopping(self) -> bool:
        """True once ``stop`` was called: long work looks at it."""
        return self._stop.is_set()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """End the thread and give the role back."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    @acting(origin=Origin.BACKGROUND)
    def _loop(self) -> None:
        held: HeldLease | None = None
        while not self._stop.is_set():
            held = self._pass(held)
            self._stop.wait(min(self._longest_pause, self._interval * 2**self._failures))
        if held:
            self._leases.release(held)

    def _pass(self, held: HeldLease | None) -> HeldLease | None:
        """One pass: take the role if it is free, do its work; an error is logged and slows the next passes down."""
        try:
            held = held if held and not held.lost.is_set() else self._leases.try_acquire(self._name, self._ttl)
            if held:
                self._step(held)
            self._failures = 0
            self._note_success()
        except LeaseLost as exc:
            logger.info("The %s ended its pass: %s", self._name, exc.message)
        except MastraAdminError as exc:
            self._failures = min(self._failures + 1, 6)
            self._note_trouble(exc)
        except Exception:
            # A role whose thread ended would stay taken and undone: log it and go on.
            self._failures = min(self._failures + 1, 6)
            logger.exception("The %s goes on after an unexpected error", self._name)
        return held

    def _note_trouble(self, error: MastraAdminError) -> None:
        """Log what went wrong; once, for as long as it is the same: it may stay so for hours."""
        trouble = re.sub(r"\d+", "", error.message)
        is_known, self._trouble = trouble == self._trouble, trouble
        logger.log(logging.DEBUG if is_known else logging.WARNING, "The %s goes on after: %s", self._name, error)

    def _note_success(self) -> None:
        if self._trouble:
            logger.info("The %s works again", self._name)
        self._trouble = ""
