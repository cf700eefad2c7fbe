"""Puts a panel together."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from mastra_admin_sdk import MastraAdmin

from . import api, collector, live, pages
from .access import guard, is_signed_in
from .activity import ActivityBoard
from .bodies import watch_bodies
from .context import EXTENSION, Panel
from .cors import add_cors, read_origins
from .glance import Glance
from .headers import add_headers
from .navigation import list_destinations
from .options import PanelOptions
from .problems import handle_errors
from .requests import count_requests
from .sessions import PanelSessions
from .tokens import check_token, derive_session_key, load_token
from .vendor import require_libraries
from .wording import add_filters

_SESSION_DAYS = 7
_LARGEST_BODY = 1024 * 1024


def create_app(
    admin: MastraAdmin,
    *,
    token: str | None = None,
    bind: str | None = None,
    port: int | None = None,
    hosts: tuple[str, ...] = (),
    ping_seconds: float = 15.0,
) -> Flask:
    """Return the panel as a Flask app. It starts nothing: no thread, no role, no server.

    Parameters:
        admin: what it shows; the caller closes it.
        token: what opens it; that of the home (``run/panel-token``, made at first use) unless given.
        bind, port: where the server that carries it listens; the settings' ``panel_bind`` and ``panel_port`` unless
            given. Requests under other host names are refused.
        hosts: further host names it may be opened under, such as that of a proxy.
        ping_seconds: how long a websocket stays silent at most.

    Raises:
        SecretError: the token can't be read.
        InvalidInput: the token is too short to be safe, or an origin of the setting ``panel_cors_origins`` is none.
    """
    options = PanelOptions(
        token=token or load_token(admin.home),
        bind=bind if bind is not None else str(admin.settings.panel_bind),
        port=port if port is not None else int(admin.settings.panel_port),
        hosts=tuple(hosts),
        ping_seconds=ping_seconds,
        cors_origins=read_origins(admin.settings.panel_cors_origins),
    )
    check_token(options.token)
    app = Flask(__name__)
    panel = app.extensions[EXTENSION] = Panel(admin, options, Glance(admin), ActivityBoard(admin))
    _configure(app, options)
    count_requests(app, panel.requests)
    # The headers come first, so that refusals carry them too.
    add_headers(app)
    add_cors(app)
    handle_errors(app)
    guard(app)
    watch_bodies(app)
    require_libraries(app)
    add_filters(app)
    app.context_processor(lambda: {"is_signed_in": is_signed_in(), "destinations": list_destinations})
    for part in (api, collector, pages, live):
        part.register(app)
    return app


def _configure(app: Flask, options: PanelOptions) -> None:
    app.session_interface = PanelSessions()
    app.secret_key = derive_session_key(options.token)
    app.config.update(
        MAX_CONTENT_LENGTH=_LARGEST_BODY,
        PERMANENT_SESSION_LIFETIME=timedelta(days=_SESSION_DAYS),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        # Cookies don't know ports: panels of two homes on one machine would sign each other out.
        SESSION_COOKIE_NAME=f"mastra_admin_panel_{options.port}",
        SOCK_SERVER_OPTIONS={"ping_interval": options.ping_seconds, "max_message_size": 4096},
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
