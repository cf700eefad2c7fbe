"""Trees by key: what was installed once is laid into later builds from files that are kept by content."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.locks import FileLock, hold_lock, try_lock

from .pool import Layer, Pool
from .trees import (
    MODULES,
    FileFacts,
    Snapshot,
    StoredFile,
    StoredTree,
    Unstorable,
    dump_tree,
    find_change,
    find_escape,
    load_tree,
    scan_tree,
)

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 60.0
_TREE = "tree.json"
_USE = "use"


@dataclass(slots=True)
class Laid:
    """A tree that was laid into a build. While ``use`` is open, trimming leaves it alone."""

    key: str
    files: int
    linked: int
    use: FileLock = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tree of a store: when it was used last, and what it consists of."""

    folder: Path
    used_at: float
    tree: StoredTree | None

    @property
    def bytes(self) -> int:
        """Bytes of its files, which it may share with other trees."""
        return self.tree.bytes if self.tree else 0


class TreeStore:
    """Trees of installed packages in one folder. Any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool = Pool(folder / "files")
        self._trees = folder / "trees"

    def lay(self, key: str, root: Path, *, own: bool = False) -> Laid | None:
        """Lay a tree below ``root``; ``None``, with nothing left there, when there is none or it was damaged.

        Parameters:
            own: copy the files, because what runs next is known to write into them.
        """
        if not (self._trees / key / _TREE).exists():
            return None
        with self._lock():
            entry = self._read(self._trees / key)
            if entry.tree is None or not self._check(entry):
                return None
            use = try_lock(entry.folder / _USE, shared=True)
            if use is None:  # it is being removed
                return None
            try:
                linked = self._lay(entry.tree, root, own)
                os.utime(entry.folder / _TREE)
            except BaseException:
                use.close()
                _remove_tops(entry.tree, root)
                raise
        return Laid(key, len(entry.tree.files), linked, use)

    def keep(self, key: str, root: Path, before: Snapshot) -> int:
        """Store a tree as it was when ``before`` was taken, and return its bytes. The files may be taken from there.

        Raises:
            Unstorable: something in it has changed since, or can't be laid elsewhere.
        """
        if (escape := find_escape(before)) is not None:
            raise Unstorable(f"{escape} leads to a place outside")
        now = scan_tree(root, _list_tops(before))
        if (changed := find_change(before, now, modes=False)) is not None:
            raise Unstorable(f"{changed} was changed after it was installed")
        tree = _describe(root, before)
        with self._lock():
            for file in tree.files:
                self.pool.put(file, str(root / file.path), now.files[file.path])
            self._write(key, tree)
        return tree.bytes

    def inspect(self, key: str) -> int:
        """See whether somebody wrote into files of a tree; evict those, and return how many there were."""
        with self._lock():
            entry = self._read(self._trees / key)
            if entry.tree is None:
                return 0
            return self._evict_changed(entry)

    def measure(self) -> int:
        """Return the bytes that the store holds on disk."""
        paths = [(path, os.lstat(path)) for path in map(str, self._trees.glob(f"*/{_TREE}"))]
        return sum(facts.st_blocks * 512 for _, facts in [*self.pool.list_paths(), *paths])

    def list_entries(self) -> list[Entry]:
        """Return all trees, those that were not used longest first."""
        folders = [path.parent for path in self._trees.glob(f"*/{_TREE}")]
        return sorted((self._read(folder) for folder in folders), key=lambda entry: entry.used_at)

    def remove(self, entry: Entry, *, dry_run: bool = False) -> bool:
        """Forget a tree, and return True, unless a build uses it. Its files go with the next `sweep`."""
        with self._lock():
            if not entry.folder.is_dir():
                return False
            use = try_lock(entry.folder / _USE)
            if use is None:
                return False
            if not dry_run:
                remove_tree(entry.folder)
            use.close()
        return True

    def sweep(self) -> int:
        """Remove the files that no tree names any more, and what a killed process left half done; return the bytes."""
        freed = 0
        with self._lock():
            named = {self.pool.locate(file) for entry in self.list_entries() if entry.tree for file in entry.tree.files}
            for path, facts in list(self.pool.list_paths()):
                if path not in named:
                    os.unlink(path)
                    freed += facts.st_blocks * 512
            for left in self._trees.glob(".*"):
                left.unlink()
        return freed

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _lock(self) -> AbstractContextManager[None]:
        self._trees.mkdir(parents=True, exist_ok=True)
        return hold_lock(self.folder / "lock", timeout=_LOCK_SECONDS)

    def _read(self, folder: Path) -> Entry:
        path = folder / _TREE
        try:
            return Entry(folder, path.stat().st_mtime, load_tree(path.read_bytes()))
        except FileNotFoundError:
            return Entry(folder, time.time(), None)
        except ValueError as exc:
            logger.warning("The cached tree %s can't be read and counts as missing: %s", folder.name, exc)
            return Entry(folder, 0.0, None)

    def _check(self, entry: Entry) -> bool:
        """False when something of a tree is missing or was written into: then it is gone afterwards."""
        changed = self._evict_changed(entry)
        if changed:
            logger.warning("%d files of the cached tree %s were changed or lost", changed, entry.folder.name)
        return not changed

    def _evict_changed(self, entry: Entry) -> int:
        assert entry.tree is not None
        changed = [file for file in entry.tree.files if not self.pool.is_intact(file)]
        for file in changed:
            self.pool.evict(file)
        if changed:
            # Without its list it counts as missing; a build that uses it keeps its own links.
            (entry.folder / _TREE).unlink(missing_ok=True)
        return len(changed)

    def _lay(self, tree: StoredTree, root: Path, own: bool) -> int:
        base = str(root)
        for path, _ in tree.folders:
            os.makedirs(f"{base}/{path}", 0o755, exist_ok=True)
        layer = Layer(self.pool, own=own)
        for file in tree.files:
            layer.lay(file, f"{base}/{file.path}")
        for path, target in tree.links:
            os.symlink(target, f"{base}/{path}")
        for path, mode in tree.folders:
            if mode != 0o755:
                os.chmod(f"{base}/{path}", mode)
        return layer.linked

    def _write(self, key: str, tree: StoredTree) -> None:
        folder = self._trees / key
        folder.mkdir(exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=self._trees, prefix=".")
        with open(descriptor, "wb") as file:
            file.write(dump_tree(tree))
        os.rename(partial, folder / _TREE)


def _describe(root: Path, snapshot: Snapshot) -> StoredTree:
    """Return a tree with the digests of its files."""
    files = (
        StoredFile(path, _digest(root / path), facts.size, facts.mode) for path, facts in _sort_files(snapshot.files)
    )
    return StoredTree(tuple(sorted(snapshot.folders.items())), tuple(sorted(snapshot.links.items())), tuple(files))


def _sort_files(files: Mapping[str, FileFacts]) -> Iterator[tuple[str, FileFacts]]:
    # By inode: that is about the order in which they lie on the disk.
    yield from sorted(files.items(), key=lambda item: item[1].inode)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _list_tops(snapshot: Snapshot) -> tuple[str, ...]:
    """Return what a snapshot was taken of: the paths in it that lie in no other."""
    paths = [*snapshot.folders, *snapshot.links, *snapshot.files]
    return tuple(path for path in paths if os.path.dirname(path) not in snapshot.folders)


def _remove_tops(tree: StoredTree, root: Path) -> None:
    for path, _ in tree.folders:
        if os.path.basename(path) == MODULES:
            with suppress(OSError):  # the first error is the one to tell
                shutil.rmtree(root / path, ignore_errors=True)
    for file in tree.files:
        if "/" not in file.path:
            (root / file.path).unlink(missing_ok=True)
