"""What binds a server: how much memory it may hold, how much it yields the CPU, and no core files.

Used by the process above each server: standard library and small modules only.
"""

from __future__ import annotations

import os
import resource
import time

from .processes import list_tree
from .usage import read_memory

MB = 1024 * 1024
_SAMPLE_SECONDS = 1.0
_FAR_BEYOND = 2.0


class MemoryLimit:
    """Looks once a second what the processes below this one hold together.

    Parameters:
        megabytes: what they may hold; ``None`` or 0: as much as they like, and nothing is looked at.
    """

    def __init__(self, megabytes: int | None) -> None:
        self._limit = (megabytes or 0) * MB
        self._next_at = time.monotonic() + _SAMPLE_SECONDS
        self._held = 0

    @property
    def next_in(self) -> float | None:
        """Seconds until the next look is due; ``None`` without a limit."""
        return max(0.0, self._next_at - time.monotonic()) if self._limit else None

    def is_exceeded(self) -> bool:
        """Look, if it is time to, and say whether the processes hold more than they may."""
        if self._limit and time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _SAMPLE_SECONDS
            self._held = sum(read_memory(pid) for pid in list_tree(os.getpid()))
        return self._held > self._limit > 0

    def is_far_exceeded(self) -> bool:
        """True when the last look found so much that the machine may have no time to wait."""
        return self._held > _FAR_BEYOND * self._limit > 0

    def explain(self) -> str:
        """Say what the last look found, as the beginning of a sentence."""
        return f"The server held {self._held / MB:.0f} MB, more than its limit of {self._limit / MB:.0f} MB"


def yield_cpu(nice: int) -> None:
    """Let this process, and all that it starts, yield the CPU to others; never less than it does already."""
    if nice > os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, nice)


def forbid_core_files() -> None:
    """Keep the kernel from writing this process's memory, with all secrets in it, to a file when it crashes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
