"""From telemetry files into the store: complete lines, in big chunks, offsets saved after the data.

One process at a time does this (the lease ``ingester``). Inserts can be repeated without harm, so a crash between an
insert and its offset costs nothing but the repetition.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Offset, utc_now
from mastra_admin_sdk.ports.observability import Chunk
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts

from .files import TelemetryFile, list_files, read_chunks, read_tail, start_position

logger = logging.getLogger(__name__)

ROLE = "ingester"
_BATCH_BYTES = 16 * 1024 * 1024
_KEEP_SECONDS = 24 * 3600.0
_FRESH_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the store is behind the files."""

    files: int
    bytes: int
    seconds: float


class Ingester:
    """Stores what the telemetry files hold."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._root = parts.home.telemetry
        self._ready = False
        self._unreadable: set[str] = set()

    def run_once(self, role: HeldLease, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Store all that is there and not stored yet; return the bytes that were.

        Raises:
            EngineUnavailable: the store is away; nothing is lost, the next pass repeats it.
            LeaseLost: another process has the role by now.
        """
        files = list_files(self._root)
        offsets = {offset.path: offset for offset in self._parts.storage.offsets.list()}
        behind = [file for file in files if _is_behind(file, offsets)]
        stored = self._store(behind, offsets, role, stopping) if behind else 0
        self._tidy(files, role)
        return stored

    def catch_up(self) -> None:
        """Before a read: see that what is in the files now is stored.

        With an ingester around, wait briefly until it has; without one, do one pass here.
        """
        targets = {file.key: file for file in list_files(self._root)}
        if not self._list_behind(targets):
            return
        deadline = time.monotonic() + _FRESH_TIMEOUT
        while self._list_behind(targets) and time.monotonic() < deadline:
            role = self._parts.leases.try_acquire(ROLE)
            if role is None:
                time.sleep(0.05)
                continue
            try:
                self.run_once(role)
            finally:
                self._parts.leases.release(role)
            return

    def measure_lag(self) -> Lag:
        """Return how many files and bytes wait, and for how many seconds the oldest of them has."""
        offsets = {offset.path: offset for offset in self._parts.storage.offsets.list()}
        behind = [file for file in list_files(self._root) if _is_behind(file, offsets) and _has_line(file, offsets)]
        waiting = sum(file.size - start_position(file, offsets) for file in behind)
        oldest = min((file.modified for file in behind), default=time.time())
        return Lag(len(behind), waiting, max(0.0, time.time() - oldest) if behind else 0.0)

    def _list_behind(self, targets: dict[str, TelemetryFile]) -> list[TelemetryFile]:
        offsets = {offset.path: offset for offset in self._parts.storage.offsets.list()}
        return [file for file in targets.values() if not _has_passed(file, offsets) and _has_line(file, offsets)]

    def _store(
        self, files: list[TelemetryFile], offsets: dict[str, Offset], role: HeldLease, stopping: Callable[[], bool]
    ) -> int:
        if not self._ready:
            self._parts.observability.init()
            self._ready = True
        batch: list[Chunk] = []
        reached: dict[str, Offset] = {}
        size = total = 0
        for file in files:
            for chunk, position in self._read(file, offsets):
                batch.append(chunk)
                reached[file.key] = Offset(file.key, position, file.inode, file.closed and position >= file.size)
                size += len(chunk.body)
                if size >= _BATCH_BYTES:
                    total += self._flush(batch, reached, role)
                    batch, reached, size = [], {}, 0
                    if stopping():
                        return total
        return total + self._flush(batch, reached, role)

    def _read(self, file: TelemetryFile, offsets: dict[str, Offset]) -> Iterator[tuple[Chunk, int]]:
        position = start = start_position(file, offsets)
        try:
            for chunk, position in read_chunks(file, start):
                yield chunk, position
            if position < file.size and (file.closed or self._has_exited(file, if_unknown=False)):
                yield from read_tail(file, position)
        except OSError as exc:
            # One file that can't be read must not keep the others; it stays behind, which `measure_lag` shows.
            if file.key not in self._unreadable:
                logger.warning("The telemetry file %s can't be read: %s", file.path, exc)
            self._unreadable.add(file.key)

    def _flush(self, batch: list[Chunk], reached: dict[str, Offset], role: HeldLease) -> int:
        if not batch:
            return 0
        role.check()
        self._parts.observability.insert(batch)
        self._parts.storage.offsets.save(reached.values(), role.current)
        return sum(len(chunk.body) for chunk in batch)

    def _tidy(self, files: list[TelemetryFile], role: HeldLease) -> None:
        """Remove files that were stored to their end, have rested for a day, and have no writer any more."""
        offsets = {offset.path: offset for offset in self._parts.storage.offsets.list()}
        old = time.time() - _KEEP_SECONDS
        gone = [
            file
            for file in files
            if file.modified < old and _has_rested(file, offsets) and self._is_over(file)
            if not _is_behind(file, offsets) or not _has_line(file, offsets, if_unreadable=True)
        ]
        for file in gone:
            role.check()
            file.path.unlink(missing_ok=True)
            _remove_empty(file.path.parent, self._root)
        if gone:
            self._parts.storage.offsets.delete([file.key for file in gone])

    def _is_over(self, file: TelemetryFile) -> bool:
        """True when nobody writes a file any more: it was closed, or its server ended or is no longer on record."""
        return file.closed or self._has_exited(file, if_unknown=True)

    def _has_exited(self, file: TelemetryFile, *, if_unknown: bool) -> bool:
        """True when the server that wrote a file, ``…/<process>/<stream>/<file>``, has ended."""
        try:
            return not self._parts.storage.processes.get(file.path.parts[-3]).status.is_alive
        except NotFound:
            return if_unknown


def _is_behind(file: TelemetryFile, offsets: dict[str, Offset]) -> bool:
    return start_position(file, offsets) < file.size


def _has_passed(file: TelemetryFile, offsets: dict[str, Offset]) -> bool:
    """True when all that a file held when it was looked at is stored; it may have grown and more be stored since."""
    known = offsets.get(file.key)
    return known is not None and known.inode == file.inode and known.position >= file.size


def _has_rested(file: TelemetryFile, offsets: dict[str, Offset]) -> bool:
    """True when nothing of a file was stored within the last day; one that never held a line has nothing to store."""
    known = offsets.get(file.key)
    return known is None or (utc_now() - known.updated_at).total_seconds() > _KEEP_SECONDS


def _has_line(file: TelemetryFile, offsets: dict[str, Offset], *, if_unreadable: bool = False) -> bool:
    """False when all that waits is a last line without its end, of a file that may still be written or never was."""
    try:
        chunk = next(read_chunks(file, start_position(file, offsets), size=1 << 16), None)
    except OSError:
        return if_unreadable
    return chunk is not None or file.closed


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root:
        try:
            folder.rmdir()
        except OSError:  # something else is in it still
            return
        folder = folder.parent
