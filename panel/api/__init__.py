"""The JSON API: one blueprint for each noun; each parses, calls the SDK, and answers with models of `schemas`."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add the API to an app."""
    # Here, because the views use what is made of the schemas below this package.
    from . import (
        agents,
        alerts,
        builds,
        charts,
        deployments,
        document,
        env,
        events,
        health,
        home,
        hooks,
        logs,
        members,
        metrics,
        observability,
        overview,
        processes,
        projects,
        schedules,
        sources,
        teams,
        tokens,
    )

    app.register_blueprint(health.blueprint)
    app.register_blueprint(hooks.blueprint)
    app.register_blueprint(metrics.blueprint)
    for noun in (
        agents,
        overview,
        teams,
        projects,
        deployments,
        builds,
        logs,
        charts,
        observability,
        alerts,
        home,
        processes,
        env,
        schedules,
        sources,
        events,
        members,
        tokens,
        document,
    ):
        app.register_blueprint(noun.blueprint, url_prefix="/api")
