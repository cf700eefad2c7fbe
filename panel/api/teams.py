"""``/api/teams``."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from ..context import current_panel
from ..shapes import shape_team

blueprint = Blueprint("api_teams", __name__)


@blueprint.get("/teams")
def list_teams() -> Response:
    """Answer all teams, newest first."""
    found = current_panel().admin.teams.list()
    return jsonify(teams=[shape_team(item) for item in found], next=None)
