"""``/spans``: what agents did, step by step."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from mastra_admin_sdk.ports.columns import SPAN_COLUMNS

from ..context import current_panel
from ..telemetry import TYPES, answer_page, describe_list, read_list

blueprint = Blueprint("spans", __name__)

_COLUMNS = tuple(name for name in SPAN_COLUMNS if name not in {"input", "output", "attributes", "metadata"})


@blueprint.get("/spans")
def list_spans() -> Response:
    """List spans by the filters of the address."""
    found = read_list(current_panel().admin.spans, _COLUMNS)
    types = [(name, name.replace("_", " ")) for name in TYPES]
    return answer_page(render_template("spans.html", **describe_list(found), types=types), found.status)
