"""Every error as one shape: ``{"error": {"code", "message", "hint", "details"}}``, or a page with the same facts."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from mastra_admin_sdk import errors
from mastra_admin_sdk.errors import MastraAdminError

_STATUSES: tuple[tuple[type[MastraAdminError], int], ...] = (
    (errors.InvalidInput, 422),
    (errors.QueryError, 400),
    (errors.NotFound, 404),
    (errors.InvalidToken, 401),
    (errors.AccessDenied, 403),
    (errors.Conflict, 409),
    (errors.BuildError, 422),
    (errors.SourceError, 422),
    (errors.NoFreePort, 503),
    (errors.ServerError, 502),
    (errors.RouterError, 502),
    (errors.ObservabilityError, 503),
    (errors.StorageError, 503),
    (errors.HomeError, 503),
    (errors.ToolMissing, 503),
)
"""HTTP status by error, the first that fits; 500 for the rest."""

_PROGRAMS = ("/api/", "/hooks/", "/v1/", "/ai/")
_BELOW_A_PROJECT = re.compile(r"/projects/[^/]*/")
"""What exporters send to; the page of a project itself has nothing below it."""


class Refused(MastraAdminError):
    """Raised when a request isn't allowed; ``status`` and ``reason`` go into the answer."""

    def __init__(self, status: int, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status, self.reason = status, reason

    @property
    def code(self) -> str:
        """Why, such as ``host_not_allowed``."""
        return self.reason


def handle_errors(app: Flask) -> None:
    """Give an app its one way to answer errors."""
    app.register_error_handler(MastraAdminError, _answer_known)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unknown)


def describe_problem(error: MastraAdminError) -> dict[str, Any]:
    """Return an error as the API answers it."""
    return {"code": error.code, "message": error.message, "hint": error.hint, "details": error.evidence}


def find_status(error: MastraAdminError) -> int:
    """Return the HTTP status that fits an error."""
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def wants_json() -> bool:
    """True when the request is one of a program: to the API, a webhook or the collector, or for ``/health``."""
    path = request.path
    if path == "/api/docs":  # a page about the API
        return False
    own = {"/api", "/health", "/ready", "/metrics"}
    return path.startswith(_PROGRAMS) or path in own or bool(_BELOW_A_PROJECT.match(path))


def _answer_known(error: MastraAdminError) -> Response:
    return _answer(describe_problem(error), find_status(error))


def _answer_http(error: HTTPException) -> Response:
    if error.response is not None:
        return make_response(error.response)
    code = error.name.lower().replace(" ", "_").replace("'", "")
    problem = {"code": code, "message": error.description or error.name, "hint": "", "details": {}}
    answer = _answer(problem, error.code or 500)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            answer.headers[name] = value
    return answer


def _answer_unknown(error: Exception) -> Response:
    current_app.logger.exception("%s %s failed", request.method, request.path, exc_info=error)
    problem = {
        "code": "internal_error",
        "message": "MastraAdmin itself failed on this request.",
        "hint": "The panel's log has the details; please report them.",
        "details": {},
    }
    return _answer(problem, 500)


def _answer(problem: dict[str, Any], status: int) -> Response:
    if wants_json():
        return make_response(jsonify(error=problem), status)
    return make_response(render_template("error.html", problem=problem, status=status), status)
