"""What is stored together: chunks of many files, fairly taken, and how far each file is stored by then."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from mastra_admin_sdk.models import Offset
from mastra_admin_sdk.ports.observability import Chunk

from .chunks import CHUNK_BYTES, ChunkReader, Piece, open_reader
from .files import State, TelemetryFile, start_position
from .lag import REST_SECONDS
from .writers import WriterWatch

logger = logging.getLogger(__name__)

BATCH_BYTES = 56 * 1024 * 1024
"""A batch has so many bytes or a chunk more: enough that storing it is efficient, and memory stays bounded."""

_BATCH_FILES = 1000
_SHARE_BYTES = 1024 * 1024
_KEPT_READERS = 8

Steps = Generator[bool, None, None]
"""Yields whenever a chunk was added to the batch."""


@dataclass(slots=True)
class Batch:
    """Chunks, and the offsets that hold once they are stored."""

    chunks: list[Chunk] = field(default_factory=list)
    reached: dict[str, Offset] = field(default_factory=dict)
    bytes: int = 0
    lines: int = 0

    @property
    def is_full(self) -> bool:
        """True when no more should be added."""
        return self.bytes >= BATCH_BYTES or len(self.chunks) >= _BATCH_FILES

    def add(self, reader: ChunkReader, piece: Piece, *, done: bool) -> None:
        """Add a chunk of a file."""
        self.chunks.append(piece.chunk)
        self.bytes += len(piece.chunk.body)
        self.lines += piece.chunk.body.count(b"\n")
        self.reach(reader, done=done)

    def reach(self, reader: ChunkReader, *, done: bool) -> None:
        """Say how far a file has been read."""
        file = reader.file
        self.reached[file.key] = Offset(file.key, reader.position, file.inode, done, head=reader.head)


@dataclass(frozen=True, slots=True)
class _Rest:
    """A file that ended in something unfinished: what it was like, and since when, by a clock that can't be set."""

    state: State
    since: float


class BatchReader:
    """Reads batches; every deployment gets its turn, so that one with very much to store keeps no other waiting."""

    def __init__(self, writers: WriterWatch) -> None:
        self._writers = writers
        self._rests: dict[str, _Rest] = {}
        self._unreadable: set[str] = set()
        self._gzips: OrderedDict[str, ChunkReader] = OrderedDict()
        self._last = ""

    def read(self, files: Sequence[TelemetryFile], offsets: Mapping[str, Offset]) -> Batch | None:
        """Return what is to be stored next, of files in their order; ``None`` when there is nothing at the moment."""
        batch = Batch()
        lanes = self._order_lanes(files)
        size = max(_SHARE_BYTES, min(CHUNK_BYTES, BATCH_BYTES // max(1, len(lanes))))
        with ExitStack() as stack:
            readings = {
                name: stack.enter_context(closing(self._read_lane(lane, offsets, batch, size)))
                for name, lane in lanes.items()
            }
            turns = deque(readings.items())
            while turns and not batch.is_full:
                self._last, reading = turn = turns.popleft()
                if next(reading, None) is not None:
                    turns.append(turn)
        return batch if batch.reached else None

    def rest(self) -> None:
        """Close what is held open between two batches."""
        while self._gzips:
            _, reader = self._gzips.popitem()
            reader.close()

    def _order_lanes(self, files: Sequence[TelemetryFile]) -> dict[str, list[TelemetryFile]]:
        """Files by deployment, beginning with the one whose turn it is."""
        lanes: dict[str, list[TelemetryFile]] = {}
        for file in files:
            lanes.setdefault(file.deployment, []).append(file)
        return {name: lanes[name] for name in sorted(lanes, key=lambda name: (name <= self._last, name))}

    def _read_lane(
        self, files: Sequence[TelemetryFile], offsets: Mapping[str, Offset], batch: Batch, size: int
    ) -> Steps:
        """Add a chunk to the batch at every step."""
        for file in files:
            try:
                for _ in self._read_file(file, offsets, batch, size):
                    yield True
            except OSError as exc:
                # One file that can't be read must not keep the others; it stays behind, which the lag shows.
                if file.key not in self._unreadable:
                    logger.warning("The telemetry file %s can't be read: %s", file.path, exc)
                self._unreadable.add(file.key)

    def _read_file(self, file: TelemetryFile, offsets: Mapping[str, Offset], batch: Batch, size: int) -> Steps:
        if self._has_nothing_new(file):
            return
        known = offsets.get(file.key)
        reader = self._open(file, start_position(file, offsets), known.head if known else 0)
        if reader is None:
            return
        keep = False
        try:
            while piece := reader.read(size):
                at_end = piece.end >= file.size and not file.compressed
                batch.add(reader, piece, done=file.closed and at_end)
                keep = file.compressed
                yield True
            keep = False
            yield from self._finish(reader, batch)
        finally:
            if keep:
                self._keep(reader)
            else:
                reader.close()

    def _finish(self, reader: ChunkReader, batch: Batch) -> Steps:
        """What is to be done at the end of a file: hand over what is left of it, or wait for more."""
        file = reader.file
        is_whole = not reader.unread and not reader.torn and not reader.broken
        if not is_whole and not self._is_final(file):
            if file.compressed:
                batch.reach(reader, done=False)
            return
        self._rests.pop(file.key, None)
        for piece in (reader.read_rest(), reader.refuse_rest()):
            if piece is not None:
                batch.add(reader, piece, done=file.closed)
                yield True
        if file.compressed:
            batch.reach(reader, done=True)

    def _has_nothing_new(self, file: TelemetryFile) -> bool:
        """True when a file is as it was when its end was found unfinished, and may still be finished."""
        rest = self._rests.get(file.key)
        return rest is not None and rest.state == file.state and not self._is_final(file)

    def _is_final(self, file: TelemetryFile) -> bool:
        """True when what stands unfinished at the end of a file will not be finished any more."""
        if not file.closed:
            self._note_rest(file)
            return self._writers.has_ended(file, if_unknown=False)
        # A closed file is complete. But a copy of one may be under way.
        rested = time.monotonic() - self._note_rest(file)
        return rested >= REST_SECONDS or time.time() - file.modified >= REST_SECONDS

    def _note_rest(self, file: TelemetryFile) -> float:
        rest = self._rests.get(file.key)
        if rest is None or rest.state != file.state:
            rest = self._rests[file.key] = _Rest(file.state, time.monotonic())
        return rest.since

    def _open(self, file: TelemetryFile, position: int, head: int) -> ChunkReader | None:
        """Open a file, or go on with one: gzip can only be read from its start."""
        kept = self._gzips.pop(file.key, None)
        if kept is not None:
            if kept.position == position and kept.file.state == file.state:
                return kept
            kept.close()
        return open_reader(file, position, head)

    def _keep(self, reader: ChunkReader) -> None:
        self._gzips[reader.file.key] = reader
        while len(self._gzips) > _KEPT_READERS:
            _, oldest = self._gzips.popitem(last=False)
            oldest.close()
