"""A few threads that share work: one slow piece keeps no other waiting."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial

from mastra_admin_sdk.errors import Conflict, MastraAdminError

logger = logging.getLogger(__name__)

_LONGEST_REST = 30.0

Work = Callable[[], object]


class Crew:
    """Does pieces of work, one at a time for each key, in at most ``size`` threads that end when there is none left.

    Work that fails rests for a while before the next of its key, ever longer.
    The threads are daemons: an interpreter that ends doesn't wait for a server to drain.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, Work]] = deque()
        self._keys: set[str] = set()
        self._failures: dict[str, tuple[int, float]] = {}
        self._threads: set[threading.Thread] = set()

    def is_busy(self, key: str) -> bool:
        """True while work of that key waits or is done."""
        with self._lock:
            return key in self._keys

    def submit(self, key: str, work: Work) -> bool:
        """Have a piece of work done soon; False, and it is dropped, while some of its key is there or rests."""
        with self._lock:
            if key in self._keys or time.monotonic() < self._failures.get(key, (0, 0.0))[1]:
                return False
            self._keys.add(key)
            # In the context of who asks: what is recorded on the way is recorded as theirs.
            self._waiting.append((key, partial(copy_context().run, work)))
            if len(self._threads) < self._size:
                thread = threading.Thread(target=self._loop, name=f"mastra-admin-{self._name}", daemon=True)
                self._threads.add(thread)
                thread.start()
            return True

    def stop(self, timeout: float) -> None:
        """Drop what waits, and wait ``timeout`` seconds for what is being done, which is told by its own means."""
        deadline = time.monotonic() + timeout
        with self._lock:
            for key, _ in self._waiting:
                self._keys.discard(key)
            self._waiting.clear()
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _loop(self) -> None:
        while (item := self._take()) is not None:
            key, work = item
            failed = not self._do(key, work)
            with self._lock:
                self._keys.discard(key)
                count = self._failures.pop(key, (0, 0.0))[0] + 1
                if failed:
                    self._failures[key] = (count, time.monotonic() + min(_LONGEST_REST, 2.0 ** min(count, 10)))

    def _do(self, key: str, work: Work) -> bool:
        try:
            work()
        except Conflict as exc:
            logger.info("The %s crew ended %s: %s", self._name, key, exc.message)
        except MastraAdminError as exc:
            logger.warning("The %s crew goes on after %s: %s", self._name, key, exc)
            return False
        except Exception:
            # One piece that fails in an unexpected way must not end the thread that does the others.
            logger.exception("The %s crew goes on after an unexpected error in %s", self._name, key)
            return False
        return True

    def _take(self) -> tuple[str, Work] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._threads.discard(threading.current_thread())
            return None


def do_together(works: Sequence[Work], name: str) -> None:
    """Do several things at the same time, wait for all, and raise the first error, if any, after that."""
    errors: list[BaseException] = []

    def attempt(work: Work) -> None:
        try:
            work()
        except BaseException as exc:
            # Raised again below, in the thread that asked.
            errors.append(exc)

    if len(works) == 1:
        works[0]()
        return
    threads = [
        threading.Thread(target=copy_context().run, args=(attempt, work), name=name, daemon=True) for work in works
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
