"""``/``: what runs, what fails, what is being built."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template

from ..conditional import tag
from ..context import current_panel

blueprint = Blueprint("overview", __name__)


@blueprint.get("/")
def show() -> Response:
    """Show teams with their projects and deployments, and recent builds."""
    look = current_panel().glance.look()
    return tag(make_response(render_template("overview.html", state=look.document)), look.etag)
