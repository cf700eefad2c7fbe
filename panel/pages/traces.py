"""``/traces``: what agents did, a row a trace; ``/traces/<id>``: one of them as a waterfall, with a span beside it."""

from __future__ import annotations

import zlib

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from mastra_admin_sdk.display.pages import load_styles
from mastra_admin_sdk.display.rows import ROW_FIELDS, find_end_ms, list_trace_rows
from mastra_admin_sdk.display.text import format_bytes
from mastra_admin_sdk.errors import NotFound

from ..conditional import tag
from ..context import current_panel
from ..lookup import find_trace
from ..payloads import clean_lines
from ..problems import Refused
from ..spandetail import FIELDS, describe_span, describe_trace, pick_span
from ..telemetry import answer_page, describe_list, read_list

blueprint = Blueprint("traces", __name__)

_SHOWN_LOGS = 300
_LARGEST_FILE = 512 * 1024 * 1024


@blueprint.get("/traces")
def list_traces() -> Response:
    """List traces by the filters of the address."""
    found = read_list(current_panel().admin.traces)
    return answer_page(render_template("traces.html", **describe_list(found)), found.status)


@blueprint.get("/traces/<trace_id>")
def show(trace_id: str) -> Response:
    """Show a trace: its spans in their times, beside them the one that ``?span=`` names, and what was logged."""
    trace = find_trace(trace_id)
    node = pick_span(trace, request.args.get("span"))
    page = render_template(
        "trace.html", **describe_trace(trace, most_logs=_SHOWN_LOGS), span=describe_span(trace, node) if node else None
    )
    return answer_page(page)


@blueprint.get("/traces/<trace_id>/rows")
def send_rows(trace_id: str) -> Response:
    """Send the rows of the waterfall, which the page's script draws."""
    trace = find_trace(trace_id)
    roots = trace.tree.roots
    answer = jsonify(
        fields=ROW_FIELDS, rows=list_trace_rows(roots), end_ms=find_end_ms(roots), is_running=trace.duration_ms is None
    )
    return tag(answer, f"{zlib.crc32(answer.get_data()):x}")


@blueprint.get("/traces/<trace_id>/spans/<span_id>")
def show_span(trace_id: str, span_id: str) -> Response:
    """Send what the page of a trace has beside the waterfall, for one span."""
    trace = find_trace(trace_id)
    return answer_page(render_template("span.html", span=describe_span(trace, trace.tree[span_id])))


@blueprint.get("/traces/<trace_id>/spans/<span_id>/<field>")
def send_text(trace_id: str, span_id: str, field: str) -> Response:
    """Send the whole of a long input, output or the like, as text."""
    if field not in FIELDS:
        raise NotFound(f"A span has no {field[:40]!r} that could be shown.")
    text = str(find_trace(trace_id).tree[span_id].span.get(field) or "")
    return make_response(clean_lines(text, len(text)), 200, {"Content-Type": "text/plain; charset=utf-8"})


@blueprint.get("/traces/<trace_id>/download")
def download(trace_id: str) -> Response:
    """Send a trace as the JSON file that `Trace.from_json` reads."""
    trace = find_trace(trace_id)
    text = trace.to_json(indent=1)
    if len(text) > _LARGEST_FILE:
        size = format_bytes(len(text))
        raise Refused(413, "too_large", f"This trace is {size} as JSON.", hint="Use admin.trace(id).to_json().")
    name = "".join(char for char in trace.id[:64] if char.isalnum()) or "trace"
    headers = {"Content-Type": "application/json", "Content-Disposition": f'attachment; filename="trace-{name}.json"'}
    return make_response(text, 200, headers)


@blueprint.get("/display.css")
def send_styles() -> Response:
    """Send the style sheet of what notebooks show too."""
    styles = load_styles()
    answer = make_response(styles, 200, {"Content-Type": "text/css; charset=utf-8"})
    return tag(answer, f"{zlib.crc32(styles.encode()):x}")
