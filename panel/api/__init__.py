"""The JSON API: one blueprint for each noun; each parses, calls the SDK, and shapes."""

from __future__ import annotations

from flask import Flask

from . import builds, deployments, health, hooks, metrics, overview, projects, teams


def register(app: Flask) -> None:
    """Add the API to an app."""
    app.register_blueprint(health.blueprint)
    app.register_blueprint(hooks.blueprint)
    app.register_blueprint(metrics.blueprint)
    for noun in (overview, teams, projects, deployments, builds):
        app.register_blueprint(noun.blueprint, url_prefix="/api")
