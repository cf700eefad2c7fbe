"""``/sign-in`` and ``/sign-out``."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from ..access import close_session, count_wrong_token, local_path, open_session

blueprint = Blueprint("sign_in", __name__)


@blueprint.get("/sign-in")
def show() -> str:
    """Ask for the token."""
    return render_template("sign_in.html", refused=False, next="/")


@blueprint.post("/sign-in")
def sign_in() -> AnyResponse:
    """Open a session and go on to the page that was wanted."""
    wanted = local_path(request.form.get("next", "/"))
    if open_session(request.form.get("token", "").strip()):
        return redirect(request.script_root + wanted, 303)
    return _refuse(wanted)


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    """End the session of this browser."""
    close_session()
    return redirect(url_for("pages.sign_in.show"), 303)


def _refuse(wanted: str) -> Response:
    return make_response(render_template("sign_in.html", refused=True, next=wanted), count_wrong_token())
