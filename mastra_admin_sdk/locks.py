"""Locks between processes and threads, on files: the kernel lets go of them when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL = 0.01


class FileLock:
    """A lock that is held until ``close()``; made by `try_lock` and `hold_lock`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def close(self) -> None:
        """Let go. Can be repeated."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def try_lock(path: Path, *, shared: bool = False) -> FileLock | None:
    """Take the lock on a file, which is made when it is missing; ``None`` when somebody holds it.

    Any number may hold it ``shared`` at a time; two objects of one process are two holders.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            # Who removed the file while we opened it held a lock that nobody sees any more.
            if _is_same(descriptor, path):
                return FileLock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


@contextmanager
def hold_lock(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold the lock on a file; raise `TimeoutError` when somebody else holds it for that long."""
    deadline = time.monotonic() + timeout
    while (lock := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"The lock {path} was held by another process for {timeout:g} s.")
        time.sleep(_POLL)
    try:
        yield
    finally:
        lock.close()


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))
