"""The router on Caddy. `LocalRouter` is all that others need."""

from __future__ import annotations

from .router import LocalRouter

__all__ = ["LocalRouter"]
