"""Removing folders whose files are write-protected, as artifacts are."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it; one that isn't there is fine. Links are removed, not followed.

    Raises:
        OSError: something in it can't be removed.
    """
    if not os.path.lexists(path):
        return
    for folder, _, _ in os.walk(path):
        with suppress(FileNotFoundError):  # somebody else removes it at the same time
            os.chmod(folder, stat.S_IRWXU)
    shutil.rmtree(path, onerror=_ignore_missing)


def _ignore_missing(_function: Any, _path: str, error: Any) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]
