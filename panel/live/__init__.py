"""Logs as they are written: one reader for each log, however many look on, over websockets and server-sent events."""

from __future__ import annotations

from flask import Flask

from ..context import EXTENSION as PANEL
from . import hub, sse, websockets


def register(app: Flask) -> None:
    """Add the streams to an app."""
    app.extensions[hub.EXTENSION] = hub.make_hub(app.extensions[PANEL])
    websockets.register(app)
    app.register_blueprint(sse.blueprint, url_prefix="/api")


__all__ = ["register"]
