"""Pages of other origins that may use the API: those that are configured, with a token of their own, never a cookie."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, request

from mastra_admin_sdk.errors import InvalidInput

from .context import current_panel

_METHODS = "GET, POST, PATCH, PUT, DELETE"
_ALLOWED = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match"
_EXPOSED = "ETag, Location, Retry-After"
_SECONDS = "600"


def read_origins(origins: Iterable[str]) -> tuple[str, ...]:
    """Return origins as browsers send them.

    Raises:
        InvalidInput: one isn't exactly scheme, host and port: neither ``*`` nor a path is taken.
    """
    return tuple(_read_origin(origin) for origin in origins)


def is_configured_origin(origin: str | None) -> bool:
    """True when pages of an origin may use the API with a token."""
    return origin is not None and origin in current_panel().options.cors_origins


def is_preflight() -> bool:
    """True when a browser asks what a page of a configured origin may send."""
    return (
        request.method == "OPTIONS"
        and "Access-Control-Request-Method" in request.headers
        and request.path.startswith("/api/")
        and is_configured_origin(request.headers.get("Origin"))
    )


def add_cors(app: Flask) -> None:
    """Let browsers give the API's answers to pages of configured origins."""

    @app.after_request
    def add(response: Response) -> Response:
        if not current_panel().options.cors_origins or not request.path.startswith("/api/"):
            return response
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin is not None and is_configured_origin(origin):
            # Without Access-Control-Allow-Credentials: a browser neither sends our cookie nor shows what came with it.
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = _METHODS
                response.headers["Access-Control-Allow-Headers"] = _ALLOWED
                response.headers["Access-Control-Max-Age"] = _SECONDS
        return response


def _read_origin(origin: str) -> str:
    try:
        parts = urlsplit(origin)
        rebuilt = f"{parts.scheme}://{parts.netloc}"
        fits = parts.scheme in {"http", "https"} and parts.hostname and not parts.username and rebuilt == origin
        _ = parts.port
    except ValueError:
        fits = False
    if not fits or "*" in origin or origin != origin.lower():
        raise InvalidInput(
            f"{origin[:100]!r} in panel_cors_origins is no origin.",
            hint="Write scheme, host and port alone, in lower case, such as https://tools.example.com.",
        )
    return origin
