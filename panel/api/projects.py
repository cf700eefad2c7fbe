"""``/api/projects``."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from ..context import current_panel
from ..shapes import shape_project

blueprint = Blueprint("api_projects", __name__)


@blueprint.get("/projects")
def list_projects() -> Response:
    """Answer the projects of ``?team=``, or all, newest first."""
    found = current_panel().admin.projects.list(request.args.get("team"))
    return jsonify(projects=[shape_project(item) for item in found], next=None)
