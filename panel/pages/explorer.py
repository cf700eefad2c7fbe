"""``/api/docs``: the API, to read and to try."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, url_for

from ..headers import HEADERS

blueprint = Blueprint("explorer", __name__)

_POLICY = "Content-Security-Policy"


@blueprint.get("/api/docs")
def show() -> Response:
    """Show all endpoints with what they take and answer; requests are sent with the session of this browser."""
    page = make_response(render_template("explorer.html", document=url_for("api_document.show_document")))
    # The library's style sheet has its arrows as data.
    page.headers[_POLICY] = HEADERS[_POLICY].replace("img-src 'self'", "img-src 'self' data:")
    return page
