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
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from .models import LogLine
from .redaction import Redactor

MAX_LINE = 16 * 1024
"""Longer lines are cut there, and say so."""

_ROTATION_SECONDS = 0.001

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
    with ExitStack() as stack:
        for part in _open_parts(path, stack):
            for line in _read_lines_of(part):
                if line.number > after:
                    after = line.number
                    yield line


def follow_lines(
    path: Path, after: int = 0, *, is_over: Callable[[], bool], poll_seconds: float = 0.1
) -> Iterator[LogLine | None]:
    """Yield lines as they come, and ``None`` whenever there is none at the moment, until ``is_over`` and all is read.

    Readers look at the file again every ``poll_seconds``; a rotation is noticed and no line is missed.
    """
    with ExitStack() as held:
        current: BinaryIO | None = None
        while True:
            over = is_over()
            found = False
            moved = current is None or _was_replaced(path, current)
            # The rest of the file that was being read comes first: a rotation may have removed its name already.
            parts: list[BinaryIO] = [current] if current else []
            if moved:
                opened = held.enter_context(ExitStack())
                parts += _open_parts(path, opened, newer_than=current)
            for part in parts:
                for line in _read_lines_of(part):
                    if line.number > after:
                        after, found = line.number, True
                        yield line
            if moved and parts and parts[-1] is not current:
                kept = opened.pop_all()
                held.close()
                held.push(kept)
                current = parts[-1]
            if not found:
                if over:
                    return
                yield None
                time.sleep(poll_seconds)


def _was_replaced(path: Path, file: BinaryIO) -> bool:
    known = os.fstat(file.fileno())
    try:
        found = path.stat()
    except FileNotFoundError:  # rotated in this moment, or removed with its build
        return False
    return (found.st_dev, found.st_ino) != (known.st_dev, known.st_ino)


def _open_parts(path: Path, stack: ExitStack, newer_than: BinaryIO | None = None) -> list[BinaryIO]:
    """Open the rotated files, oldest first, and the file itself: a set of one moment, whatever is renamed meanwhile.

    With ``newer_than``, a file of the set that is open already, only those that came after it.

    A rotation renames one file after the other. What stood under each name before and after the files were opened is
    compared, and all is opened again when a name has moved.
    """
    while True:
        names = _list_parts(path)
        known = os.fstat(newer_than.fileno()).st_ino if newer_than else None
        wanted = list(names.values())
        wanted = wanted[wanted.index(known) + 1 :] if known in wanted else wanted
        with ExitStack() as attempt:
            parts: list[BinaryIO] = []
            for name in [name for name, inode in names.items() if inode in wanted]:
                with suppress(FileNotFoundError):
                    parts.append(attempt.enter_context(name.open("rb")))
            inodes = [os.fstat(part.fileno()).st_ino for part in parts]
            if inodes == wanted and names == _list_parts(path):
                stack.push(attempt.pop_all())
                return parts
        time.sleep(_ROTATION_SECONDS)


def _list_parts(path: Path) -> dict[Path, int]:
    """Return the files of a log, oldest first, and the inode under each name."""
    found: list[tuple[int, Path, int]] = []
    with suppress(FileNotFoundError), os.scandir(path.parent) as entries:
        for entry in entries:
            name, _, index = entry.name.rpartition(".")
            if entry.name == path.name:
                found.append((0, path, entry.inode()))
            elif name == path.name and index.isdigit():
                found.append((int(index), path.parent / entry.name, entry.inode()))
    return {name: inode for _, name, inode in sorted(found, reverse=True)}


def _read_lines_of(file: BinaryIO) -> Iterator[LogLine]:
    """Yield the complete lines from where the file stands; what is half written is left for the next time."""
    if os.fstat(file.fileno()).st_size < file.tell():  # somebody emptied it
        file.seek(0)
    while True:
        start = file.tell()
        raw = file.readline()
        if not raw.endswith(b"\n"):
            file.seek(start)
            return
        if line := _parse(raw[:-1]):
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
    with ExitStack() as stack:
        for part in reversed(_open_parts(path, stack)):
            if last := max((line.number for line in _read_lines_of(part)), default=0):
                return last
    return 0


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
