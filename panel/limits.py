"""How often something may happen."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

_MOST_KEYS = 10_000


class RateLimit:
    """Lets each key pass ``most`` times in any ``seconds``.

    Parameters:
        most: how often.
        seconds: within how long.
        clock: seconds that only go forward.
    """

    def __init__(self, most: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._passed: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> float:
        """Return 0.0 and count this time if the key may pass, else the seconds until it may."""
        now = self._clock()
        with self._lock:
            times = self._passed.setdefault(key, deque())
            while times and now - times[0] >= self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return self._seconds - (now - times[0])
            times.append(now)
            if len(self._passed) > _MOST_KEYS:
                self._passed = {name: kept for name, kept in self._passed.items() if now - kept[-1] < self._seconds}
            return 0.0
