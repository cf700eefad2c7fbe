"""Projects in git repositories, near and far."""

from __future__ import annotations

from .provider import GitProjectSource

__all__ = ["GitProjectSource"]
