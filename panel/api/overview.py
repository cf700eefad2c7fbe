"""``/api/overview``: the state of everything, with an ETag."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from ..conditional import tag
from ..context import current_panel

blueprint = Blueprint("api_overview", __name__)


@blueprint.get("/overview")
def show_overview() -> Response:
    """Answer teams, projects, deployments, recent builds and what runs them; 304 when nothing has changed."""
    look = current_panel().glance.look()
    return tag(jsonify(look.document), look.etag)
