"""The janitor: a role that removes previews whose time is over, and what is no longer kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from mastra_admin_sdk.errors import LeaseLost
from mastra_admin_sdk.services.deployments.previews import PreviewService
from mastra_admin_sdk.services.deployments.service import DeploymentService
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts

from .retention import Retention

logger = logging.getLogger(__name__)

ROLE = "janitor"
INTERVAL = 60.0
"""Seconds between two passes."""

_FIRST_COLLECTION = 300.0
_COLLECTION = 3600.0


class Janitor:
    """Looks for previews that have expired in each pass, and collects what isn't kept once an hour."""

    def __init__(self, parts: Parts, deployments: DeploymentService) -> None:
        self._previews, self._retention = PreviewService(parts, deployments), Retention(parts)
        self._storage = parts.storage
        # Not at once: a process that is starting has other things to do first.
        self._next_collection = time.monotonic() + _FIRST_COLLECTION

    def run_once(self, role: HeldLease, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """One pass.

        Raises:
            LeaseLost: another process has the role by now, or this one is to stop.
        """

        def check() -> None:
            role.check()
            if stopping():
                raise LeaseLost(f"The {ROLE} of this process is to stop.")

        self._previews.sweep_once(check)
        if time.monotonic() >= self._next_collection:
            self._next_collection = time.monotonic() + _COLLECTION
            self._storage.idempotency_keys.prune()
            found = self._retention.collect(check=check)
            logger.info("%s", found.title)
            for problem in found.problems:
                logger.warning("%s", problem)
