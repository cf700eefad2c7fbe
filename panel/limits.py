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


class ByteBudget:
    """How many bytes of bodies all requests may hold together."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Take so many bytes; ``False`` when there aren't as many left."""
        with self._lock:
            if self._taken + count > self._most:
                return False
            self._taken += count
            return True

    def give_back(self, count: int) -> None:
        """Give bytes back that were taken."""
        with self._lock:
            self._taken -= count


class AttemptLimit:
    """Counts tokens that weren't right, by address and all together.

    It only makes wrong ones cheap to refuse: a right one is let in at any time, else whoever keeps guessing would lock
    the owner out. What keeps guessers out is the token's length.
    """

    def __init__(self, *, by_address: int = 10, in_all: int = 100, seconds: float = 60.0) -> None:
        self._by_address = RateLimit(by_address, seconds)
        self._in_all = RateLimit(in_all, seconds)

    def note_wrong(self, address: str) -> float:
        """Count a wrong token; return 0.0, or the seconds that its sender should wait."""
        return max(self._by_address.take(address), self._in_all.take(""))
