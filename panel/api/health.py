"""``/health``: is the panel there? No token, and nothing told."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def show_health() -> Response:
    """Answer that the panel runs."""
    return jsonify(ok=True)
