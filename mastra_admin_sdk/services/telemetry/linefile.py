"""One telemetry file that Python writes: whole lines, on the disk before anybody is told so.

Its writer holds the kernel's lock on it (``flock``) for as long as it lives: so others can tell a file that is being
written from one whose writer was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path

OPEN = ".open"


class FileRemoved(Exception):
    """Raised when a file lost its name while it was written: what was written last is in no file."""


class LineFile:
    """``<name>.jsonl.open`` while it is written, ``<name>.jsonl`` once it is closed.

    `append` is for one thread at a time; `sync` for any number of them, which share the disk's work.
    """

    def __init__(self, path: Path) -> None:
        """Make the file ``path`` (without ``.open``); raise `FileExistsError` when somebody else has it."""
        self.path = path.with_name(path.name + OPEN)
        self.size = 0
        """Up to the end of the last whole line."""
        self._synced = 0
        self._sync_lock = threading.Lock()
        self._failure: OSError | FileRemoved | None = None
        make_folder(self.path.parent)
        self._descriptor = _create_locked(self.path)
        try:
            sync_folder(self.path.parent)
        except OSError:
            os.close(self._descriptor)
            raise

    def append(self, body: bytes) -> int:
        """Write lines behind the others and return the position after them, which is what to `sync` to.

        When they don't all fit, those that are whole stay, as somebody may have read them, and the rest is cut off.
        """
        written = 0
        try:
            while written < len(body):
                written += os.pwrite(self._descriptor, memoryview(body)[written:], self.size + written)
        except OSError:
            self.size += body.rfind(b"\n", 0, written) + 1
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += written
        return self.size

    def sync(self, position: int) -> None:
        """Return once everything up to a position is on the disk.

        Raises:
            FileRemoved: somebody removed the file meanwhile.
            OSError: the disk failed; what was not synced yet has to be written again, elsewhere.
        """
        with self._sync_lock:
            if position <= self._synced:
                return  # another thread's sync, or the close, took these lines along
            self._sync()

    def is_sound(self) -> bool:
        """False when it was removed, or half a line is at its end that could not be cut off."""
        found = os.fstat(self._descriptor)
        return found.st_size == self.size and found.st_nlink > 0

    def close(self) -> None:
        """Put all of it on the disk and give it its final name."""
        with self._sync_lock:
            try:
                if self._synced < self.size:
                    self._sync()
                _finish(self.path, self.size)
            finally:
                os.close(self._descriptor)

    def abandon(self) -> None:
        """Let go of a file that was removed or broke, whose writes have failed already."""
        with self._sync_lock:
            self._failure = self._failure or FileRemoved(str(self.path))
            with contextlib.suppress(OSError):  # it may have no name any more
                self.path.rename(self.path.with_suffix(""))
            with contextlib.suppress(OSError):  # a close reports what its writes and syncs have reported before
                os.close(self._descriptor)

    def _sync(self) -> None:
        # After a failure the kernel forgets it, and the next fsync would succeed without having written anything.
        if self._failure is not None:
            raise self._failure
        size = self.size
        try:
            os.fsync(self._descriptor)
            if os.fstat(self._descriptor).st_nlink == 0:
                raise FileRemoved(str(self.path))
        except (OSError, FileRemoved) as exc:
            self._failure = exc
            raise
        self._synced = size


def is_being_written(path: Path) -> bool:
    """True when a writer of ours that lives has a ``.open`` file; servers hold no lock on theirs."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def close_abandoned(path: Path) -> bool:
    """Give a ``.open`` file whose writer was killed its final name, without the half line at its end, if there is one.

    That half was never confirmed to anybody. Returns False when its writer lives, or the file is gone.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        end = _find_last_end(descriptor)
        if end < os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, end)
            os.fsync(descriptor)
        _finish(path, end)
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(descriptor)
    return True


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they are there after a loss of power as well."""
    missing = [folder, *folder.parents]
    missing = missing[: next(index for index, path in enumerate(missing) if path.is_dir())]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _finish(path: Path, size: int) -> None:
    if size:
        path.rename(path.with_suffix(""))
    else:
        path.unlink()


def _create_locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between the two calls somebody may have taken it for a dead writer's, and closed it.
        if not os.path.samestat(os.stat(path), os.fstat(descriptor)):
            raise FileExistsError(f"{path} was replaced by another file.")
    except (BlockingIOError, FileNotFoundError) as exc:
        os.close(descriptor)
        raise FileExistsError(f"{path} was closed by somebody else.") from exc
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _find_last_end(descriptor: int, step: int = 1 << 16) -> int:
    position = os.fstat(descriptor).st_size
    while position:
        start = max(0, position - step)
        found = os.pread(descriptor, position - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0
