"""Websockets: the log of a build, line by line, until its end.

``/api/builds/<id>/logs/ws?after=<number of the last line that is known>``. Messages are JSON texts, one event each
(see `streams`); a viewer that lost its connection comes again with the number of its last line.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Flask, request
from flask_sock import Sock
from simple_websocket import ConnectionClosed

from mastra_admin_sdk.errors import MastraAdminError

from .api.parameters import read_after
from .context import Panel, current_panel
from .problems import Refused, describe_problem
from .streams import stream_build
from .wire import SharedSocket

logger = logging.getLogger(__name__)

_SOCKET_KEYS = ("gunicorn.socket", "werkzeug.socket")
_GOODBYE_SECONDS = 2.0


def register(app: Flask) -> None:
    """Add the websockets to an app."""
    sock = Sock()

    @sock.route("/api/builds/<build_id>/logs/ws")  # type: ignore[untyped-decorator]
    def follow_build_log(websocket: Any, build_id: str) -> None:
        _serve(websocket, build_id)

    sock.init_app(app)
    app.before_request(_share_socket)


def _share_socket() -> None:
    if request.url_rule is None or not request.url_rule.websocket:
        return
    for key in _SOCKET_KEYS:
        if key in request.environ:
            request.environ[key] = SharedSocket(request.environ[key])
            return


def _serve(websocket: Any, build_id: str) -> None:
    panel = current_panel()
    try:
        if not panel.viewers.acquire(blocking=False):
            raise Refused(503, "too_many_viewers", "Too many people follow logs right now.", hint="Try again later.")
        try:
            _send_events(websocket, build_id, panel)
        finally:
            panel.viewers.release()
    except MastraAdminError as exc:
        _send_problem(websocket, exc)
    except (ConnectionClosed, OSError):
        logger.debug("A viewer of build %s has gone", build_id)
    finally:
        _say_goodbye(websocket)


def _send_events(websocket: Any, build_id: str, panel: Panel) -> None:
    build = panel.admin.builds.get(build_id)
    for event in stream_build(build, read_after(), ping_seconds=panel.options.ping_seconds):
        if panel.stopping.is_set() or not websocket.connected:
            return
        if event is not None:
            websocket.send(json.dumps(event, ensure_ascii=False))


def _send_problem(websocket: Any, error: MastraAdminError) -> None:
    try:
        websocket.send(json.dumps({"type": "error", "error": describe_problem(error)}, default=str))
    except (ConnectionClosed, OSError):
        logger.debug("A viewer left before it could be told: %s", error.message)


def _say_goodbye(websocket: Any) -> None:
    """Close the connection and end its receiving thread, which would else wait for the peer's last word."""
    try:
        websocket.close()
    except (ConnectionClosed, OSError):
        logger.debug("The viewer had closed already")
    websocket.thread.join(_GOODBYE_SECONDS)
    if isinstance(websocket.sock, SharedSocket):
        websocket.sock.end()
        websocket.thread.join(_GOODBYE_SECONDS)
        websocket.sock.close()
