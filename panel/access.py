"""Who may talk to the panel: Host, Origin, and a token that becomes a session.

The printed link carries the token once; it becomes a cookie (HttpOnly, SameSite=Strict) and leaves the address.
Programs send ``Authorization: Bearer <token>``.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Flask, Response, make_response, redirect, render_template, request, session
from werkzeug.wrappers import Response as AnyResponse

from mastra_admin_sdk.models import TokenScope

from .context import current_panel
from .hosts import is_allowed_host, is_same_origin
from .problems import Refused, wants_json
from .tokens import is_token

_OPEN_ENDPOINTS = frozenset({"static", "health.show_health", "pages.sign_in.show", "pages.sign_in.sign_in"})
_HOOKS = "hooks.receive"
_COLLECTOR = "collector"
_METRICS = "metrics.show_metrics"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SIGNED_IN = "signed_in"


def guard(app: Flask) -> None:
    """Check every request of an app before its view sees it."""

    @app.before_request
    def check() -> AnyResponse | None:
        if request.endpoint == _HOOKS or request.blueprint == _COLLECTOR:
            # Its sender is no browser, comes under the name of a tunnel or proxy, and proves itself with another
            # secret. No session is looked at.
            return None
        if request.endpoint == _METRICS and _may_scrape():
            return None
        _check_host()
        bearer = _is_bearer()
        _check_origin(bearer)
        if bearer or request.endpoint in _OPEN_ENDPOINTS:
            return None
        given = request.args.get("token")
        if given is not None and request.method == "GET" and not wants_json():
            return _enter_by_link(given)
        return None if is_signed_in() else _ask_to_sign_in()


def is_signed_in() -> bool:
    """True when the request carries a session."""
    return session.get(_SIGNED_IN) is True


def open_session(token: str) -> bool:
    """Start a session if the token is right."""
    if not is_token(token, current_panel().options.token):
        return False
    session.clear()
    session[_SIGNED_IN] = True
    return True


def close_session() -> None:
    """End the session of this browser."""
    session.clear()


def local_path(path: str) -> str:
    """Return a path that stays on this panel: ``//elsewhere`` would leave it.

    Browsers drop tabs and line ends from an address and take backslashes for slashes, so both are mended first.
    """
    clean = "".join(char for char in path if char > " " and char != "\x7f")
    return "/" + clean.replace("\\", "/").lstrip("/")


def _check_host() -> None:
    options = current_panel().options
    # The header itself: what Werkzeug makes of it isn't what a browser would compare.
    header = request.headers.get("Host", "")
    if not is_allowed_host(header, bind=options.bind, port=options.port, names=options.hosts):
        raise Refused(
            403,
            "host_not_allowed",
            "The panel doesn't answer under this host name.",
            hint="Open it by the address it printed, or start it with --host-name for the name you use.",
        )


def _check_origin(bearer: bool) -> None:
    """Pages of others may neither change anything nor open a websocket.

    Browsers send Origin with both; a program with a token of its own need not.
    """
    is_websocket = request.headers.get("Upgrade", "").lower() == "websocket"
    if request.method in _SAFE_METHODS and not is_websocket:
        return
    origin = request.headers.get("Origin")
    if origin is None and bearer:
        return
    if origin is None or not is_same_origin(origin, request.headers.get("Host", "")):
        raise Refused(
            403,
            "origin_not_allowed",
            "This request came from a page that isn't the panel's.",
            hint="Use the panel's own pages, or send the token as a Bearer header without Origin.",
        )


def _is_bearer() -> bool:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return False
    if is_token(given.strip(), current_panel().options.token):
        return True
    raise Refused(401, "unauthorized", "The token isn't valid.", hint="The panel's token file holds the current one.")


def _may_scrape() -> bool:
    """True for a program with a token of its own: no page of a stranger knows one, whatever name it comes under."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or is_token(given.strip(), current_panel().options.token):
        return False
    token = current_panel().admin.tokens.authenticate(given.strip())
    if not {TokenScope.READ, TokenScope.ADMIN} & {*token.scopes} or token.team_id or token.project_id:
        raise Refused(
            403,
            "forbidden",
            f"The token {token.name!r} isn't for the figures of the whole home.",
            hint='Make one with admin.tokens.create("prometheus", scopes=["read"]).',
        )
    return True


def _enter_by_link(given: str) -> AnyResponse:
    if not open_session(given):
        return make_response(render_template("sign_in.html", refused=True, next=local_path(request.path)), 401)
    rest = [(name, value) for name, value in request.args.items(multi=True) if name != "token"]
    target = request.script_root + local_path(request.path)
    return redirect(f"{target}?{urlencode(rest)}" if rest else target, 303)


def _ask_to_sign_in() -> Response:
    if wants_json():
        raise Refused(
            401,
            "unauthorized",
            "This needs a token.",
            hint="Send Authorization: Bearer <token>; the token is in run/panel-token of the home.",
        )
    # A link on another site arrives without the strict cookie. Coming again from a page of ours brings it along.
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method == "GET":
        return make_response(render_template("arrive.html"), 200)
    here = local_path(request.full_path.rstrip("?"))
    return make_response(render_template("sign_in.html", refused=False, next=here), 401)
