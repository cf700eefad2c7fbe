"""How work that takes long is told to end."""

from __future__ import annotations

from typing import Protocol


class CancelCheck(Protocol):
    """Asked often by everything that takes long."""

    def __call__(self) -> None:
        """Return at once, or raise `BuildCancelled` or `LeaseLost` when the work is to end."""


def never_cancelled() -> None:
    """The `CancelCheck` of work that nobody cancels."""
