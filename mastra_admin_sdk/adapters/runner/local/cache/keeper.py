"""The build cache of a home: what builds leave for later ones, what they take, and how it stays within its size."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mastra_admin_sdk.models import Removal

from .store import Entry, Laid, TreeStore
from .trees import MODULES, Snapshot, Unstorable, find_modules, scan_tree

logger = logging.getLogger(__name__)

_BLOCK = 4096


@dataclass(slots=True)
class Remains:
    """What a finished build leaves to be put away: trees that were installed anew, and one that it used."""

    artifact: Path
    laid: Laid | None = None
    modules_key: str | None = None
    modules: Snapshot | None = None
    output_key: str | None = None
    output: Snapshot | None = None

    def close(self) -> None:
        """Let go of the tree that was used."""
        if self.laid:
            self.laid.use.close()


class BuildCache:
    """Two stores that share no file: what builds work with, and what artifacts consist of.

    So a build that writes into its packages never reaches a file that a server runs from.
    """

    def __init__(self, folder: Path) -> None:
        self.modules = TreeStore(folder / "modules")
        self.outputs = TreeStore(folder / "outputs")

    def put_away(self, remains: Remains, workspace: Path) -> None:
        """Keep what a build installed, and see whether it wrote into what it had been lent.

        Called when the deployment is live; the workspace may have been moved meanwhile. A tree that can't be kept costs
        the next build its time, nothing else.
        """
        if remains.laid and (changed := self.modules.inspect(remains.laid.key)):
            logger.warning("A build wrote into %d files of cached packages; they were taken out of the cache", changed)
        if remains.modules_key and remains.modules:
            self._keep(self.modules, remains.modules_key, workspace, remains.modules)
        if remains.output_key and remains.output:
            self._keep(self.outputs, remains.output_key, remains.artifact, remains.output)

    def measure(self) -> int:
        """Return the bytes on disk."""
        return self.modules.measure() + self.outputs.measure()

    def trim(self, max_bytes: int, *, dry_run: bool = False) -> list[Removal]:
        """Remove the trees that were not used longest until at most ``max_bytes`` are left; those in use stay."""
        held = self.measure()
        if held <= max_bytes:
            return []
        removals: list[Removal] = []
        entries = self._list_entries()
        named = Counter(path for store, entry in entries for path in _list_files(store, entry))
        for store, entry in entries:
            if held <= max_bytes:
                break
            if store.remove(entry, dry_run=dry_run):
                freed = _give_up(named, _list_files(store, entry))
                removals.append(_tell(store, entry, freed, held, max_bytes))
                held -= freed
        if not dry_run:
            for store in (self.modules, self.outputs):
                store.sweep()
        return removals

    def _list_entries(self) -> list[tuple[TreeStore, Entry]]:
        found = [(store, entry) for store in (self.modules, self.outputs) for entry in store.list_entries()]
        return sorted(found, key=lambda pair: pair[1].used_at)

    def _keep(self, store: TreeStore, key: str, root: Path, snapshot: Snapshot) -> None:
        try:
            kept = store.keep(key, root, snapshot)
        except (Unstorable, OSError, TimeoutError) as exc:
            logger.warning("Installed packages were not kept for later builds: %s", exc)
        else:
            logger.info("Kept %.1f MB of installed packages for later builds", kept / 1e6)


def look_at_modules(workspace: Path) -> Snapshot | None:
    """Return what an install has just made in a workspace; ``None`` when there is nothing that could be kept."""
    try:
        snapshot = scan_tree(workspace, find_modules(workspace))
    except Unstorable as exc:
        logger.warning("Installed packages can't be kept for later builds: %s", exc)
        return None
    return snapshot if snapshot.files else None


def look_at_output(output: Path) -> Snapshot | None:
    """Return what is installed in a finished output; ``None`` when there is nothing that could be kept."""
    try:
        snapshot = scan_tree(output, [MODULES])
    except Unstorable as exc:
        logger.warning("The output's packages can't be kept for later builds: %s", exc)
        return None
    return snapshot if snapshot.files else None


def _list_files(store: TreeStore, entry: Entry) -> Mapping[str, int]:
    """Return the bytes on disk of each file that a tree consists of, by its path in the pool."""
    files = entry.tree.files if entry.tree else ()
    return {store.pool.locate(file): -(-file.size // _BLOCK) * _BLOCK for file in files}


def _give_up(named: Counter[str], files: Mapping[str, int]) -> int:
    """Count a tree's files out, and return the bytes of those that no other tree names."""
    named.subtract(files.keys())
    return sum(size for path, size in files.items() if named[path] <= 0)


def _tell(store: TreeStore, entry: Entry, freed: int, held: int, allowed: int) -> Removal:
    used = datetime.fromtimestamp(entry.used_at, UTC).isoformat(timespec="seconds")
    return Removal(
        path=str(entry.folder),
        what=f"installed packages ({store.folder.name})",
        reason=f"The build cache holds {held / 1e6:.0f} MB of {allowed / 1e6:.0f} MB; last used {used}.",
        bytes=freed,
    )
