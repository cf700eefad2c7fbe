"""Wakes the threads of one process that wait for work; other processes find it by looking now and then."""

from __future__ import annotations

import threading


class Bell:
    """Counts its rings, so that one between a look and a wait isn't missed.

    Example:
        >>> heard = bell.rings
        >>> if not look_for_work():
        ...     bell.wait(heard, timeout=0.25)
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it has rung."""
        return self._rings

    def ring(self) -> None:
        """Wake all who wait."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, heard: int, timeout: float) -> int:
        """Wait until it has rung more often than ``heard``, at most ``timeout`` seconds; return how often it has."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != heard, timeout)
            return self._rings
