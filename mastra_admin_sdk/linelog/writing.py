"""Writing a log."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from mastra_admin_sdk.redaction import Redactor

from .parts import name_part, open_parts
from .positions import find_last
from .rows import clean_text


class LineLog:
    """Appends numbered lines to a file; safe to use from several threads of one process.

    Parameters:
        path: the file; made with mode 0600. An existing one is continued.
        redactor: what must not be written.
        max_bytes: size at which the file is rotated; 0 never rotates.
        keep: how many rotated files are kept.
    """

    def __init__(self, path: Path, redactor: Redactor | None = None, *, max_bytes: int = 0, keep: int = 5) -> None:
        self.path = path
        self._redactor = redactor or Redactor()
        self._max_bytes, self._keep = max_bytes, keep
        self._lock = threading.Lock()
        self._tail: deque[str] = deque(maxlen=200)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._number = _last_number(path)
        self._open()

    def write(self, text: str, *, stream: str = "out") -> None:
        """Write one line (line ends inside the text make several)."""
        for part in text.splitlines() or [""]:
            self._write_line(part, stream)

    def tail(self, count: int = 100) -> list[str]:
        """Return the texts of the last lines written by this object."""
        with self._lock:
            return list(self._tail)[-count:]

    def close(self) -> None:
        """Close the file. Can be repeated."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> LineLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write_line(self, text: str, stream: str) -> None:
        # Twice: a value could be cut by `clean_text`, or be made whole by it where control characters stood inside.
        clean = self._redactor.clean(clean_text(self._redactor.clean(text)))
        with self._lock:
            self._number += 1
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._file.write(f"{self._number}\t{now}\t{stream}\t{clean}\n".encode(errors="replace"))
            self._tail.append(clean)
            if self._max_bytes and self._file.tell() >= self._max_bytes:
                self._rotate()

    def _open(self) -> None:
        # Unbuffered: a line that was written is there for readers, also when this process is killed.
        self._file = self.path.open("ab", buffering=0)
        self.path.chmod(0o600)
        if self._file.tell() and not _ends_with_newline(self.path):
            self._file.write(b"\n")

    def _rotate(self) -> None:
        self._file.close()
        for index in range(self._keep, 0, -1):
            newer = name_part(self.path, index - 1)
            if newer.exists():
                newer.replace(name_part(self.path, index))
        self._open()


def _last_number(path: Path) -> int:
    with ExitStack() as stack:
        numbers = (find_last(part.fileno()) for part in reversed(open_parts(path, stack)))
        return next((number for number in numbers if number), 0)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
