"""``/api/builds`` and one build; `logs` has its log."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from ..context import current_panel
from ..shapes import shape_build
from .parameters import read_limit

blueprint = Blueprint("api_builds", __name__)


@blueprint.get("/builds")
def list_builds() -> Response:
    """Answer the builds of ``?deployment=``, or all, newest first; ``?limit=`` of them."""
    found = current_panel().admin.builds.list(request.args.get("deployment"), limit=read_limit())
    return jsonify(builds=[shape_build(item.record) for item in found], next=None)


@blueprint.get("/builds/<build_id>")
def show_build(build_id: str) -> Response:
    """Answer one build."""
    return jsonify(build=shape_build(current_panel().admin.builds.get(build_id).record))
