"""Lays out the files of a commit, and those of its submodules, in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mastra_admin_sdk.adapters.source.local.names import show_path
from mastra_admin_sdk.errors import MastraAdminError, SourceError
from mastra_admin_sdk.models import SkippedFolder

from .addresses import Address, join_submodule, redact
from .command import Deadline, GitFailed
from .failures import explain_failure
from .mirror import Mirror

_SUBMODULE = "160000"
_DEEPEST = 5
_NOT_WANTED = "a submodule: create the project with submodules=True to have it"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_BYTES = 1024


class MakeMirror(Protocol):
    """Gives the mirror of a repository; ``alien`` when another repository names it."""

    def __call__(self, address: Address, *, alien: bool = False) -> Mirror: ...


@dataclass(frozen=True, slots=True)
class _Submodule:
    path: str
    commit: str
    url: str | None


@dataclass
class Exporter:
    """Writes files below ``staging``; the caller removes that."""

    make_mirror: MakeMirror
    staging: Path
    deadline: Deadline
    found: list[_Submodule] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)

    @property
    def tree(self) -> Path:
        """Where the files are."""
        return self.staging / "tree"

    def take(self, mirror: Mirror, commit: str, root: str, into: str = "") -> None:
        """Write a folder of a commit; the mirror's lock must be held. Its submodules are noted, not yet written."""
        tree = f"{commit}:{root}" if root else commit
        self.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_place(into)
        mirror.check_out(tree, self.tree / into, self.staging / "index", self.deadline)
        listed = mirror.list_entries(tree, self.deadline)
        self.attributes += [_join(into, entry.path) for entry in listed if entry.path.endswith(".gitattributes")]
        entries = [entry for entry in listed if entry.mode == _SUBMODULE]
        urls = mirror.read_submodules(commit, self.deadline) if entries else {}
        self.found = [
            _Submodule(_join(into, entry.path), entry.object, urls.get(_join(root, entry.path))) for entry in entries
        ]

    def _check_place(self, into: str) -> None:
        """A tree that no git would write may name a submodule behind a link, or one that leads outside."""
        expected = os.path.join(os.path.realpath(self.staging), "tree", into).rstrip("/")
        if os.path.normpath(expected) != expected or os.path.realpath(self.tree / into) != expected:
            raise SourceError(
                f"The submodule {show_path(into)} can't be taken: it leads out of its repository.",
                hint="Deploy without submodules, and look at who wrote that repository.",
            )

    def finish(self, address: Address, *, is_wanted: bool) -> list[SkippedFolder]:
        """Write the submodules that were found, if they are wanted, and return what isn't there."""
        skipped = self._take_submodules(address, 1) if is_wanted else [_skip(item) for item in self.found]
        return skipped + self._list_pointers()

    def _take_submodules(self, parent: Address, depth: int) -> list[SkippedFolder]:
        skipped: list[SkippedFolder] = []
        for item in list(self.found):
            if depth > _DEEPEST:
                skipped.append(_skip(item, f"a submodule more than {_DEEPEST} deep"))
                continue
            address = _find_address(item, parent)
            mirror = self.make_mirror(address, alien=not parent.is_local)
            try:
                with mirror.hold(self.deadline):
                    commit = mirror.fetch(item.commit, self.deadline).commit
                    self.take(mirror, commit, "", item.path)
            except GitFailed as exc:
                raise explain_failure(address, "can't be read", exc) from exc
            skipped += self._take_submodules(address, depth + 1)
        return skipped

    def _list_pointers(self) -> list[SkippedFolder]:
        """Files of Git LFS are pointers to what is kept elsewhere: a build that reads them should know."""
        if not any(_reads_lfs(self.tree / path) for path in self.attributes):
            return []
        pointers = []
        for path in self.tree.rglob("*"):
            self.deadline.cancel()
            if _is_pointer(path):
                pointers.append(show_path(str(path.relative_to(self.tree))))
        reason = "a pointer of Git LFS was copied as it is: its content isn't fetched"
        return [SkippedFolder(path, reason) for path in pointers]


def _find_address(item: _Submodule, parent: Address) -> Address:
    try:
        if item.url is None:
            raise SourceError("Its address isn't in .gitmodules.")
        return join_submodule(item.url, parent)
    except MastraAdminError as exc:
        raise SourceError(
            f"The submodule {show_path(item.path)} of {redact(parent.url)} can't be fetched: {exc.message}",
            hint="Mend .gitmodules, or deploy without submodules.",
        ) from exc


def _skip(item: _Submodule, reason: str = _NOT_WANTED) -> SkippedFolder:
    return SkippedFolder(show_path(item.path), reason)


def _join(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path


def _reads_lfs(path: Path) -> bool:
    return not path.is_symlink() and path.is_file() and b"filter=lfs" in path.read_bytes()


def _is_pointer(path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LFS_BYTES:
        return False
    return path.read_bytes().startswith(_LFS_POINTER)
