"""The pages: one blueprint for each noun; each calls the SDK and renders."""

from __future__ import annotations

from flask import Blueprint, Flask

from .. import plotly
from . import (
    alerts,
    builds,
    deployments,
    explorer,
    icon,
    logs,
    overview,
    projects,
    settings,
    sign_in,
    spans,
    teams,
    traces,
    usage,
)


def register(app: Flask) -> None:
    """Add the pages to an app."""
    pages = Blueprint("pages", __name__)
    for page in (
        overview,
        teams,
        projects,
        deployments,
        builds,
        traces,
        spans,
        logs,
        usage,
        alerts,
        settings,
        explorer,
        icon,
        sign_in,
    ):
        pages.register_blueprint(page.blueprint)
    app.register_blueprint(pages)
    plotly.register(app)
