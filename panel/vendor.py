"""The browser libraries of the panel: they are brought from npm when it is built, and a panel without them says so."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, make_response, render_template, request

from .problems import wants_json

VENDOR = Path(__file__).parent / "static" / "vendor"


def require_libraries(app: Flask) -> None:
    """Answer pages with how to bring the libraries as long as they aren't there; the API works without."""

    @app.before_request
    def explain() -> Response | None:
        if request.endpoint == "static" or wants_json() or (VENDOR / "manifest.json").is_file():
            return None
        return make_response(render_template("unbuilt.html", folder=VENDOR), 503)
