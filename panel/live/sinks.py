"""Where a viewer's messages go. A sink never waits: it says that it is full, and has room again some time later."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from .messages import Message
from .wire import SharedSocket

_MOST_BYTES = 256 * 1024


class Sink(ABC):
    """One connection, as the feed sees it; used by the thread of the feed."""

    @property
    @abstractmethod
    def is_full(self) -> bool:
        """True while it can't take another message."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Take a message; an `OSError` when the peer is gone."""

    @abstractmethod
    def flush(self) -> None:
        """Pass on what was taken, as far as there is room; an `OSError` when the peer is gone."""

    @abstractmethod
    def fileno(self) -> int | None:
        """Return the descriptor that becomes writable when there is room; ``None`` if the sink tells by itself."""


class SocketSink(Sink):
    """A websocket."""

    def __init__(self, wire: SharedSocket) -> None:
        self._wire = wire

    @property
    def is_full(self) -> bool:
        return self._wire.is_full

    def send(self, message: Message) -> None:
        self._wire.send(message.websocket)

    def flush(self) -> None:
        self._wire.flush()

    def fileno(self) -> int | None:
        return self._wire.fileno()


class StreamSink(Sink):
    """Server-sent events, which the thread of the request takes and sends at the pace of its viewer.

    ``on_room`` is called by that thread when there is room again.
    """

    def __init__(self) -> None:
        self.on_room: Callable[[], None] | None = None
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._changed = threading.Condition()

    @property
    def is_full(self) -> bool:
        return self._size >= _MOST_BYTES

    def send(self, message: Message) -> None:
        with self._changed:
            self._chunks.append(message.sse)
            self._size += len(message.sse)
            self._changed.notify()

    def flush(self) -> None:
        with self._changed:
            self._changed.notify()

    def fileno(self) -> int | None:
        return None

    def take(self, timeout: float) -> bytes:
        """Return what there is, waiting for it; empty after the time-out or a `flush`."""
        with self._changed:
            if not self._chunks:
                self._changed.wait(timeout)
            was_full = self.is_full
            taken = b"".join(self._chunks)
            self._chunks.clear()
            self._size = 0
        if was_full and self.on_room:
            self.on_room()
        return taken
