"""Counts the panel's own requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask, Response, g, request

_STARTED = "mastra_admin_started"


@dataclass(frozen=True, slots=True)
class RequestKind:
    """Requests that count together: their method, the route that they matched, and the status that they got."""

    method: str
    route: str
    status: int


class RequestCounter:
    """How many requests of each kind there were, and the seconds until their answers began."""

    def __init__(self) -> None:
        self._counts: dict[RequestKind, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def add(self, kind: RequestKind, seconds: float) -> None:
        """Count a request."""
        with self._lock:
            count, total = self._counts.get(kind, (0, 0.0))
            self._counts[kind] = (count + 1, total + seconds)

    def read(self) -> Mapping[RequestKind, tuple[int, float]]:
        """Return count and seconds by kind."""
        with self._lock:
            return dict(self._counts)


def count_requests(app: Flask, counter: RequestCounter) -> None:
    """Count every request of an app, refused ones too."""

    @app.before_request
    def note_start() -> None:
        setattr(g, _STARTED, time.perf_counter())

    @app.after_request
    def count(response: Response) -> Response:
        # Not the path: whoever makes up paths would make up kinds.
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in _METHODS else "other"
        seconds = time.perf_counter() - getattr(g, _STARTED, time.perf_counter())
        counter.add(RequestKind(method, route, response.status_code), seconds)
        return response


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
