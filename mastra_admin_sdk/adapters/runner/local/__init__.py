"""`LocalRunner`: servers as processes of this machine.

The name is loaded on first use: the small process above each server imports from this package too, and must stay small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .runner import LocalRunner

__all__ = ["LocalRunner"]


def __getattr__(name: str) -> Any:
    if name == "LocalRunner":
        from .runner import LocalRunner

        return LocalRunner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
