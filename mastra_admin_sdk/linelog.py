"""Numbered-line log files: one writer, any number of readers in any process.

A line is ``<number> TAB <UTC time> TAB <stream> TAB <text>``. Numbers start at 1 and never repeat, also over a
rotation (``x.log`` becomes ``x.log.1``), so a reader that lost its connection goes on at the line after its last one.
Text is redacted and cleaned of control characters before it is written; colours (ANSI SGR) stay.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from .models import LogLine
from .redaction import Redactor

MAX_LINE = 16 * 1024
"""Longer lines are cut there, and say so."""

_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[A-HJKSTfhlsu]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)


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
            older = self.path.with_name(f"{self.path.name}.{index}")
            newer = self.path if index == 1 else self.path.with_name(f"{self.path.name}.{index - 1}")
            if newer.exists():
                newer.replace(older)
        self._open()


def clean_text(text: str) -> str:
    """Return text without cursor movements and control characters, cut at `MAX_LINE`; what follows a CR wins."""
    text = text.rstrip("\r\n")
    if "\r" in text:
        text = text.rsplit("\r", 1)[-1]
    text = _CONTROL.sub("", text.replace("\t", "    "))
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]} … [{len(text) - MAX_LINE} characters cut]"


def read_lines(path: Path, after: int = 0) -> Iterator[LogLine]:
    """Yield the complete lines with a number above ``after``, oldest first, from rotated files too.

    A file that isn't there (any more) has no lines.
    """
    for line in _read_rotated(path, after):
        after = line.number
        yield line
    for line in _read_file(path):
        if line.number > after:
            yield line


def follow_lines(
    path: Path, after: int = 0, *, is_over: Callable[[], bool], poll_seconds: float = 0.1
) -> Iterator[LogLine | None]:
    """Yield lines as they come, and ``None`` whenever there is none at the moment, until ``is_over`` and all is read.

    Readers look at the file again every ``poll_seconds``; a rotation is noticed and no line is missed.
    """
    position, inode = 0, -1
    while True:
        over = is_over()
        stat = _look_at(path)
        if stat and (stat.st_ino != inode or stat.st_size < position):
            # A first look, or the file was rotated: what came meanwhile may stand in an older part.
            for line in _read_rotated(path, after):
                after = line.number
                yield line
            inode, position = stat.st_ino, 0
        found, position = _read_from(path, position) if stat else ([], position)
        for line in found:
            if line.number > after:
                after = line.number
                yield line
        if not found:
            if over:
                return
            yield None
            time.sleep(poll_seconds)


def _look_at(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:  # not there yet, rotated in this moment, or removed with its build
        return None


def _read_from(path: Path, position: int) -> tuple[list[LogLine], int]:
    """Return the complete lines after a position, about a megabyte at most, and the position after them."""
    try:
        with path.open("rb") as file:
            file.seek(position)
            data = file.read(1 << 20)
    except FileNotFoundError:  # rotated in this moment
        return [], position
    complete = data.rfind(b"\n") + 1
    return [line for raw in data[:complete].splitlines() if (line := _parse(raw))], position + complete


def _read_rotated(path: Path, after: int) -> Iterator[LogLine]:
    for part in reversed(_list_rotated(path)):
        for line in _read_file(part):
            if line.number > after:
                after = line.number
                yield line


def _list_rotated(path: Path) -> list[Path]:
    found = []
    index = 1
    while (part := path.with_name(f"{path.name}.{index}")).exists():
        found.append(part)
        index += 1
    return found


def _read_file(path: Path) -> Iterator[LogLine]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for raw in file:
            if raw.endswith(b"\n") and (line := _parse(raw[:-1])):
                yield line


def _parse(raw: bytes) -> LogLine | None:
    # A line that isn't ours (a torn write after a power cut) is passed over: readers show what can be read.
    parts = raw.decode("utf-8", errors="replace").split("\t", 3)
    try:
        number, moment, stream, text = parts
        return LogLine(int(number), datetime.fromisoformat(moment), stream, text)
    except ValueError:
        return None


def _last_number(path: Path) -> int:
    last = 0
    for part in [path, *_list_rotated(path)]:
        for line in _read_file(part):
            last = max(last, line.number)
        if last:
            break
    return last


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
