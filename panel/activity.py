"""How the traces of all deployments went lately: asked of the store once for all who look within a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import ObservabilityError
from mastra_admin_sdk.services.monitoring.measures import Activity

WINDOW = "1h"
_FRESH_SECONDS = 15.0


class ActivityBoard:
    """What the store says of the last hour.

    Pages mustn't wait for it: while one asks, the others get what was seen before.
    """

    def __init__(self, admin: MastraAdmin, fresh_seconds: float = _FRESH_SECONDS) -> None:
        self._admin, self._fresh_seconds = admin, fresh_seconds
        self._asking = threading.Lock()
        self._last: Mapping[str, Activity] | None = None
        self._taken_at = float("-inf")

    def look(self, *, is_awake: bool) -> Mapping[str, Activity] | None:
        """Return activity by deployment; ``None`` when the store can't be asked.

        Parameters:
            is_awake: whether the store runs; one that sleeps isn't woken for a page.
        """
        if (
            is_awake
            and time.monotonic() - self._taken_at >= self._fresh_seconds
            and self._asking.acquire(blocking=False)
        ):
            try:
                self._last = self._ask()
                self._taken_at = time.monotonic()
            finally:
                self._asking.release()
        return self._last

    def _ask(self) -> Mapping[str, Activity] | None:
        try:
            return self._admin.activity(WINDOW)
        except ObservabilityError:
            return None
