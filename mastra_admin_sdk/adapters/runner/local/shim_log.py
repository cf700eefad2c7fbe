"""The log of one server: a `LineLog` that goes on when the disk is full or the folder gone, and counts what it lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from mastra_admin_sdk.linelog import LineLog, clean_text
from mastra_admin_sdk.redaction import Redactor

_RETRY_SECONDS = 1.0


class ShimLog:
    """Writes lines; never raises for a disk, because a server must not die of its log."""

    def __init__(self, path: str, redact: Sequence[str], max_bytes: int, keep: int) -> None:
        self._path, self._max_bytes, self._keep = Path(path), max_bytes, keep
        self._redactor = Redactor(redact)
        self._tail: deque[str] = deque(maxlen=200)
        self._lost = 0
        self._retry_at = 0.0
        self._file: LineLog | None = self._open()

    def write(self, text: str, stream: str) -> None:
        """Write a line, or count it as lost."""
        clean = clean_text(self._redactor.clean(text))
        if stream != "info":
            self._tail.append(clean)
        if self._file is None and time.monotonic() >= self._retry_at:
            self._reopen()
        if self._file is None:
            self._lost += 1
            return
        try:
            self._file.write(clean, stream=stream)
        except (OSError, ValueError):
            # ValueError: the file was left closed by a rotation that failed.
            self._lost += 1
            self.close()
            self._file = None
            self._retry_at = time.monotonic() + _RETRY_SECONDS

    def tail(self, count: int) -> list[str]:
        """Return the server's last lines, also those that could not be written."""
        return list(self._tail)[-count:]

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _reopen(self) -> None:
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        try:
            self._file = self._open()
            self._file.write(f"{self._lost} lines were lost: the log could not be written.", stream="info")
            self._lost = 0
        except OSError:
            self._file = None

    def _open(self) -> LineLog:
        return LineLog(self._path, max_bytes=self._max_bytes, keep=self._keep)
