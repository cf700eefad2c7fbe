"""The cookie of a session."""

from __future__ import annotations

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface

from .hosts import is_loopback_name, split_host


class PanelSessions(SecureCookieSessionInterface):
    """Flask's signed cookie, marked Secure where the browser came by HTTPS.

    Behind a proxy with TLS the panel itself is asked over plain HTTP. But a browser names its scheme in Origin, and
    sends Sec-Fetch-Site to this machine and over HTTPS alone.
    """

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        """Return whether the cookie is for HTTPS alone."""
        if request.headers.get("Origin", "").startswith("https://"):
            return True
        host, _ = split_host(request.headers.get("Host", ""))
        return request.is_secure or ("Sec-Fetch-Site" in request.headers and not is_loopback_name(host))
