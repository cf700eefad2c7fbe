"""``/api/builds``, one build, and its log."""

from __future__ import annotations

from itertools import islice

from flask import Blueprint, Response, jsonify, request

from mastra_admin_sdk.models import LogLine

from ..context import current_panel
from ..shapes import shape_build
from .parameters import read_after, read_limit

blueprint = Blueprint("api_builds", __name__)

_MOST_LINES = 10_000


@blueprint.get("/builds")
def list_builds() -> Response:
    """Answer the builds of ``?deployment=``, or all, newest first; ``?limit=`` of them."""
    found = current_panel().admin.builds.list(request.args.get("deployment"), limit=read_limit())
    return jsonify(builds=[shape_build(item.record) for item in found], next=None)


@blueprint.get("/builds/<build_id>")
def show_build(build_id: str) -> Response:
    """Answer one build."""
    return jsonify(build=shape_build(current_panel().admin.builds.get(build_id).record))


@blueprint.get("/builds/<build_id>/logs")
def list_lines(build_id: str) -> Response:
    """Answer the lines after ``?after=``, at most ``?limit=``; ``next`` is the ``after`` of the next request."""
    build = current_panel().admin.builds.get(build_id)
    after = read_after()
    lines = list(islice(build.iter_log(after), read_limit(default=1000, highest=_MOST_LINES)))
    return jsonify(
        lines=[_shape_line(line) for line in lines],
        next=lines[-1].number if lines else after,
        is_final=build.record.is_final,
    )


@blueprint.get("/builds/<build_id>/log.txt")
def send_log(build_id: str) -> Response:
    """Answer the whole log so far as plain text."""
    lines = current_panel().admin.builds.get(build_id).iter_log()
    return Response((f"{line.text}\n" for line in lines), mimetype="text/plain")


def _shape_line(line: LogLine) -> dict[str, object]:
    return {
        "number": line.number,
        "time": line.time.isoformat(timespec="milliseconds"),
        "stream": line.stream,
        "text": line.text,
    }
