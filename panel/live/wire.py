"""The socket under a websocket."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

_BUFFER = 256 * 1024
_MOST_PENDING = 64 * 1024


class SharedSocket:
    """A connected socket that several threads send on, without waiting for the peer and without tearing frames.

    simple-websocket's own thread answers pings and says goodbye while ours sends messages. What doesn't go out at once
    is kept, at most the rest of one message and some small frames, and goes out with the next `flush`.

    It works on a duplicate, so that closing it leaves the server's own alone. `close`, which simple-websocket calls
    when the connection has ended, tells ``on_end`` and leaves the descriptor open until `release`: others may still be
    waiting on it, and its number must not become that of another connection meanwhile.
    """

    def __init__(self, original: socket.socket) -> None:
        self._socket = original.dup()
        self._lock = threading.Lock()
        self._pending = bytearray()
        self._on_end: Callable[[], None] | None = None
        self._ended = False
        # What lies in the kernel for a viewer that doesn't read is memory too.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        with contextlib.suppress(OSError):  # not TCP
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def is_full(self) -> bool:
        """True while something waits for the peer to read."""
        return bool(self._pending)

    def send(self, data: bytes) -> int:
        """Send, or keep what doesn't go out at once.

        Raises:
            OSError: the peer is gone, or doesn't read while more and more is to be sent.
        """
        with self._lock:
            if self._pending:
                if len(data) > _MOST_PENDING or len(self._pending) > 4 * _BUFFER:
                    raise OSError("the peer doesn't read")
                self._pending += data
                self._flush()
            else:
                sent = self._send_now(data)
                if sent < len(data):
                    self._pending += memoryview(data)[sent:]
        return len(data)

    def flush(self) -> None:
        """Send what is kept, as far as the peer has room for it; an `OSError` when it is gone."""
        with self._lock:
            self._flush()

    def recv(self, size: int) -> bytes:
        """Receive as a socket does."""
        return self._socket.recv(size)

    def fileno(self) -> int:
        """Return the descriptor, for selectors."""
        return self._socket.fileno()

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call back when the connection has ended; at once if it has."""
        with self._lock:
            self._on_end = callback
        if self._ended:
            callback()

    def end(self) -> None:
        """End the connection in both directions; a thread that waits for data wakes up."""
        with contextlib.suppress(OSError):  # the peer was first
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Called when the connection has ended."""
        self._ended = True
        with self._lock:
            callback = self._on_end
        if callback:
            callback()

    def release(self) -> None:
        """Close the duplicate. Can be repeated."""
        self._socket.close()

    def _flush(self) -> None:
        while self._pending:
            sent = self._send_now(self._pending)
            if not sent:
                return
            del self._pending[:sent]

    def _send_now(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
