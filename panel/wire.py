"""The socket under a websocket."""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import threading

_SEND_SECONDS = 30.0


class SharedSocket:
    """A connected socket that several threads may send on, without tearing each other's frames.

    simple-websocket sends with one ``send`` from two threads (ours with messages, its own with pings) and looks
    neither at how much of it went out nor at who else is sending. Here ``send`` sends all, one caller at a time, and
    gives up on a peer that doesn't read. It works on a duplicate, so that closing it leaves the server's own alone.
    """

    def __init__(self, original: socket.socket, send_seconds: float = _SEND_SECONDS) -> None:
        self._socket = original.dup()
        self._lock = threading.Lock()
        fraction, whole = math.modf(send_seconds)
        # A time-out of Python's own would make the socket non-blocking, for the receiving thread too.
        limit = struct.pack("@ll", int(whole), int(fraction * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def send(self, data: bytes) -> int:
        """Send all of it; an `OSError` when the peer is gone or doesn't read."""
        with self._lock:
            self._socket.sendall(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        """Receive as a socket does."""
        return self._socket.recv(size)

    def fileno(self) -> int:
        """Return the descriptor, for selectors."""
        return self._socket.fileno()

    def end(self) -> None:
        """End the connection in both directions; a thread that waits for data wakes up."""
        with contextlib.suppress(OSError):  # the peer was first
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the duplicate. Can be repeated."""
        self._socket.close()
