"""``/api/deployments``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from mastra_admin_sdk import LiveDeployment

from ..context import current_panel
from ..shapes import shape_deployment

blueprint = Blueprint("api_deployments", __name__)


@blueprint.get("/deployments")
def list_deployments() -> Response:
    """Answer the deployments of ``?project=``, or all, newest first."""
    found = current_panel().admin.deployments.list(request.args.get("project"))
    return jsonify(deployments=[_shape(item) for item in found], next=None)


def _shape(live: LiveDeployment) -> dict[str, Any]:
    return {**shape_deployment(live.record), "local_url": live.local_url}
