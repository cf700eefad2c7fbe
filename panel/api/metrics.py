"""``/metrics``: what Prometheus and its like collect."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request

from ..context import current_panel
from ..problems import Refused

blueprint = Blueprint("metrics", __name__)

WAIT_SECONDS = 30.0
"""How long a scrape waits for the one before it: those that come after a stuck one must not pile up."""


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """Answer all figures of the home, in Prometheus's text format or, for who asks for it, as OpenMetrics.

    For sessions, the panel's own token, and tokens with the scope ``read`` that are for all of the home.
    """
    from ..exposition import render_metrics

    panel = current_panel()
    if not panel.scraping.acquire(timeout=WAIT_SECONDS):
        raise Refused(503, "busy", "The figures are being collected for somebody else.", hint="Ask less often.")
    try:
        began = time.perf_counter()
        figures = panel.admin.figures()
        seconds = time.perf_counter() - began
    finally:
        panel.scraping.release()
    text, kind = render_metrics(figures, panel.requests.read(), seconds, request.headers.get("Accept", ""))
    return Response(text, content_type=kind)
