"""The one way from Python into the telemetry files: what was written is on the disk when `write` returns.

Any number of processes may do this at once, each with a writer of its own; a writer's files are its alone.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from mastra_admin_sdk.errors import ForkedProcess, InvalidInput, WriteFailed
from mastra_admin_sdk.ports.observability import Stream

from .linefile import OPEN, FileRemoved, LineFile, close_abandoned
from .lines import LineOwner, LineType, Policy, TelemetryLine, encode_line

logger = logging.getLogger(__name__)

__all__ = ["FOLDER", "LineOwner", "LineType", "TelemetryLine", "TelemetryWriter"]

FOLDER = "python"
"""Where servers' files have their process: ``telemetry/<deployment>/<build>/python/{spans,logs}/``. No process has this
id, so nobody takes these files for those of a server that has ended; the lock on them tells who writes them."""

_NOBODY = "none"
_FILE_BYTES = 10 * 1024 * 1024
_FILE_SECONDS = 3600.0
_OPEN_FILES = 32
_ATTEMPTS = 3
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")

_Key = tuple[str, str, Stream]


class TelemetryWriter:
    """Appends lines to files under the ``telemetry`` folder of a home.

    Parameters:
        root: that folder.
        policy: called with the lines before they are written; it returns those that are.
        file_bytes: a file is closed before it grows beyond this.
        clock: the time in seconds since 1970.

    Many threads may write at once: they share the disk's work. It holds no connection and starts no thread; `close`
    gives its files their final names, and what was written is safe without it.

    Example:
        >>> with TelemetryWriter(home.telemetry) as writer:
        ...     writer.write(LineOwner(project.id), [TelemetryLine(LineType.SCORE, None, None, score, id=score_id)])
    """

    def __init__(
        self,
        root: Path,
        *,
        policy: Policy | None = None,
        file_bytes: int = _FILE_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root, self._policy, self._file_bytes, self._clock = root, policy, file_bytes, clock
        self._stream = str(uuid.uuid4())
        self._lock = threading.Lock()
        self._files: OrderedDict[_Key, LineFile] = OrderedDict()
        self._number = self._last_ms = 0
        self._pid = os.getpid()
        self._has_looked = False

    def write(self, owner: LineOwner, lines: Sequence[TelemetryLine]) -> int:
        """Write lines of one owner and return how many; they are on the disk then (file and folder synced).

        Raises:
            InvalidInput: the owner's deployment or build has an id that is no name for a folder.
            WriteFailed: the disk is full or failed. Some of the lines may be there: write them again, under the same
                ids.
            ForkedProcess: it was made before a fork.
        """
        if os.getpid() != self._pid:
            raise ForkedProcess("This writer was made before a fork.", hint="Make one in the child.")
        kept = self._policy(owner, lines) if self._policy else lines
        folders = _check_name(owner.deployment_id), _check_name(owner.build_id)
        for stream in Stream:
            bodies = self._encode(owner, [line for line in kept if line.type.stream is stream])
            for body in _join(bodies, self._file_bytes):
                self._put((*folders, stream), body)
        return len(kept)

    def close(self) -> None:
        """Close all files. Can be repeated; a write afterwards begins new ones."""
        if os.getpid() != self._pid:
            return  # they are still the parent's to write
        with self._lock:
            while self._files:
                _, file = self._files.popitem()
                _close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _encode(self, owner: LineOwner, lines: Sequence[TelemetryLine]) -> list[bytes]:
        with self._lock:
            first, self._number = self._number + 1, self._number + len(lines)
        now_ms = int(self._clock() * 1000)
        numbered = enumerate(lines, first)
        return [
            encode_line(owner, line, line_id=f"{self._stream}-{number}", now_ms=now_ms) for number, line in numbered
        ]

    def _put(self, key: _Key, body: bytes) -> None:
        try:
            for _ in range(_ATTEMPTS):
                if self._try_put(key, body):
                    return
        except OSError as exc:
            raise _explain(self._root, exc.strerror or str(exc)) from exc
        raise _explain(self._root, "its files were removed again and again")

    def _try_put(self, key: _Key, body: bytes) -> bool:
        """Write and sync; False when the file was removed meanwhile, so that it has to be written again."""
        with self._lock:
            file = self._find_file(key, len(body))
            try:
                position = file.append(body)
            except OSError:
                self._keep_if_sound(key, file)
                raise
        try:
            file.sync(position)
        except FileRemoved:
            self._drop(key, file)
            return False
        except OSError:
            self._drop(key, file)
            raise
        return True

    def _find_file(self, key: _Key, size: int) -> LineFile:
        file = self._files.get(key)
        if file is not None and self._is_over(file, size):
            del self._files[key]
            _close(file)
            file = None
        if file is None:
            file = self._files[key] = self._make_file(key)
        self._files.move_to_end(key)
        while len(self._files) > _OPEN_FILES:
            _, oldest = self._files.popitem(last=False)
            _close(oldest)
        return file

    def _is_over(self, file: LineFile, size: int) -> bool:
        # By age as well: what rests for a day is removed, so nothing may be appended to an old file. By the clock of
        # the wall, which goes on while a laptop sleeps.
        begun_ms = int(file.path.name.split("_")[0])
        is_old = abs(self._clock() * 1000 - begun_ms) > _FILE_SECONDS * 1000
        return is_old or (file.size > 0 and file.size + size > self._file_bytes)

    def _make_file(self, key: _Key) -> LineFile:
        deployment, build, stream = key
        self._close_abandoned()
        for _ in range(_ATTEMPTS):
            # Names sort in the order of writing, also when two files begin in one millisecond or the clock goes back.
            self._last_ms = max(int(self._clock() * 1000), self._last_ms + 1)
            folder = self._root / deployment / build / FOLDER / stream
            try:
                return LineFile(folder / f"{self._last_ms}_{self._stream}.jsonl")
            except (FileExistsError, FileNotFoundError):
                continue  # somebody looked whether its writer lives, or removed the folder, in this very moment
        raise OSError(f"no file could be made in {folder}")

    def _close_abandoned(self) -> None:
        """Once a writer: close what writers left that were killed."""
        if self._has_looked:
            return
        self._has_looked = True
        for path in self._root.glob(f"*/*/{FOLDER}/*/*.jsonl{OPEN}"):
            try:
                close_abandoned(path)
            except OSError as exc:
                logger.warning("The telemetry file %s of a dead writer can't be closed: %s", path, exc)

    def _keep_if_sound(self, key: _Key, file: LineFile) -> None:
        """After a failed write: let go of a file that can't be used any more; a removed one holds room until then."""
        if self._files.get(key) is file and not file.is_sound():
            del self._files[key]
            file.abandon()

    def _drop(self, key: _Key, file: LineFile) -> None:
        with self._lock:
            if self._files.get(key) is file:
                del self._files[key]
                file.abandon()


def _close(file: LineFile) -> None:
    try:
        file.close()
    except (OSError, FileRemoved) as exc:
        # Those who wait for its lines to be on the disk are told themselves.
        logger.warning("The telemetry file %s could not be closed: %s", file.path, exc)


def _check_name(given: str | None) -> str:
    if given is None:
        return _NOBODY
    if not _NAME.fullmatch(given):
        raise InvalidInput(
            f"{given[:80]!r} can't be the id of a deployment or build.", hint="Use letters, digits, - and _."
        )
    return given


def _join(lines: Sequence[bytes], most: int) -> Iterator[bytes]:
    """Yield lines together, as many as go into one file."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        if group and size + len(line) > most:
            yield b"".join(group)
            group, size = [], 0
        group.append(line)
        size += len(line)
    if group:
        yield b"".join(group)


def _explain(root: Path, reason: str) -> WriteFailed:
    return WriteFailed(
        f"Telemetry could not be written to {root}: {reason}.",
        hint="See that its disk has room and can be written; then send it again: what is stored already isn't doubled.",
    )
