"""Where a copy may go."""

from __future__ import annotations

import os

from mastra_admin_sdk.errors import InvalidInput

from .names import show_path


def check_target(target: str) -> None:
    """Raise `InvalidInput` unless a folder is empty or isn't there yet."""
    shown = show_path(target)
    if os.path.islink(target) or (os.path.lexists(target) and not os.path.isdir(target)):
        raise InvalidInput(f"A project can't be copied to {shown}: that isn't a folder.", hint="Name another one.")
    if os.path.isdir(target) and os.listdir(target):
        raise InvalidInput(f"A project can't be copied to {shown}: it isn't empty.", hint="Name a new folder.")
