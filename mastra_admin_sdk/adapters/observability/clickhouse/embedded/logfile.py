"""The engine's log: what the process writes to standard error, kept short also when it serves for months."""

from __future__ import annotations

import os
from pathlib import Path

MAX_BYTES = 5 * 1024 * 1024
OLDER_SUFFIX = ".1"
"""Follows the name of the file that holds what was written before."""

_PIECE = 1 << 20


class EngineLog:
    """A log that is moved to a second file when it is long. Both are opened at once, before the sandbox closes.

    Parameters:
        path: the file that standard error goes to, in appending mode.
        max_bytes: how long it may become.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._log = _open(path)
        self._older = _open(path.with_name(path.name + OLDER_SUFFIX))

    def rotate(self) -> bool:
        """Move what was written to the second file if it is long; return whether it was."""
        size = os.fstat(self._log).st_size
        if size <= self._max_bytes:
            return False
        os.ftruncate(self._older, 0)
        for offset in range(0, size, _PIECE):
            os.pwrite(self._older, os.pread(self._log, min(_PIECE, size - offset), offset), offset)
        # Whoever appends goes on at the beginning. A line written in this very moment would be lost: only here.
        os.ftruncate(self._log, 0)
        return True

    def close(self) -> None:
        """Close both files."""
        os.close(self._log)
        os.close(self._older)


def _open(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
