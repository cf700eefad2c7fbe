"""Ends requests that come too slowly: a client that drips its request would else hold a thread for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

PATIENCE_SECONDS = 20.0
"""How long a request's head may take, and its body apart from what its size allows."""
CROWD = 64
"""How many requests may be waited for with patience: the others leave the threads to those that come at once."""
CROWDED_SECONDS = 1.0
"""How long a head may take while there are so many."""
BYTES_A_SECOND = 16 * 1024
"""How slowly a body may come."""

_LOOK_SECONDS = 0.5


class Pacer:
    """Shuts sockets whose time is up for reading: who waits for data on one sees its end.

    Its thread starts with the first socket and ends with `close`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadlines: dict[int, tuple[socket.socket, float]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def expect(self, sock: socket.socket, seconds: float) -> None:
        """Give a socket so much time from now on."""
        with self._lock:
            self._deadlines[id(sock)] = (sock, self._clock() + seconds)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._watch, name="mastra-admin-pacer", daemon=True)
                self._thread.start()

    def expect_head(self, sock: socket.socket) -> None:
        """Give a socket the time that a request's head may take from now on: little while many are waited for."""
        with self._lock:
            is_crowded = len(self._deadlines) >= CROWD
        self.expect(sock, CROWDED_SECONDS if is_crowded else PATIENCE_SECONDS)

    def release(self, sock: socket.socket) -> None:
        """Expect nothing of a socket any more."""
        with self._lock:
            self._deadlines.pop(id(sock), None)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            now = self._clock()
            with self._lock:
                # Under the lock: a socket that is released meanwhile may serve its next request already.
                for key, (sock, deadline) in [*self._deadlines.items()]:
                    if deadline <= now:
                        del self._deadlines[key]
                        with contextlib.suppress(OSError):  # the client was first
                            sock.shutdown(socket.SHUT_RD)
