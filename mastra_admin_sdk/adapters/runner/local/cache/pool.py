"""Files by content: each is stored once, read-only, under the SHA-256 of what is in it.

All have one and the same modification time. Whoever writes into such a file through a hard link moves that time (and
often the size), which is how it is noticed: see `Pool.is_intact`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .trees import FileFacts, StoredFile

_MOMENT_NS = 499_162_500 * 10**9
_FICLONE = 0x40049409
_NO_CLONE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM}
_NO_LINK = {errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP}


class Pool:
    """A folder of files by content."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def locate(self, file: StoredFile) -> str:
        """Return where a file's content is, or would be. Programs are kept apart: links share their mode."""
        return f"{self._folder}/{file.digest[:2]}/{file.digest[2:]}{'x' if file.is_program else ''}"

    def is_intact(self, file: StoredFile) -> bool:
        """True when the content is there and nobody has written into it."""
        try:
            found = os.lstat(self.locate(file))
        except FileNotFoundError:
            return False
        expected = (file.size, _MOMENT_NS, _sealed_mode(file))
        return (found.st_size, found.st_mtime_ns, stat.S_IMODE(found.st_mode)) == expected

    def evict(self, file: StoredFile) -> None:
        """Take a file's content out, so that it is never handed out again."""
        Path(self.locate(file)).unlink(missing_ok=True)

    def put(self, file: StoredFile, source: str, facts: FileFacts) -> None:
        """Store the content of ``source``: linked when nobody else shares it, else copied.

        The source is made read-only and gets the pool's time when it is linked: it is the same file from then on.
        """
        if self.is_intact(file):
            return
        self.evict(file)
        target = self.locate(file)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if facts.links > 1 or not self._take(file, source, target):
            self._copy(file, source, target)

    def list_paths(self) -> Iterator[tuple[str, os.stat_result]]:
        """Return the path and facts of every file in the pool."""
        for place, _, names in os.walk(self._folder):
            for name in names:
                path = os.path.join(place, name)
                yield path, os.lstat(path)

    def _take(self, file: StoredFile, source: str, target: str) -> bool:
        _seal(file, source)
        try:
            os.link(source, target)
        except OSError as exc:
            if exc.errno not in _NO_LINK:
                raise
            return False
        return True

    def _copy(self, file: StoredFile, source: str, target: str) -> None:
        descriptor, partial = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".")
        try:
            with open(descriptor, "wb") as fresh, open(source, "rb") as old:
                shutil.copyfileobj(old, fresh)
            _seal(file, partial)
            os.rename(partial, target)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise


class Layer:
    """Lays files of a pool into a build, the cheapest way that the file system knows.

    A clone shares blocks and not the file: writing into it touches nobody else. Where there are none, a hard link
    shares the file itself; with ``own`` it is copied instead.
    """

    def __init__(self, pool: Pool, *, own: bool = False) -> None:
        self._pool, self._own = pool, own
        self.can_clone = True
        self.linked = 0

    def lay(self, file: StoredFile, target: str) -> None:
        """Make one file."""
        source = self._pool.locate(file)
        if self.can_clone and file.size:
            self.can_clone = _clone(source, target, file.mode)
            if self.can_clone:
                return
        # An empty file is quicker made than linked, and many packages have some.
        if self._own or not file.size or not self._link(source, target):
            shutil.copyfile(source, target)
            os.chmod(target, file.mode)

    def _link(self, source: str, target: str) -> bool:
        try:
            os.link(source, target)
        except OSError as exc:
            # A file system allows a file only so many links.
            if exc.errno not in _NO_LINK:
                raise
            return False
        self.linked += 1
        return True


def _clone(source: str, target: str, mode: int) -> bool:
    with open(source, "rb") as old, open(target, "wb") as fresh:
        try:
            fcntl.ioctl(fresh.fileno(), _FICLONE, old.fileno())
        except OSError as exc:
            if exc.errno not in _NO_CLONE:
                raise
        else:
            os.chmod(target, mode)
            return True
    os.unlink(target)
    return False


def _seal(file: StoredFile, path: str) -> None:
    os.chmod(path, _sealed_mode(file))
    os.utime(path, ns=(_MOMENT_NS, _MOMENT_NS))


def _sealed_mode(file: StoredFile) -> int:
    return 0o555 if file.is_program else 0o444
