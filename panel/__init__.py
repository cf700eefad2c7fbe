"""The browser panel of MastraAdmin: pages and a JSON API on the SDK, which knows nothing that the SDK doesn't offer."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
