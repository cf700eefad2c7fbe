"""From telemetry files into the store: complete lines, in big chunks, offsets saved after the data.

One process at a time does this (the lease ``ingester``). Inserts can be repeated without harm, so a crash between an
insert and its offset costs nothing but the repetition.
"""

from __future__ import annotations

import time
from collections import ChainMap, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mastra_admin_sdk.errors import LeaseLost, MastraAdminError
from mastra_admin_sdk.models import Offset, utc_now
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts

from .batches import Batch, BatchReader
from .files import FileIndex, TelemetryFile
from .lag import Lag, has_passed, has_waiting_line, is_behind, make_lag
from .progress import Progress
from .writers import WriterWatch

ROLE = "ingester"
LEASE_SECONDS = 6.0
"""An ingester that hasn't renewed its lease for so long, though its process is there, is replaced."""

LONGEST_PAUSE = 5.0
"""Seconds between two tries while the store is away."""

_STORING = "mastra-admin-store"
_KEEP_SECONDS = 24 * 3600.0
_TIDY_SECONDS = 60.0
_STORE_TIDY_SECONDS = 5.0
_FRESH_TIMEOUT = 5.0
_MANY = 500
_MUCH_BYTES = 1024 * 1024


class Ingester:
    """Stores what the telemetry files hold."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._root = parts.home.telemetry
        self._index = FileIndex(self._root)
        self._writers = WriterWatch(parts.storage.processes)
        self._reader = BatchReader(self._writers)
        self._progress = Progress(parts.home, parts.observability)
        # What the records say, for as long as the role is ours: nobody else saves offsets then.
        self._offsets: dict[str, Offset] = {}
        self._generation = -1
        self._tidied_at = float("-inf")
        self._store_tidied_at = float("-inf")
        self._ready = self._is_untidy = False

    def run_once(self, role: HeldLease, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Store all that is there now and not stored yet; return the bytes that were.

        Raises:
            EngineUnavailable: the store is away; nothing is lost, the next pass repeats it.
            LeaseLost: another process has the role by now.
        """
        try:
            total = self._run(role, stopping)
        except LeaseLost:
            self._generation = -1
            raise
        except MastraAdminError as exc:
            self._generation = -1
            self._progress.note_trouble(exc)
            raise
        finally:
            self._reader.rest()
        self._progress.note_pass(stored=total)
        return total

    def catch_up(self, timeout: float = _FRESH_TIMEOUT) -> bool:
        """Before a read: see that what is in the files now is stored; return whether it is.

        With an ingester around, wait until it has, for so many seconds; without one, do one pass here.
        """
        targets = self._list_behind(self._index.refresh())
        if not targets:
            return True
        deadline = time.monotonic() + timeout
        while (targets := self._list_behind(targets)) and time.monotonic() < deadline:
            role = self._parts.leases.try_acquire(ROLE, LEASE_SECONDS)
            if role is None:
                time.sleep(0.05)
                continue
            try:
                self.run_once(role)
            finally:
                self._parts.leases.release(role)
            targets = self._list_behind(targets)
            break
        return not targets

    def measure_lag(self) -> Lag:
        """Return how many files and bytes wait, and for how many seconds the oldest of their lines has."""
        behind, offsets = self._find_behind()
        return make_lag(behind, offsets)

    def measure_lags(self) -> Mapping[str, Lag]:
        """Return the same for each deployment of which something waits, by its id."""
        behind, offsets = self._find_behind()
        owners: dict[str, list[TelemetryFile]] = {}
        for file in behind:
            owners.setdefault(file.key.split("/", 1)[0], []).append(file)
        return {owner: make_lag(files, offsets) for owner, files in owners.items()}

    def _find_behind(self) -> tuple[list[TelemetryFile], Mapping[str, Offset]]:
        files = self._index.refresh()
        offsets = self._read_offsets(files)
        return [file for file in files if is_behind(file, offsets) and has_waiting_line(file, offsets)], offsets

    def _run(self, role: HeldLease, stopping: Callable[[], bool]) -> int:
        self._load(role)
        total = 0
        most = self._parts.observability.inserts_at_once
        under_way: deque[tuple[Batch, Future[None]]] = deque()
        with ThreadPoolExecutor(1, "mastra-admin-read") as readers, ThreadPoolExecutor(most, _STORING) as senders:
            batch = self._read_batch(self._offsets)
            while batch or under_way:
                ahead = None
                if batch:
                    # Somebody who was stopped and woke up again may have been replaced without having heard of it.
                    role.confirm()
                    under_way.append((batch, senders.submit(self._insert, batch)))
                    # The next batch is read while this one is stored; of what came meanwhile all is seen by the one
                    # after. A deployment with much to store must not keep the others waiting.
                    if batch.is_full and not stopping():
                        ahead = readers.submit(self._read_after, [each for each, _ in under_way])
                while under_way and (ahead is None or len(under_way) >= most):
                    total += self._settle(*under_way.popleft(), role)
                # A batch that isn't full held all there was. What came meanwhile is for the next pass: with a server
                # that writes all the time, this one would never end.
                batch = ahead.result() if ahead else None
        self._tidy_store(total)
        self._tidy_if_due(role)
        return total

    def _tidy_store(self, stored: int) -> None:
        """Let the store tidy up once much was stored, or nothing came after a little: not with every few lines."""
        self._is_untidy = self._is_untidy or stored > 0
        has_rested = stored == 0 and time.monotonic() - self._store_tidied_at >= _STORE_TIDY_SECONDS
        if self._is_untidy and (has_rested or stored >= _MUCH_BYTES):
            self._is_untidy, self._store_tidied_at = False, time.monotonic()
            self._parts.observability.tidy()

    def _load(self, role: HeldLease) -> None:
        if self._generation != role.current.generation:
            self._offsets = {offset.path: offset for offset in self._parts.storage.offsets.list()}
            self._index.unsettle()
            self._writers.forget()
            self._progress.load()
            self._generation, self._tidied_at = role.current.generation, float("-inf")

    def _read_after(self, batches: Sequence[Batch]) -> Batch | None:
        """Read what comes after batches that aren't stored yet."""
        return self._read_batch(ChainMap(*(dict(batch.reached) for batch in reversed(batches)), self._offsets))

    def _read_batch(self, offsets: Mapping[str, Offset]) -> Batch | None:
        behind = []
        for file in self._index.refresh():
            if is_behind(file, offsets):
                behind.append(file)
            elif file.closed:
                self._index.settle(file)
        return self._reader.read(behind, offsets) if behind else None

    def _insert(self, batch: Batch) -> None:
        if not batch.chunks:
            return
        if not self._ready:
            self._parts.observability.init()
            self._ready = True
        self._parts.observability.insert(batch.chunks)

    def _settle(self, batch: Batch, insert: Future[None], role: HeldLease) -> int:
        """Wait until a batch is stored, save how far that is, and return its bytes."""
        insert.result()
        self._parts.storage.offsets.save(batch.reached.values(), role.current)
        # Another object: the next batch is being read by the old one, in a thread.
        self._offsets = {**self._offsets, **batch.reached}
        self._progress.note_stored(batch)
        return batch.bytes

    def _list_behind(self, files: Iterable[TelemetryFile]) -> list[TelemetryFile]:
        """Those whose lines, as far as they were there when they were looked at, are not stored."""
        offsets = self._read_offsets(files)
        behind = []
        for file in files:
            if not has_passed(file, offsets):
                behind += [file] if has_waiting_line(file, offsets) else []
            elif file.closed and not is_behind(file, offsets):
                self._index.settle(file)
        return behind

    def _read_offsets(self, files: Iterable[TelemetryFile]) -> dict[str, Offset]:
        keys = [file.key for file in files]
        if not keys:
            return {}
        repository = self._parts.storage.offsets
        return {offset.path: offset for offset in (repository.list(keys) if len(keys) <= _MANY else repository.list())}

    # --- tidying ------------------------------------------------------------------------------------------------------

    def _tidy_if_due(self, role: HeldLease) -> None:
        if time.monotonic() - self._tidied_at >= _TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            self._tidy(role)

    def _tidy(self, role: HeldLease) -> None:
        """Remove files that were stored to their end, have rested for a day, and have no writer any more."""
        gone = [file for file in self._index.list_all() if self._has_rested(file) and self._is_stored(file)]
        for file in gone:
            role.check()
            file.path.unlink(missing_ok=True)
            self._remove_empty(file.path.parent)
        if gone:
            keys = [file.key for file in gone]
            self._parts.storage.offsets.delete(keys)
            self._index.forget(keys)
            for key in keys:
                self._offsets.pop(key, None)

    def _has_rested(self, file: TelemetryFile) -> bool:
        """True when nobody changed a file within the last day, and nothing of it was stored."""
        known, now = self._offsets.get(file.key), time.time()
        # A file from the future: its own time says nothing, so that of its offset has to do.
        is_old = file.modified < now - _KEEP_SECONDS or (file.modified > now and known is not None)
        return is_old and (known is None or (utc_now() - known.updated_at).total_seconds() > _KEEP_SECONDS)

    def _is_stored(self, file: TelemetryFile) -> bool:
        if not file.closed and not self._writers.has_ended(file, if_unknown=True):
            return False
        return not is_behind(file, self._offsets) or not has_waiting_line(file, self._offsets, if_unreadable=True)

    def _remove_empty(self, folder: Path) -> None:
        """Remove a folder and those above it, once nothing is left in them but the status of a server that ended."""
        while folder != self._root:
            if [item.name for item in folder.iterdir()] == ["status.json"] and self._writers.has_gone(folder.name):
                (folder / "status.json").unlink(missing_ok=True)
            try:
                folder.rmdir()
            except OSError:  # something else is in it still
                return
            folder = folder.parent
