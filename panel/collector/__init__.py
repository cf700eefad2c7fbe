"""Where apps elsewhere send their telemetry: Mastra's platform protocol, and OTLP over HTTP."""

from __future__ import annotations

from flask import Flask

from . import routes


def register(app: Flask) -> None:
    """Add the collector to an app."""
    app.register_blueprint(routes.blueprint)
