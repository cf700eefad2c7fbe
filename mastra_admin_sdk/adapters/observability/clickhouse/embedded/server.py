"""The engine's listener on loopback: a thread for each client, an end when nobody has asked anything for a while."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .connection import Connection, Engine
from .protocol import encode_exception

logger = logging.getLogger(__name__)

MAX_CLIENTS = 256
_LOOK_EVERY = 0.2
_TOO_MANY = 202
_JOIN_SECONDS = 10.0
_TEND_EVERY = 10.0


class Server:
    """Serves clients on a loopback port that the system chooses.

    Parameters:
        engine: what all connections share.
        idle_seconds: how long to go on without anybody asking; 0 goes on for ever.
        tend: called now and then while it serves.
    """

    def __init__(self, engine: Engine, *, idle_seconds: float, tend: Callable[[], object] = lambda: None) -> None:
        self._engine, self._idle_seconds, self._tend = engine, idle_seconds, tend
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(_LOOK_EVERY)
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._is_stopping = threading.Event()
        self._is_retiring = threading.Event()
        self._tended_at = time.monotonic()
        self._answering = 0
        self._last_seen = time.monotonic()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Serve until `stop` is called or nobody has asked for long enough; then close everything."""
        while not self._is_stopping.is_set() and not self._is_idle():
            self._tend_if_due()
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._start(connection)
        self._close()

    def stop(self) -> None:
        """Make `serve` end. May be called from a signal handler."""
        self._is_stopping.set()

    def retire(self) -> None:
        """Make `serve` end as soon as nothing is being answered. May be called from a signal handler."""
        self._is_retiring.set()

    def _tend_if_due(self) -> None:
        if time.monotonic() - self._tended_at > _TEND_EVERY:
            self._tended_at = time.monotonic()
            self._tend()

    def _start(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._clients) >= MAX_CLIENTS:
                logger.warning("%s clients are connected already; one was turned away.", MAX_CLIENTS)
                _turn_away(connection)
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve_one, args=(connection,), name="client", daemon=True)
            self._clients[connection] = thread
        thread.start()

    def _serve_one(self, connection: socket.socket) -> None:
        try:
            Connection(connection, self._engine, busy=self._busy).serve()
        except Exception:  # one broken conversation must not end the others'
            logger.exception("A conversation failed.")
        finally:
            with self._lock:
                self._clients.pop(connection, None)
            connection.close()

    @contextmanager
    def _busy(self) -> Iterator[None]:
        with self._lock:
            self._answering += 1
        try:
            yield
        finally:
            with self._lock:
                self._answering -= 1
                self._last_seen = time.monotonic()
                if self._is_retiring.is_set() and not self._answering:
                    self._is_stopping.set()

    def _is_idle(self) -> bool:
        with self._lock:
            waited = 0.0 if self._answering else time.monotonic() - self._last_seen
            is_asked = self._is_retiring.is_set() and not self._answering
        return is_asked or 0 < self._idle_seconds < waited

    def _close(self) -> None:
        self._listener.close()
        with self._lock:
            clients = list(self._clients.items())
        for connection, _ in clients:
            _hang_up(connection)
        deadline = time.monotonic() + _JOIN_SECONDS
        for _, thread in clients:
            thread.join(max(0.0, deadline - time.monotonic()))


def _turn_away(connection: socket.socket) -> None:
    try:
        connection.sendall(encode_exception(_TOO_MANY, f"{MAX_CLIENTS} clients are connected already"))
        connection.shutdown(socket.SHUT_WR)
    except OSError as exc:
        logger.debug("It could not be told: %s", exc)
    finally:
        connection.close()


def _hang_up(connection: socket.socket) -> None:
    try:
        # Not the sending side: the answer to an insert that is being written still goes out.
        connection.shutdown(socket.SHUT_RD)
    except OSError as exc:
        logger.debug("A client had hung up already: %s", exc)
