"""Bodies of requests: how much of them may be in memory at once, and how slowly they may come."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, g, request

from .context import current_panel
from .limits import ByteBudget
from .pace import BYTES_A_SECOND, PATIENCE_SECONDS, Pacer
from .problems import Refused

_KEPT_IN = "mastra_admin_body"


class WatchedBody:
    """The body of a request as it is read: counted, and with a deadline that moves with what has come."""

    def __init__(self, stream: Any, sock: Any, budget: ByteBudget, pacer: Pacer) -> None:
        self._stream, self._sock, self._budget, self._pacer = stream, sock, budget, pacer
        self._started: float | None = None
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        """Read as a file does."""
        return self._watch(self._stream.read, size)

    def readline(self, size: int = -1) -> bytes:
        """Read a line as a file does."""
        return self._watch(self._stream.readline, size)

    def close(self) -> None:
        """Give back what was counted; called when the request has ended."""
        self._budget.give_back(self._count)
        self._count = 0

    def _watch(self, read: Any, size: int) -> bytes:
        now = time.monotonic()
        self._started = self._started or now
        allowed = PATIENCE_SECONDS + self._count / BYTES_A_SECOND + max(size, 0) / BYTES_A_SECOND
        if self._sock is not None:
            self._pacer.expect(self._sock, max(self._started + allowed - now, 0.0))
        try:
            data: bytes = read(size)
        finally:
            if self._sock is not None:
                self._pacer.release(self._sock)
        if not self._budget.take(len(data)):
            raise Refused(503, "busy", "Too many large requests are read at once.", hint="Send it again in a moment.")
        self._count += len(data)
        return data


def watch_bodies(app: Flask) -> None:
    """Watch the body of every request of an app."""

    @app.before_request
    def watch() -> None:
        if request.method in {"GET", "HEAD", "OPTIONS"}:
            return
        panel = current_panel()
        body = WatchedBody(
            request.environ["wsgi.input"], request.environ.get("gunicorn.socket"), panel.bodies, panel.pacer
        )
        request.environ["wsgi.input"] = body
        setattr(g, _KEPT_IN, body)

    @app.teardown_request
    def close(_: BaseException | None) -> None:
        body: WatchedBody | None = g.pop(_KEPT_IN, None)
        if body is not None:
            body.close()
