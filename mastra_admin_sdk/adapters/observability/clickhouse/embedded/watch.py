"""Looks after running queries: ends those whose client has gone, gave up, or whose time is over."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from .protocol import ClientPacket
from .sessions import EngineError

logger = logging.getLogger(__name__)

_INTERVAL = 0.05


class Ended(StrEnum):
    """Why a query was ended before its time."""

    GONE = "its client has gone"
    CANCELLED = "its client gave up"
    TIMEOUT = "its time was over"
    KILLED = "it was killed"


@dataclass(slots=True)
class Running:
    """One query that runs. ``mark`` is in its text, so that it can be found and ended."""

    mark: str
    connection: socket.socket
    deadline: float | None
    query_id: str = ""
    """What its client called it; empty when it has no name."""
    ended: Ended | None = None


class Watch:
    """Watches running queries in a thread of its own; `close` joins it.

    Parameters:
        kill: ends the query with a mark.
    """

    def __init__(self, kill: Callable[[str], None]) -> None:
        self._kill = kill
        self._running: list[Running] = []
        self._changed = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    @contextmanager
    def watch(
        self, mark: str, connection: socket.socket, seconds: float | None, query_id: str = ""
    ) -> Iterator[Running]:
        """Watch a query while it runs here."""
        running = Running(mark, connection, time.monotonic() + seconds if seconds else None, query_id)
        with self._changed:
            self._running.append(running)
            self._changed.notify()
        try:
            yield running
        finally:
            with self._changed:
                self._running.remove(running)

    def end(self, query_id: str) -> list[str]:
        """End the queries that their clients gave this id; return their marks."""
        with self._changed:
            found = [query for query in self._running if query.query_id == query_id and query.ended is None]
            for query in found:
                query.ended = Ended.KILLED
        return [query.mark for query in found]

    def close(self) -> None:
        """Stop watching."""
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over:
            with self._changed:
                self._changed.wait_for(lambda: self._running or self._is_over)
                running = list(self._running)
            for query in running:
                self._look_at(query)
            time.sleep(_INTERVAL)

    def _look_at(self, query: Running) -> None:
        query.ended = query.ended or _find_end(query)
        if query.ended is None:
            return
        try:
            # Again and again until it is gone: a query that had not begun when it was killed begins all the same.
            self._kill(query.mark)
        except EngineError as exc:
            logger.warning("A query could not be ended: %s", exc.message)


def _find_end(query: Running) -> Ended | None:
    if query.deadline is not None and time.monotonic() > query.deadline:
        return Ended.TIMEOUT
    try:
        readable, _, _ = select.select([query.connection], [], [], 0)
        if not readable:
            return None
        waiting = query.connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):  # closed meanwhile
        return Ended.GONE
    if not waiting:
        return Ended.GONE
    return Ended.CANCELLED if waiting[0] == ClientPacket.CANCEL else None
