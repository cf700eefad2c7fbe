"""Chunks of lines into the store: in batches, repeated when the engine went away, halved when it refuses one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mastra_admin_sdk.errors import EngineUnavailable, QueryError
from mastra_admin_sdk.ports.observability import Chunk, Stream

from . import schema
from .addresses import Role
from .clients import Clients
from .topology import ONE_MACHINE, Topology
from .translation import MEMORY_LIMIT, NO_SCHEMA, PASSING

logger = logging.getLogger(__name__)

BATCH_BYTES = 64 * 1024 * 1024
"""Lines of so many bytes go in at once: enough that planning the views costs little, and memory stays bounded."""

PURGE_SECONDS = 30.0
CLUSTER_PURGE_SECONDS = 600.0
"""On a cluster it takes a turn of Keeper's queue, and rewrites parts on every replica."""

_BIG_LINE = 1024 * 1024
_KEPT_BYTES = 64 * 1024

# The engine has these for all inserts; a server gets them with each. A chunk must be stored when it is acknowledged,
# go through the views as one block, and may hold spans of any number of months.
_SETTINGS = {
    "async_insert": 0,
    "max_partitions_per_insert_block": 0,
    "max_block_size": 100_000_000,
    "min_insert_block_size_rows": 100_000_000,
    "min_insert_block_size_bytes": 4_000_000_000,
    "max_joined_block_size_rows": 100_000_000,
    "optimize_on_insert": 0,
}
_CLUSTER_SETTINGS = {
    **_SETTINGS,
    # Acknowledged means that the rows are on their shards, not in a queue of the node that took the chunk.
    "distributed_foreground_insert": 1,
    # What was written is looked up on the replica that took it, as long as that one is there.
    "load_balancing": "in_order",
}
# Open and finished spans of a trace are on one shard; and what decides is the same on each of its replicas.
_PURGE_SETTINGS = {"distributed_product_mode": "local", "allow_nondeterministic_mutations": 1}


class Inserter:
    """Inserts chunks; what the store can't take, line by line, becomes a reject.

    Parameters:
        clients: connections of the store.
        prepare: sees that the schema is there; called when an insert doesn't find it.
        topology: one machine or a cluster.
    """

    def __init__(self, clients: Clients, prepare: Callable[[], None], topology: Topology = ONE_MACHINE) -> None:
        self._clients, self._prepare, self._topology = clients, prepare, topology
        self._settings = _CLUSTER_SETTINGS if topology.cluster else _SETTINGS
        self._purge_seconds = CLUSTER_PURGE_SECONDS if topology.cluster else PURGE_SECONDS
        self._lock = threading.Lock()
        self._purged_at = time.monotonic()
        self._has_inserted = True  # another process may have, before this one

    def insert(self, chunks: Sequence[Chunk]) -> None:
        """Insert chunks of lines; see `ObservabilityStore.insert`."""
        for batch in make_batches([chunk for chunk in chunks if not chunk.reason]):
            self._insert(batch)
        if refused := [chunk for chunk in chunks if chunk.reason]:
            self._record(refused)
        self._has_inserted = True
        self._purge_if_due()

    def tidy(self) -> None:
        """Purge, unless nothing was inserted since that was done."""
        if self._has_inserted:
            self.purge()

    def _insert(self, batch: Sequence[Chunk]) -> None:
        try:
            self._send(batch)
        except QueryError as exc:
            code = int(exc.evidence.get("code", 0))
            if code in NO_SCHEMA:
                self._prepare()
            if code in PASSING or code in NO_SCHEMA:
                raise EngineUnavailable(exc.message, hint="Try again later; nothing is lost.") from exc
            parts = halve(batch)
            if parts is None:
                self._reject(batch[0], exc, code)
                return
            for part in parts:
                self._insert(part)

    def _send(self, batch: Sequence[Chunk]) -> None:
        table = schema.LANDING_TABLES[batch[0].stream]
        # `ready` is there once all views are (see `schema.READY_COLUMN`).
        sql = f"INSERT INTO {table} (path, position, body, {schema.READY_COLUMN}) VALUES"
        rows = [(chunk.path.encode("utf-8", "surrogateescape"), chunk.position, chunk.body, 1) for chunk in batch]
        with self._clients.lend(Role.OWNER, "Storing telemetry", sql) as client:
            client.execute(sql, rows, settings=self._settings)

    def _reject(self, chunk: Chunk, error: QueryError, code: int) -> None:
        if code == MEMORY_LIMIT and len(chunk.body) < _BIG_LINE:
            # A line of this size fits by itself: something else uses the memory at the moment.
            raise EngineUnavailable(error.message, hint="Try again when big queries have ended.") from error
        logger.warning("A line at %s:%s was refused: %s", chunk.path, chunk.position, error.message)
        self._record([replace(chunk, reason=f"refused by the engine (code {code})")])

    def _record(self, refused: Sequence[Chunk]) -> None:
        sql = f"INSERT INTO {schema.REFUSED_TABLE} (stream, path, position, reason, line) VALUES"
        with self._clients.lend(Role.OWNER, "Recording refused lines", sql) as client:
            client.execute(sql, [_make_refusal(chunk) for chunk in refused], settings=self._settings)

    def _purge_if_due(self) -> None:
        with self._lock:
            is_due = time.monotonic() - self._purged_at >= self._purge_seconds
        if is_due:
            self.purge()

    def purge(self) -> None:
        """Remove open spans that have ended meanwhile: no read shows them, but every read has to look at them."""
        settings = _PURGE_SETTINGS if self._topology.cluster else None
        with self._lock:
            self._purged_at, self._has_inserted = time.monotonic(), False
        with self._clients.lend(Role.OWNER, "Tidying open spans", schema.count_ended()) as client:
            ((count,),) = client.execute(schema.count_ended(), settings=settings)
            if count:
                client.execute(schema.purge_ended(self._topology), settings=settings)


def _make_refusal(chunk: Chunk) -> tuple[bytes, bytes, int, bytes, bytes]:
    path = chunk.path.encode("utf-8", "surrogateescape")
    return chunk.stream.encode(), path, chunk.position, chunk.reason.encode(), chunk.body.rstrip(b"\n")[:_KEPT_BYTES]


def make_batches(chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
    """Yield chunks of one stream, in their order, about `BATCH_BYTES` at a time; empty ones are left out."""
    for stream in Stream:
        batch: list[Chunk] = []
        size = 0
        for chunk in chunks:
            if chunk.stream is not stream or not chunk.body:
                continue
            if batch and size + len(chunk.body) > BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(chunk)
            size += len(chunk.body)
        if batch:
            yield batch


def halve(batch: Sequence[Chunk]) -> tuple[list[Chunk], list[Chunk]] | None:
    """Return both halves of a batch, cut between chunks or between lines; ``None`` for a single line."""
    if len(batch) > 1:
        middle = len(batch) // 2
        return list(batch[:middle]), list(batch[middle:])
    chunk = batch[0]
    cut = _find_cut(chunk.body)
    if cut is None:
        return None
    first = Chunk(chunk.stream, chunk.body[:cut], chunk.path, chunk.position)
    second = Chunk(chunk.stream, chunk.body[cut:], chunk.path, chunk.position + cut)
    return [first], [second]


def _find_cut(body: bytes) -> int | None:
    """Return a place after a line end, near the middle, with lines on both sides of it."""
    middle = len(body) // 2
    for found in (body.find(b"\n", middle), body.rfind(b"\n", 0, middle)):
        if 0 <= found < len(body) - 1:
            return found + 1
    return None
