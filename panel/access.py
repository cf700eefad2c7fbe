"""Who may talk to the panel: Host, Origin, and a token that becomes a session.

The printed link carries the panel's own token once; it becomes a cookie (HttpOnly, SameSite=Strict) and leaves the
address. An API token opens a session too. Programs send ``Authorization: Bearer <token>``. Whoever it is, they are held
to the scopes of their token with each request: one that was revoked ends its sessions at once.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from urllib.parse import urlencode

from flask import Flask, Response, current_app, g, make_response, redirect, render_template, request, session
from werkzeug.wrappers import Response as AnyResponse

from mastra_admin_sdk.errors import InvalidToken, NotFound
from mastra_admin_sdk.models import Token, TokenScope

from .context import current_panel
from .cors import is_configured_origin, is_preflight
from .hosts import is_allowed_host, is_same_origin
from .principals import (
    Need,
    Principal,
    can,
    check_need,
    find_need,
    find_principal,
    make_owner,
    make_principal,
    set_principal,
)
from .problems import Refused, wants_json
from .tokens import is_token

_OPEN_ENDPOINTS = frozenset(
    {
        "static",
        "health.show_health",
        "health.show_ready",
        "pages.icon.show",
        "pages.sign_in.show",
        "pages.sign_in.sign_in",
    }
)
_HOOKS = "hooks.receive"
_COLLECTOR = "collector"
_METRICS = "metrics.show_metrics"
_SIGN_OUT = "pages.sign_in.sign_out"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SESSION_OF = "token"
_OWN = "own"
_ACTING = "mastra_admin_acting"


def guard(app: Flask) -> None:
    """Check every request of an app before its view sees it, and do what it does in the name of who sent it."""
    app.before_request(_check)
    app.teardown_request(_stop_acting)
    app.context_processor(lambda: {"principal": find_principal(), "can": can})


def is_signed_in() -> bool:
    """True when the request comes from somebody who has signed in."""
    return find_principal() is not None


def open_session(token: str) -> bool:
    """Start a session if the token is right: the panel's own, or an API token that may read."""
    panel = current_panel()
    if is_token(token, panel.options.token):
        opened = _OWN
    else:
        principal = _authenticate(token)
        if principal is None or not principal.can(TokenScope.READ):
            return False
        opened = principal.token_id or ""
    session.clear()
    session[_SESSION_OF] = opened
    return True


def count_wrong_token() -> int:
    """Count that somebody tried to sign in with a wrong token; return the status of the answer: 401, or 429."""
    return _refuse_token("", "").status


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
    if bearer and (origin is None or (is_configured_origin(origin) and not is_websocket)):
        return
    if origin is None or not is_same_origin(origin, request.headers.get("Host", "")):
        raise Refused(
            403,
            "origin_not_allowed",
            "This request came from a page that isn't the panel's.",
            hint="Use the panel's own pages, or send the token as a Bearer header without Origin.",
        )


def _check() -> AnyResponse | None:
    set_principal(None)
    if request.endpoint == _HOOKS or request.blueprint == _COLLECTOR:
        # Its sender is no browser, comes under the name of a tunnel or proxy, and proves itself with another
        # secret. No session is looked at.
        return None
    if is_preflight():
        _check_host()
        return make_response("", 204)
    bearer = _read_bearer()
    # No page of a stranger knows a token of its own, whatever name it comes under: figures are collected so.
    if request.endpoint != _METRICS or bearer is None or bearer.is_owner:
        _check_host()
        _check_origin(bearer is not None)
        if bearer is None:
            _check_fetch()
    if bearer is None:
        # Where nobody has to sign in, somebody may have.
        given = request.args.get("token")
        if given is not None and request.method == "GET" and not wants_json() and not _is_open():
            return _enter_by_link(given)
    principal = bearer or _find_session()
    if _is_open() or (principal and request.endpoint == _SIGN_OUT):
        set_principal(principal)
        return None
    if principal is None:
        return _ask_to_sign_in()
    check_need(principal, _find_need())
    set_principal(principal)
    _act_as(principal)
    return None


def _is_open() -> bool:
    return request.endpoint in _OPEN_ENDPOINTS


def _find_need() -> Need:
    if request.endpoint == _METRICS:
        return Need(TokenScope.READ, everywhere=True)
    return find_need(current_app.view_functions.get(request.endpoint or ""), request.method)


def _act_as(principal: Principal) -> None:
    """Name the principal in the audit log for as long as the request lasts."""
    stack = ExitStack()
    stack.enter_context(current_panel().admin.acting(actor=principal.name))
    setattr(g, _ACTING, stack)


def _stop_acting(_: BaseException | None) -> None:
    stack: ExitStack | None = g.pop(_ACTING, None)
    if stack is not None:
        stack.close()


def _check_fetch() -> None:
    """What browsers say of a request that may carry our cookie: pages of others may lead here, and nothing else.

    Apps on other ports of this machine are of the same site, so that SameSite alone doesn't stop them.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site in {None, "same-origin", "none"} or request.endpoint == "static":
        return
    is_link = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    if request.method == "GET" and is_link and request.headers.get("Sec-Fetch-Dest", "document") == "document":
        return
    raise Refused(
        403,
        "origin_not_allowed",
        "This request came from a page that isn't the panel's.",
        hint="Use the panel's own pages, or send a token as a Bearer header.",
    )


def _refuse_token(message: str, hint: str) -> Refused:
    """Return the refusal of a wrong token; of one too many, with the seconds to wait."""
    wait = current_panel().attempts.note_wrong(request.remote_addr or "")
    if not wait:
        return Refused(401, "unauthorized", message, hint=hint)
    seconds = math.ceil(wait)
    return Refused(429, "too_many_attempts", "Too many wrong tokens came.", hint=f"Try again in {seconds} s.")


def _read_bearer() -> Principal | None:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return None
    if is_token(given.strip(), current_panel().options.token):
        return make_owner(current_panel().admin.actor)
    principal = _authenticate(given.strip())
    if principal is None:
        raise _refuse_token("The token isn't valid.", "It may have been revoked, or may have expired.")
    return principal


def _authenticate(secret: str) -> Principal | None:
    """Return who shows a token, ``None`` when it isn't good."""
    try:
        token = current_panel().admin.tokens.authenticate(secret)
    except InvalidToken:
        return None
    return _describe(token)


def _find_session() -> Principal | None:
    """Return whose session the request carries. The token behind it is looked up each time: it may be revoked."""
    opened = session.get(_SESSION_OF)
    if not isinstance(opened, str):
        return None
    admin = current_panel().admin
    if opened == _OWN:
        return make_owner(admin.actor)
    try:
        token = admin.tokens.check(opened)
    except InvalidToken:
        return None
    return _describe(token)


def _describe(token: Token) -> Principal | None:
    admin = current_panel().admin
    try:
        team_id = admin.storage.projects.get(token.project_id).team_id if token.project_id else None
        return make_principal(token, admin.tokens.name_holder(token), team_id)
    except NotFound:  # what it is for was deleted in this moment, and the token with it
        return None


def _enter_by_link(given: str) -> AnyResponse:
    if not open_session(given):
        page = render_template("sign_in.html", refused=True, next=local_path(request.path))
        return make_response(page, count_wrong_token())
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
