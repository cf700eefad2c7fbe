"""``/metrics``: what Prometheus and its like collect."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request

from ..context import current_panel

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """Answer all figures of the home, in Prometheus's text format or, for who asks for it, as OpenMetrics.

    For sessions, the panel's own token, and tokens with the scope ``read`` that are for all of the home.
    """
    from ..exposition import render_metrics

    panel = current_panel()
    with panel.scraping:
        began = time.perf_counter()
        figures = panel.admin.figures()
        seconds = time.perf_counter() - began
    text, kind = render_metrics(figures, panel.requests.read(), seconds, request.headers.get("Accept", ""))
    return Response(text, content_type=kind)
