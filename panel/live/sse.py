"""Server-sent events: ``/api/{builds,deployments,processes}/<id>/logs/stream``, the same events as over websockets.

A browser that lost its connection comes again with the ``Last-Event-ID`` of its last lines by itself, and is told with
204 to stay away once it has had the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from flask import Blueprint, Response, request

from ..api.schemas.logs import StreamQuery
from ..context import current_panel
from ..openapi import endpoint
from .following import FINDERS, Watch, parse_mark, take_place
from .hub import Hub, current_hub
from .sinks import StreamSink
from .sources import Source
from .viewers import Start, Viewer

blueprint = Blueprint("api_log_streams", __name__)

MEDIA = "text/event-stream"
_RETRY_MS = 1000
_WAIT_SECONDS = 0.5


@blueprint.get("/builds/<build_id>/logs/stream")
@endpoint(media=MEDIA, tag="logs", fails=[503])
def stream_build_log(build_id: str, query: StreamQuery) -> Response:
    """Follow the log of a build as server-sent events.

    ``build`` with the record at first and whenever it changes, ``log`` with lines, ``ping`` after silence, ``end`` with
    the final record. ``Last-Event-ID`` goes on where a lost connection ended.
    """
    return _stream("builds", build_id, query)


@blueprint.get("/deployments/<deployment_id>/logs/stream")
@endpoint(media=MEDIA, tag="logs", fails=[503])
def stream_deployment_log(deployment_id: str, query: StreamQuery) -> Response:
    """Follow what the server of a deployment prints as server-sent events, over restarts and redeploys.

    ``server`` says whose lines follow; line numbers begin anew with each.
    """
    return _stream("deployments", deployment_id, query)


@blueprint.get("/processes/<process_id>/logs/stream")
@endpoint(media=MEDIA, tag="logs", fails=[503])
def stream_process_log(process_id: str, query: StreamQuery) -> Response:
    """Follow what one server prints as server-sent events."""
    return _stream("processes", process_id, query)


def _stream(kind: str, reference: str, query: StreamQuery) -> Response:
    source = FINDERS[kind](reference)
    start = Start(query.after, query.tail, query.process)
    if mark := request.headers.get("Last-Event-ID", "").strip():
        start, is_ended = parse_mark(mark)
        if is_ended:
            return Response(status=204)
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(b"", mimetype=MEDIA, headers=headers)
    held = ExitStack()
    held.enter_context(take_place(current_panel()))
    response = Response(_generate(source, start, current_hub(), Watch()), mimetype=MEDIA, headers=headers)
    response.call_on_close(held.close)
    return response


def _generate(source: Source, start: Start, hub: Hub, watch: Watch) -> Iterator[bytes]:
    yield f"retry: {_RETRY_MS}\n\n".encode()
    sink = StreamSink()
    viewer = Viewer(sink, start)
    with hub.follow(source, viewer) as feed:
        sink.on_room = lambda: feed.resume(viewer)
        while True:
            # Asked first: what was sent before that is taken below.
            is_done = viewer.done.is_set()
            chunk = sink.take(0.0 if is_done else _WAIT_SECONDS)
            if chunk:
                yield chunk
            elif is_done:
                return
            watch.check(feed, viewer)
