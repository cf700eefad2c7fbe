"""The telemetry store on ClickHouse: a server of yours, or the engine that comes with the package."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_admin_sdk.errors import EngineUnavailable, InvalidInput, ObservabilityError
from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.ports.observability import Chunk, Erasure

from .addresses import Role, check_url, find_embedded, find_server, parse_address
from .embedded.launcher import EngineLauncher, EngineOptions
from .parameters import Statement
from .reading import Answers
from .retention import Retention
from .topology import ONE_MACHINE, Topology

if TYPE_CHECKING:
    from .clients import Clients
    from .inserts import Inserter
    from .migration_lock import MigrationLock

logger = logging.getLogger(__name__)

T = TypeVar("T")

_ATTEMPTS = 4
_PAUSE_SECONDS = 0.1
_HEAL_SECONDS = 30.0
_SERVER_SETTINGS: dict[str, Any] = {
    "readonly": 1,
    # Two who write at once, or a replica that is behind, can store a row twice until parts are merged (the engine of a
    # home has one writer). Copies have the same month and the same sorting key.
    "final": 1,
    "do_not_merge_across_partitions_select_final": 1,
    "use_skip_indexes_if_final": 1,
    # On a cluster, read what was just written where it was written.
    "load_balancing": "in_order",
    # A query of somebody's own may look up in one table what it reads from another: over all shards, not each its own.
    "distributed_product_mode": "global",
}


class ClickHouseStore(Answers):
    """Stores and reads telemetry over ClickHouse's native protocol.

    Parameters:
        url: ``clickhouse://user:password@host:9000/database``; empty uses the engine of the home, started on demand.
        home: the home whose engine is used when there is no URL: a `Home` or its folder.
        memory_mb: memory that the engine may use.
        idle_seconds: seconds without a query after which the engine stops; 0 never stops it.
        retention_days: days that telemetry is kept; 0 keeps it for ever.
        retention: days of single signals that are kept longer or shorter, such as ``{"logs": 14}``; their names are
            spans, logs, metrics, scores, feedback and rejects.
        cluster: name of a cluster of the server; empty: the server is one machine.
        replicated: whether the cluster has replicas, which takes Keeper.
        timeout: seconds that a query may take.

    Example:
        >>> store = ClickHouseStore(home="/var/lib/mastra-admin")  # doctest: +SKIP
        >>> store.sql("SELECT count() FROM mastra_admin_spans")  # doctest: +SKIP
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        home: Home | Path | str | None = None,
        memory_mb: int = 1500,
        idle_seconds: float = 600.0,
        retention_days: int = 90,
        retention: Mapping[str, int] | None = None,
        cluster: str = "",
        replicated: bool = True,
        timeout: float = 300.0,
    ) -> None:
        if not url and home is None:
            raise InvalidInput(
                "A ClickHouseStore needs the URL of a server or a home folder for its own engine.",
                hint='ClickHouseStore("clickhouse://…") or ClickHouseStore(home=…).',
            )
        if cluster and not url:
            raise InvalidInput(
                f"The cluster {cluster!r} needs the URL of one of its servers.", hint="Set clickhouse_url as well."
            )
        if url:
            check_url(url)
        self._url, self._timeout = url or "", timeout
        self._retention = Retention(retention_days, retention or {})
        self._topology = Topology(cluster, replicated, parse_address(url).database) if url and cluster else ONE_MACHINE
        self._home = None if url or home is None else home if isinstance(home, Home) else open_home(home)
        options = EngineOptions(memory_mb=memory_mb, idle_seconds=idle_seconds)
        self._launcher = EngineLauncher(self._home, options) if self._home else None
        self._clients: Clients | None = None
        self._inserter: Inserter | None = None
        self._lock = threading.RLock()
        self._healed_at = float("-inf")

    @property
    def inserts_at_once(self) -> int:
        """Two with the engine of the home, whose writes stand in a row. On a server they don't: it would store both at
        the same time, and each of the two would miss what the other has."""
        return 2 if self._launcher else 1

    def init(self) -> None:
        """Create or migrate the schema."""
        with self._lock:
            if self._inserter is not None:
                return
            from .inserts import Inserter
            from .migration import Migrator
            from .migration_lock import FileMutex, TableMutex

            clients = self._open()
            lock: MigrationLock = TableMutex(clients, self._topology)
            if self._home:
                lock = FileMutex(self._home.run / "schema.lock")
            migrator = Migrator(clients, self._retention, lock, self._topology)
            self._repeat(migrator.run)
            self._inserter = Inserter(clients, migrator.run, self._topology)

    def close(self) -> None:
        """Close connections."""
        with self._lock:
            if self._clients is not None:
                self._clients.close()
            self._clients, self._inserter = None, None

    def stop(self) -> None:
        """End the engine, when it is ours."""
        self.close()
        if self._launcher is not None:
            self._launcher.stop()

    def status(self) -> Mapping[str, Any]:
        """Return what is known without starting anything.

        For the engine: ``engine``, ``running``, ``home``, and while it runs ``pid``, ``port``, ``version``,
        ``seconds`` since its start and ``memory_bytes``. For a server: ``engine``, ``running``, ``version`` or
        ``error``.
        """
        if self._launcher is not None:
            return {"engine": "embedded", **self._launcher.describe()}
        try:
            with self._open().lend(Role.READER, "Asking the server for its version") as client:
                info = client.connection.server_info
                version = f"{info.version_major}.{info.version_minor}.{info.version_patch}"
        except ObservabilityError as exc:
            return {"engine": "server", "running": False, "error": exc.message}
        return {"engine": "server", "running": True, "version": version}

    def insert(self, chunks: Sequence[Chunk]) -> None:
        """Store lines."""
        self.init()
        with self._lock:
            inserter = self._inserter
        if inserter is not None:
            self._repeat(lambda: inserter.insert(chunks))

    def tidy(self) -> None:
        """Remove open spans that have ended."""
        with self._lock:
            inserter = self._inserter
        if inserter is not None:
            self._repeat(inserter.tidy)

    def erase(self, erasure: Erasure, *, dry_run: bool = False) -> Mapping[str, int]:
        """Remove rows for good."""
        from .erasing import erase_tables

        self.init()
        return self._repeat(lambda: erase_tables(self._open(), erasure, self._topology, dry_run=dry_run))

    def describe(self) -> str:
        """Return what this is, without any password."""
        if self._home is not None:
            return f"ClickHouse engine of {self._home.path}"
        address = parse_address(self._url)
        return f"ClickHouse server at {address.host}:{address.port}/{address.database}"

    def __repr__(self) -> str:
        return f"ClickHouseStore({self.describe()})"

    def _ask(self, what: str, statement: Statement, read: Callable[[Any, dict[str, Any]], T]) -> T:
        from .clients import make_call

        self.init()

        def ask() -> T:
            with self._open().lend(Role.READER, what, statement.sql) as client:
                return read(client, make_call(client, statement, self._query_settings))

        return self._repeat(ask)

    def _stream(self, what: str, statement: Statement) -> Iterator[Any]:
        import pyarrow as pa

        from .clients import make_call

        self.init()
        # What has been handed on can't be read again: unlike others, this is tried once.
        with self._open().lend(Role.READER, what, statement.sql) as client:
            reader = client.query_arrow_stream(**make_call(client, statement, self._query_settings))
            for batch in reader:
                yield pa.Table.from_batches([batch])

    @property
    def _query_settings(self) -> dict[str, Any]:
        return {"max_execution_time": int(self._timeout)} | ({} if self._home else _SERVER_SETTINGS)

    def _open(self) -> Clients:
        from .clients import Clients

        with self._lock:
            if self._clients is None:
                find = find_embedded(self._launcher) if self._launcher else find_server(self._url)
                self._clients = Clients(find, timeout=self._timeout)
            return self._clients

    def _repeat(self, action: Callable[[], T]) -> T:
        """Do something that may be repeated; again when the engine went away meanwhile, which starts it again."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return action()
            except EngineUnavailable as exc:
                if attempt == _ATTEMPTS or not self._is_worth_repeating():
                    raise
                self._heal(exc)
                time.sleep(_PAUSE_SECONDS * attempt)
        raise AssertionError("unreachable")

    def _heal(self, error: EngineUnavailable) -> None:
        """End an engine of ours that can't read its data: the next one leaves out what is broken, and goes on."""
        from .translation import BrokenData

        with self._lock:
            is_due = time.monotonic() - self._healed_at >= _HEAL_SECONDS
            if isinstance(error, BrokenData) and is_due:
                self._healed_at = time.monotonic()
                logger.warning("The analytics engine is started anew: %s", error.message)
                self._open().close()
                if self._launcher is not None:
                    self._launcher.stop()

    def _is_worth_repeating(self) -> bool:
        # An engine of ours that was killed or stopped when idle is started again; a server may take long to come back.
        return self._launcher is not None
