"""The folders that builds work in, and how they go: first out of the way, then removed when nobody waits for it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.locks import FileLock, try_lock
from mastra_admin_sdk.models import Build

logger = logging.getLogger(__name__)

_LOCK = ".lock"


@dataclass(slots=True)
class Trash:
    """A workspace that is out of the way. Until ``close()``, nobody else removes it."""

    path: Path
    _lock: FileLock

    def close(self) -> None:
        """Remove it. What can't be removed is left for the next `sweep`."""
        try:
            remove_tree(self.path)
            self.path.with_name(f"{self.path.name}{_LOCK}").unlink(missing_ok=True)
        except OSError as exc:
            logger.warning("%s could not be removed yet: %s", self.path, exc)
        finally:
            self._lock.close()


class Workspaces:
    """Workspaces of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._trash = home.cache / "trash"

    def locate(self, build: Build) -> Path:
        """Return where a build works."""
        return self._home.workspaces / build.id

    def discard(self, build: Build) -> Trash | None:
        """Move a build's workspace out of the way, which takes no time; ``None`` when there is none."""
        workspace = self.locate(build)
        if not workspace.exists():
            return None
        self._trash.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = 0
        while True:
            target = self._trash / f"{build.id}.{build.generation}.{number}"
            lock = None if target.exists() else try_lock(target.with_name(f"{target.name}{_LOCK}"))
            if lock is not None:
                break
            number += 1
        workspace.rename(target)
        return Trash(target, lock)

    def sweep(self) -> int:
        """Remove what processes left that were killed while they removed it, and return how many folders there were."""
        found = [path for path in self._trash.glob("*") if path.suffix != _LOCK] if self._trash.exists() else []
        removed = 0
        for path in found:
            lock = try_lock(path.with_name(f"{path.name}{_LOCK}"))
            if lock is not None:
                Trash(path, lock).close()
                removed += 1
        return removed
