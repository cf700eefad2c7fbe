"""Plotly's script, out of the installed package, at an address that changes with its version."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, abort, request, url_for

from mastra_admin_sdk.display.charts.script import find_script, pack_script

blueprint = Blueprint("plotly", __name__)

_YEAR = 365 * 24 * 3600


def register(app: Flask) -> None:
    """Add the script to an app, and what its templates need to bring it."""
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(plotly_url=_find_url, plotly_style_ids=_list_style_ids)


@blueprint.get("/plotly/<version>/plotly.min.js")
def send_script(version: str) -> Response:
    """Send the script, compressed for who takes it so; browsers keep it for good."""
    script = find_script()
    if version != script.version:
        abort(404)
    is_packed = bool(request.accept_encodings["gzip"])
    answer = Response(pack_script() if is_packed else script.read(), mimetype="text/javascript")
    if is_packed:
        answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Vary"] = "Accept-Encoding"
    answer.headers["Cache-Control"] = f"private, max-age={_YEAR}, immutable"
    return answer


def _find_url() -> str:
    return url_for("plotly.send_script", version=find_script().version)


def _list_style_ids() -> tuple[str, ...]:
    return find_script().style_ids
