"""One migrator at a time: a locked file in a home, a table on a server."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from mastra_admin_sdk.errors import EngineUnavailable, ObservabilityError, QueryError

from . import schema
from .addresses import Role
from .clients import Clients
from .topology import Topology, quote
from .translation import TIMEOUT

logger = logging.getLogger(__name__)

LOCK_SECONDS = 120.0
STALE_SECONDS = 600
"""A table of a migrator that hasn't shown for so long is nobody's."""

_PAUSE_SECONDS = 0.2
_RENEW_SECONDS = 60.0
_WHAT = "Preparing the telemetry store"
_ALREADY_EXISTS = 57


_SETTINGS: Mapping[str, Any] = {
    # What is written down about the schema is on its shard when the insert returns.
    "distributed_foreground_insert": 1,
    # Every node has to have done it; one that is away is named in the error.
    "distributed_ddl_task_timeout": 120,
}


def define(clients: Clients, topology: Topology, sql: str, **settings: Any) -> None:
    """Run a statement that changes the schema, on every node of a cluster.

    Raises:
        EngineUnavailable: it isn't known to have ended on every node.
    """
    try:
        with clients.lend(Role.OWNER, _WHAT, sql) as client:
            client.execute(sql, settings={**_SETTINGS, **settings} if topology.cluster else None)
    except QueryError as exc:
        if topology.cluster and exc.evidence.get("code") == TIMEOUT:
            raise EngineUnavailable(
                f"{_WHAT} didn't end on every node of the cluster {topology.cluster}: {exc.message}",
                hint="See which node is away (SELECT host, exception_text FROM system.distributed_ddl_queue "
                "WHERE status != 'Finished'), and try again; what is done already is left as it is.",
            ) from exc
        raise


class MigrationLock(Protocol):
    """Held while the schema changes."""

    def hold(self) -> AbstractContextManager[None]:
        """Wait for the lock and hold it.

        Raises:
            EngineUnavailable: somebody else has held it for too long.
        """

    def renew(self) -> None:
        """Show that the holder lives; called between statements."""


class FileMutex:
    """A locked file, for the engine of a home.

    Parameters:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the file's lock and hold it."""
        try:
            with FileLock(self._path, timeout=LOCK_SECONDS):
                yield
        except Timeout as exc:
            raise _make_error(f"See who holds {self._path}.") from exc

    def renew(self) -> None:
        """Do nothing: the system frees the file of a process that ends."""


class TableMutex:
    """A table that only one can make, for a server or a cluster, where no file is common to all.

    Its comment says who made it, and when it last changed that its maker still lives.

    Parameters:
        clients: connections of the store.
        topology: one server, or a cluster: there the order of Keeper's queue says who was first, on every node.
    """

    def __init__(self, clients: Clients, topology: Topology) -> None:
        self._clients, self._topology = clients, topology
        self._holder = f"{socket.gethostname()}, process {os.getpid()}, {secrets.token_hex(4)}"
        self._renewed_at = 0.0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait until the table can be made; it is removed afterwards."""
        deadline = time.monotonic() + LOCK_SECONDS
        while not self._make():
            holder, age = self._look()
            if age > STALE_SECONDS:
                define(self._clients, self._topology, self._drop())
            elif time.monotonic() > deadline:
                raise _make_error(f"It is {holder}. If it is gone: {self._drop()}")
            time.sleep(_PAUSE_SECONDS)
        try:
            yield
        finally:
            self._release()

    def renew(self) -> None:
        """Change the comment of the table, now and then."""
        if time.monotonic() - self._renewed_at > _RENEW_SECONDS:
            sql = f"ALTER TABLE {self._name()} MODIFY COMMENT {quote(self._holder)}"
            define(self._clients, self._topology, sql)
            self._renewed_at = time.monotonic()

    def _make(self) -> bool:
        # Without IF NOT EXISTS: whoever comes second is told so.
        sql = f"CREATE TABLE {self._name()} (nothing UInt8) ENGINE = Null COMMENT {quote(self._holder)}"
        try:
            define(self._clients, self._topology, sql)
        except QueryError as exc:
            if exc.evidence.get("code") != _ALREADY_EXISTS:
                raise
            return False
        except EngineUnavailable:
            self._give_up()
            raise
        self._renewed_at = time.monotonic()
        return True

    def _give_up(self) -> None:
        """Have the table removed, on nodes that are away when they are back; nobody waits for that."""
        try:
            define(self._clients, self._topology, self._drop(), distributed_ddl_task_timeout=0)
        except ObservabilityError as exc:
            logger.info("%s is left behind: %s", schema.LOCK_TABLE, exc.message)

    def _look(self) -> tuple[str, int]:
        """Return who holds the table and for how many seconds it hasn't changed; nobody and 0 when it is gone."""
        sql = (
            "SELECT comment, dateDiff('second', metadata_modification_time, now()) FROM system.tables "
            f"WHERE database = currentDatabase() AND name = '{schema.LOCK_TABLE}'"
        )
        with self._clients.lend(Role.OWNER, _WHAT, sql) as client:
            rows = client.execute(sql)
        if not rows:
            return "nobody any more", 0
        comment, age = rows[0]
        return comment.decode(errors="replace") if isinstance(comment, bytes) else str(comment), int(age)

    def _release(self) -> None:
        try:
            define(self._clients, self._topology, self._drop())
        except EngineUnavailable as exc:
            # Whoever comes next takes over when the table has become stale.
            logger.warning("%s is left behind for up to %s s: %s", schema.LOCK_TABLE, STALE_SECONDS, exc.message)

    def _name(self) -> str:
        return f"{schema.LOCK_TABLE}{self._topology.on_cluster}"

    def _drop(self) -> str:
        return f"DROP TABLE IF EXISTS {self._name()} SYNC"


def _make_error(hint: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"Another process has been preparing the telemetry store for more than {LOCK_SECONDS:.0f} s.", hint=hint
    )
