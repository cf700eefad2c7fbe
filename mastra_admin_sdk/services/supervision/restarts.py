"""How often servers ended by themselves lately, and how long to wait before the next start.

The count is in the records, so that it outlives this process; the pauses are in memory: another supervisor tries at
once.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from time import monotonic as read_clock

from mastra_admin_sdk.host import boot_id
from mastra_admin_sdk.models import Deployment, Process, ProcessStatus, utc_now
from mastra_admin_sdk.services.parts import Parts

MAX_RESTARTS = 5
"""How often a server is started again within `WINDOW` before its deployment fails."""

WINDOW = timedelta(minutes=10)
_LONGEST_PAUSE = 60.0


class Restarts:
    """Counts ends, and tells when a replica may be started again: after 1, 2, 4 … seconds, at most a minute."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._attempts: Counter[tuple[str, int]] = Counter()
        self._not_before: dict[tuple[str, int], float] = {}

    def list_recent_ends(self, deployment: Deployment) -> Sequence[Process]:
        """Return servers of the current build that ended within the window though nobody asked for it, newest first.

        What ended with the machine doesn't count: it says nothing about the app.
        """
        ended = self._parts.storage.processes.list(
            deployment.id, statuses=[ProcessStatus.EXITED], build_id=deployment.current_build_id
        )
        since = utc_now() - WINDOW
        recent = [
            item for item in ended if item.exited_at and item.exited_at > since and item.boot_id in (None, boot_id())
        ]
        if not recent:
            return []
        events = self._parts.storage.events.list(object_type="deployment", object_id=deployment.id)
        asked = {event.details.get("process") for event in events if event.action == "server_stopped"}
        return [item for item in recent if item.id not in asked]

    def count(self, ends: Sequence[Process], replica: int) -> int:
        """Return how often a replica has been started again, with the start that comes now."""
        restarts = [item.restarts for item in ends if item.replica == replica]
        if not restarts:
            return 0
        # Those that never served carry no count of their own: they came after the one with the highest.
        highest = max(restarts)
        return highest + len(restarts) - restarts[::-1].index(highest)

    def is_hopeless(self, ends: Sequence[Process], replicas: Iterable[int]) -> bool:
        """True when each of these replicas has ended more often than a server is started again."""
        counts = Counter(item.replica for item in ends)
        return all(counts[replica] > MAX_RESTARTS for replica in replicas)

    def is_due(self, deployment_id: str, replica: int) -> bool:
        """True when the pause before the next start of a replica is over."""
        with self._lock:
            return read_clock() >= self._not_before.get((deployment_id, replica), 0.0)

    def begin(self, deployment_id: str, replica: int, ends: int) -> None:
        """Note a start, and the pause before the next one should this one fail; ``ends`` is how often it ended."""
        key = (deployment_id, replica)
        with self._lock:
            # What fails without a server that ended (no port, no router) is tried again too, ever more slowly.
            self._attempts[key] += 1
            power = min(16, max(ends, self._attempts[key] - 1))
            self._not_before[key] = read_clock() + min(_LONGEST_PAUSE, 2.0**power)

    def succeed(self, deployment_id: str, replica: int) -> None:
        """Note that the start made it; the pause stays, for a server that ends again soon."""
        with self._lock:
            self._attempts.pop((deployment_id, replica), None)

    def clear(self, deployment_id: str) -> None:
        """Forget what is in memory of a deployment."""
        self._drop(lambda known: known == deployment_id)

    def forget(self, deployment_ids: Iterable[str]) -> None:
        """Forget all but these deployments."""
        kept = frozenset(deployment_ids)
        self._drop(lambda known: known not in kept)

    def _drop(self, is_dropped: Callable[[str], bool]) -> None:
        with self._lock:
            for key in [key for key in {*self._attempts, *self._not_before} if is_dropped(key[0])]:
                self._attempts.pop(key, None)
                self._not_before.pop(key, None)
