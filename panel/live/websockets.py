"""Websockets: ``/api/{builds,deployments,processes}/<id>/logs/ws``.

``?after=<number of the last line that is known>``, or ``?tail=N`` to begin N lines before the end. Messages are JSON
texts, one event each: ``build`` or ``server`` with the record at first and whenever it changes, ``log`` with lines
``[number, time, stream, text]``, ``ping`` after silence, ``end`` with the final record, ``error``. A viewer that lost
its connection comes again with the number of its last line, and of a deployment also with ``process=<id>`` of the
``server`` event that came before that line.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Flask, request
from flask_sock import Sock
from simple_websocket import ConnectionClosed
from wsproto.frame_protocol import CloseReason

from mastra_admin_sdk.errors import MastraAdminError

from ..context import current_panel
from ..problems import describe_problem
from .following import FINDERS, Watch, read_start, take_place
from .hub import current_hub
from .sinks import SocketSink
from .viewers import Viewer
from .wire import SharedSocket

logger = logging.getLogger(__name__)

_SOCKET_KEYS = ("gunicorn.socket", "werkzeug.socket")
_GOODBYE_SECONDS = 2.0
_LOOK_SECONDS = 5.0


def register(app: Flask) -> None:
    """Add the websockets to an app."""
    sock = Sock()

    @sock.route("/api/builds/<build_id>/logs/ws")  # type: ignore[untyped-decorator]
    def follow_build_log(websocket: Any, build_id: str) -> None:
        _serve(websocket, "builds", build_id)

    @sock.route("/api/deployments/<deployment_id>/logs/ws")  # type: ignore[untyped-decorator]
    def follow_deployment_log(websocket: Any, deployment_id: str) -> None:
        _serve(websocket, "deployments", deployment_id)

    @sock.route("/api/processes/<process_id>/logs/ws")  # type: ignore[untyped-decorator]
    def follow_process_log(websocket: Any, process_id: str) -> None:
        _serve(websocket, "processes", process_id)

    sock.init_app(app)
    app.before_request(_prepare)


def _prepare() -> None:
    if request.url_rule is None or not request.url_rule.websocket:
        return
    # Compression would be done for each viewer anew.
    request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    for key in _SOCKET_KEYS:
        if key in request.environ:
            request.environ[key] = SharedSocket(request.environ[key])
            return


def _serve(websocket: Any, kind: str, reference: str) -> None:
    reason = CloseReason.NORMAL_CLOSURE
    try:
        with take_place(current_panel()):
            if _follow(websocket, kind, reference).is_going_away:
                reason = CloseReason.GOING_AWAY
    except MastraAdminError as exc:
        _send_problem(websocket, exc)
    except (ConnectionClosed, OSError):
        logger.debug("A viewer of %s %s has gone", kind, reference)
    finally:
        _say_goodbye(websocket, reason)


def _follow(websocket: Any, kind: str, reference: str) -> Viewer:
    source, watch = FINDERS[kind](reference), Watch()
    viewer = Viewer(SocketSink(websocket.sock), read_start())
    websocket.sock.when_ended(viewer.done.set)
    with current_hub().follow(source, viewer) as feed:
        while not viewer.done.wait(_LOOK_SECONDS):
            watch.check(feed, viewer)
            if not websocket.thread.is_alive():
                break
    return viewer


def _send_problem(websocket: Any, error: MastraAdminError) -> None:
    try:
        websocket.send(json.dumps({"type": "error", "error": describe_problem(error)}, default=str))
    except (ConnectionClosed, OSError):
        logger.debug("A viewer left before it could be told: %s", error.message)


def _say_goodbye(websocket: Any, reason: CloseReason) -> None:
    """Close the connection and end its receiving thread, which would else wait for the peer's last word."""
    try:
        websocket.close(reason)
    except (ConnectionClosed, OSError):
        logger.debug("The viewer had closed already")
    websocket.thread.join(_GOODBYE_SECONDS)
    if isinstance(websocket.sock, SharedSocket):
        websocket.sock.end()
        websocket.thread.join(_GOODBYE_SECONDS)
        websocket.sock.release()
