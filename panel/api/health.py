"""``/health``: is the panel there? ``/ready``: can it work? No token, and nothing told."""

from __future__ import annotations

import os

from flask import Blueprint, Response, jsonify, make_response

from mastra_admin_sdk.errors import MastraAdminError

from ..context import current_panel

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def show_health() -> Response:
    """Answer that the panel runs."""
    return jsonify(ok=True)


@blueprint.get("/ready")
def show_ready() -> Response:
    """Answer whether the database can be asked, with the tables of this version, and the home be written: 200 or 503.

    What is wrong isn't told here; `mastra-admin doctor` does.
    """
    checks = {"database": _asks_database(), "home": _writes_home()}
    ready = all(checks.values())
    return make_response(jsonify(ok=ready, checks=checks), 200 if ready else 503)


def _asks_database() -> bool:
    storage = current_panel().admin.storage
    try:
        # Quick when the tables are those of this version; another version's are refused.
        storage.init()
        storage.members.list(limit=1)
    except MastraAdminError:
        return False
    return True


def _writes_home() -> bool:
    home = current_panel().admin.home
    return os.access(home.run, os.W_OK) and os.access(home.path, os.W_OK)
