"""``/favicon.ico``: browsers ask for it where no page names an icon, such as beside a log as text."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

blueprint = Blueprint("icon", __name__)


@blueprint.get("/favicon.ico")
def show() -> Response:
    """Send to the icon that pages name."""
    return redirect(url_for("static", filename="icon.svg"), 301)
