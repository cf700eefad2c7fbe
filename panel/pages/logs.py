"""``/logs``: what servers and agents logged."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, render_template

from ..context import current_panel
from ..payloads import shape_line
from ..telemetry import LEVELS, answer_page, describe_list, read_list

blueprint = Blueprint("logs", __name__)


@blueprint.get("/logs")
def list_logs() -> Response:
    """List log lines by the filters of the address."""
    found = read_list(current_panel().admin.logs)
    found = replace(found, rows=[shape_line(row) for row in found.rows])
    levels = [(level, level) for level in LEVELS]
    return answer_page(render_template("logs.html", **describe_list(found), levels=levels), found.status)
