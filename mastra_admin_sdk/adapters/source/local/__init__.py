"""Projects in folders of this machine."""

from __future__ import annotations

from .provider import DEFAULT_EXCLUDE, LocalProjectSource
from .records import make_project_id

__all__ = ["DEFAULT_EXCLUDE", "LocalProjectSource", "make_project_id"]
