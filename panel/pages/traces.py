"""``/traces/<id>``: one trace as a waterfall."""

from __future__ import annotations

import zlib

from flask import Blueprint, Response, make_response, render_template
from markupsafe import Markup

from mastra_admin_sdk.display.pages import load_styles

from ..conditional import tag
from ..context import current_panel

blueprint = Blueprint("traces", __name__)


@blueprint.get("/traces/<trace_id>")
def show(trace_id: str) -> str:
    """Show a trace: its spans with their times, inputs, outputs and errors."""
    trace = current_panel().admin.trace(trace_id)
    # What is put into it was escaped when it was made.
    waterfall = Markup(trace.to_html(styles=False, link=False))  # noqa: S704
    return render_template("trace.html", trace=trace, waterfall=waterfall)


@blueprint.get("/display.css")
def send_styles() -> Response:
    """Send the style sheet of what notebooks show too."""
    styles = load_styles()
    answer = make_response(styles, 200, {"Content-Type": "text/css; charset=utf-8"})
    return tag(answer, f"{zlib.crc32(styles.encode()):x}")
