"""Connections to the engine or to a server: lent one at a time, made when needed, dropped after any failure."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.defines import DBMS_MIN_PROTOCOL_VERSION_WITH_PARAMETERS

from mastra_admin_sdk.errors import ForkedProcess

from .addresses import FindAddress, Role
from .embedded.settings import COLUMNS_BY_TEXT
from .parameters import Statement, encode
from .translation import translate_errors

# The driver's warnings of broken connections would be printed into notebooks and terminals: errors of ours say it all.
logging.getLogger("clickhouse_driver").addHandler(logging.NullHandler())

CONNECT_SECONDS = 10.0
_KEEP = 4


class Clients:
    """Lends connections; each to one thread at a time.

    Parameters:
        find_address: says where to connect; it starts the engine when there is none.
        timeout: seconds that a query may take.
    """

    def __init__(self, find_address: FindAddress, *, timeout: float) -> None:
        self._find_address, self._timeout = find_address, timeout
        self._idle: dict[Role, list[Client]] = {role: [] for role in Role}
        self._lock = threading.Lock()
        self._pid = os.getpid()
        # A store that nobody closed still closes its connections when it is thrown away.
        self._finalizer = weakref.finalize(self, _hang_up, self._idle, self._pid)

    @contextmanager
    def lend(self, role: Role, what: str, sql: str = "") -> Iterator[Client]:
        """Lend a connection; one that failed, also by an interrupt from the keyboard, is not used again.

        Raises:
            EngineUnavailable: nobody answers, or the connection breaks.
            QueryError: the engine refuses or fails the query.
            ForkedProcess: this object was made before a fork.
        """
        self._check_fork()
        client = self._take(role) or self._connect(role, what)
        try:
            with translate_errors(what, sql):
                yield client
        except BaseException:
            client.disconnect()
            raise
        self._give_back(role, client)

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            _hang_up(self._idle, self._pid)

    def _take(self, role: Role) -> Client | None:
        with self._lock:
            return self._idle[role].pop() if self._idle[role] else None

    def _give_back(self, role: Role, client: Client) -> None:
        with self._lock:
            if len(self._idle[role]) < _KEEP:
                self._idle[role].append(client)
                return
        client.disconnect()

    def _connect(self, role: Role, what: str) -> Client:
        address = self._find_address(role)
        ours = {"strings_as_bytes": True} if role is Role.OWNER else {}
        arguments = {
            "connect_timeout": CONNECT_SECONDS,
            "send_receive_timeout": CONNECT_SECONDS,
            "client_name": "mastra-admin",
            **address.more,
        }
        client = Client(
            address.host,
            port=address.port,
            database=address.database,
            user=address.user,
            password=address.password,
            settings={**address.settings, **ours},
            # A lost connection must be made anew here, where the listener is checked first.
            disable_reconnect=True,
            **arguments,
        )
        try:
            with translate_errors(what):
                client.connection.connect()
        except BaseException:
            client.disconnect()  # the driver leaves the socket open when the greeting is refused
            raise
        # Whoever greets is there; from now on an answer may take as long as a query. The engine ends one in time by
        # itself; this is for a server that doesn't answer any more.
        client.connection.send_receive_timeout = self._timeout + CONNECT_SECONDS
        client.connection.socket.settimeout(client.connection.send_receive_timeout)
        return client

    def _check_fork(self) -> None:
        if os.getpid() != self._pid:
            raise ForkedProcess(
                "The telemetry store was opened before this process was forked.",
                hint="Make a MastraAdmin in each process.",
            )


def _hang_up(idle: Mapping[Role, list[Client]], pid: int) -> None:
    for clients in idle.values():
        while clients:
            client = clients.pop()
            if os.getpid() == pid:  # those of a parent process are the parent's
                client.disconnect()


def make_call(client: Client, statement: Statement, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``client.execute`` and its like that run a statement with its values bound.

    The engine takes values as settings ``param_…``; servers as parameters of the query, which the driver escapes.
    """
    # The driver then reads into buffers, as Arrow wants them, instead of making an object of every value first.
    ours: dict[str, Any] = {"use_numpy": True} if statement.has_fixed_columns else {}
    if client.connection.server_info.used_revision < DBMS_MIN_PROTOCOL_VERSION_WITH_PARAMETERS:
        bound = {f"param_{name}": encode(value) for name, value in statement.values.items()}
        if statement.has_fixed_columns:
            ours[COLUMNS_BY_TEXT] = 1
        return {"query": statement.sql, "settings": {**settings, **ours, **bound}}
    values = dict(statement.values)
    return {"query": statement.sql, "params": values, "settings": {**settings, **ours, "server_side_params": True}}
