"""Copies a project's files, and hashes what it copied."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from mastra_admin_sdk.models import SkippedFolder
from mastra_admin_sdk.ports.checks import CancelCheck, never_cancelled

from .files import explain
from .names import NamePatterns, show_path
from .scanner import is_inside

_PIECE = 1024 * 1024
# What removes a copy again goes down by recursion (shutil.rmtree), and no real project is nearly as deep.
_DEEPEST = 200
_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class CopyRules:
    """What a copy leaves out: names that meet ``exclude``, ``.env*``, and the real paths in ``avoid``."""

    exclude: NamePatterns
    avoid: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CopyResult:
    """What was copied; the paths in ``skipped`` are relative to the project."""

    hash: str
    files: int
    bytes: int
    skipped: tuple[SkippedFolder, ...]
    entries: Mapping[str, str]


class CopyFailed(Exception):
    """Raised when a file can't be read or written; ``path`` is relative to the project."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(explain(error))
        self.path = show_path(path)
        self.errno = error.errno


def explain_failure(error: CopyFailed) -> str:
    """Return what to do about a copy that failed."""
    hints = {
        errno.ENOSPC: "Free some disk space and try again.",
        errno.EDQUOT: "Free some disk space and try again.",
        errno.EACCES: "Make it readable, or exclude it (source_exclude).",
    }
    return hints.get(error.errno or 0, "Nothing was left behind; try again.")


def copy_tree(
    root: str, target: str, rules: CopyRules, cancel: CancelCheck = never_cancelled, *, move: bool = False
) -> CopyResult:
    """Copy a folder into another one that doesn't exist or is empty; nothing stays behind when it fails.

    The copy is private to its owner at the top; files keep their modes (without set-user-id and its like), and
    symbolic links that stay inside become relative. The hash is over what was written: a file that changes
    meanwhile is hashed as it was copied.

    Parameters:
        root: the real path of the project.
        target: where to; its parents are made.
        rules: what is left out.
        cancel: asked before each file; what it raises ends the copying.
        move: take the files away from ``root`` instead, which is on the same file system and is removed afterwards.

    Raises:
        CopyFailed: something can't be read or written.
    """
    existed = os.path.isdir(target)
    try:
        try:
            os.makedirs(target, mode=0o700, exist_ok=True)
        except OSError as exc:
            raise CopyFailed("", exc) from exc
        return _Copy(root, target, rules, cancel, move).run()
    except BaseException:
        clear_target(target, keep=existed)
        raise


def clear_target(target: str, *, keep: bool) -> None:
    """Remove what a copy that failed left behind, with its folder unless that was there before (``keep``)."""
    if not keep:
        shutil.rmtree(target, ignore_errors=True)
        return
    for entry in list(os.scandir(target)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


@dataclass(slots=True)
class _Copy:
    root: str
    target: str
    rules: CopyRules
    cancel: CancelCheck
    move: bool = False
    files: int = 0
    size: int = 0
    skipped: list[SkippedFolder] = field(default_factory=list)
    # What was copied: kind and name as bytes, then mode and content, as they go into the hash.
    records: list[tuple[bytes, bytes]] = field(default_factory=list)
    entries: dict[str, str] = field(default_factory=dict)

    def run(self) -> CopyResult:
        folders = [""]
        while folders:
            folders += self._copy_folder(folders.pop())
        skipped = tuple(sorted(self.skipped, key=lambda entry: entry.path))
        return CopyResult(self._hash(), self.files, self.size, skipped, self.entries)

    def _hash(self) -> str:
        total = hashlib.sha256()
        for name, content in sorted(self.records):
            total.update(b"%d:%s%d:%s" % (len(name), name, len(content), content))
        return total.hexdigest()

    def _copy_folder(self, folder: str) -> list[str]:
        below = []
        for entry in self._list(folder):
            relative = f"{folder}/{entry.name}" if folder else entry.name
            self.cancel()
            if self._leaves_out(entry, relative):
                continue
            try:
                if entry.is_symlink():
                    self._copy_link(entry.path, relative)
                elif entry.is_dir(follow_symlinks=False):
                    self._make_folder(entry, relative)
                    below.append(relative)
                else:
                    self._copy_file(entry.path, relative)
            except OSError as exc:
                raise CopyFailed(relative, exc) from exc
        return below

    def _list(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self.root, folder) if folder else self.root) as entries:
                return list(entries)
        except OSError as exc:
            raise CopyFailed(folder, exc) from exc

    def _leaves_out(self, entry: os.DirEntry[str], relative: str) -> bool:
        if is_env_file(entry.name):
            self._skip(relative, "files of environment variables are never copied: import them explicitly")
            return True
        return self.rules.exclude.match(entry.name, relative) or entry.path in self.rules.avoid

    def _skip(self, relative: str, reason: str) -> None:
        self.skipped.append(SkippedFolder(show_path(relative), reason))

    def _record(self, kind: bytes, relative: str, content: bytes) -> None:
        self.records.append((os.fsencode(relative), kind + content))

    def _make_folder(self, entry: os.DirEntry[str], relative: str) -> None:
        if relative.count("/") >= _DEEPEST:
            raise OSError(errno.ENAMETOOLONG, f"folders more than {_DEEPEST} deep")
        destination = os.path.join(self.target, relative)
        os.mkdir(destination)
        # A folder that its owner can't write could be neither filled nor removed.
        os.chmod(destination, entry.stat(follow_symlinks=False).st_mode & 0o777 | 0o700)
        self._record(b"d", relative, b"")

    def _copy_link(self, path: str, relative: str) -> None:
        reason = explain_link(path, self.root, self.rules)
        if reason:
            self._skip(relative, reason)
            return
        target = os.path.relpath(os.path.realpath(path), os.path.dirname(path))
        os.symlink(target, os.path.join(self.target, relative))
        self._record(b"l", relative, os.fsencode(target))
        self.entries[show_path(relative)] = hashlib.sha256(os.fsencode(target)).hexdigest()

    def _copy_file(self, path: str, relative: str) -> None:
        # O_NOFOLLOW and O_NONBLOCK: it may have become a link or a pipe since the folder was listed.
        try:
            source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            if exc.errno not in (errno.ENXIO, errno.ENOENT):
                raise
            self._skip(relative, "a socket" if exc.errno == errno.ENXIO else "it went away while it was being copied")
            return
        try:
            info = os.fstat(source)
            if stat.S_ISREG(info.st_mode):
                self._take(source, info, path, relative)
            else:
                self._skip(relative, _SPECIAL.get(stat.S_IFMT(info.st_mode), "not a regular file"))
        finally:
            os.close(source)

    def _take(self, source: int, info: os.stat_result, path: str, relative: str) -> None:
        mode = info.st_mode & 0o777
        destination = os.path.join(self.target, relative)
        piece = min(info.st_size + 1, _PIECE)
        if self.move:
            size, digest = _read(source, piece)
            os.fchmod(source, mode)
            os.rename(path, destination)
        else:
            size, digest = _pour(source, destination, mode, piece)
        self.files += 1
        self.size += size
        self._record(b"f", relative, b"%o %s" % (mode, digest))
        self.entries[show_path(relative)] = digest.hex()


def read_stamp(root: str, rules: CopyRules) -> str:
    """Return a text that changes when a file that a copy would take changes: by names, sizes, modes and times.

    Raises:
        CopyFailed: a folder can't be read.
    """
    total = hashlib.sha256()
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(root, folder) if folder else root) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as exc:
            raise CopyFailed(folder, exc) from exc
        lines = []
        for entry in listed:
            relative = f"{folder}/{entry.name}" if folder else entry.name
            if is_env_file(entry.name) or rules.exclude.match(entry.name, relative) or entry.path in rules.avoid:
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(relative)
                lines.append(f"{relative}\0")
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # gone since the folder was listed
                continue
            lines.append(f"{relative}\0{info.st_size} {info.st_mtime_ns} {info.st_mode:o}\0")
        total.update(os.fsencode("".join(lines)))
    return total.hexdigest()


def is_env_file(name: str) -> bool:
    """Return whether a name is that of a file of environment variables: ``.env`` and all that start so."""
    return name.startswith(".env")


def explain_link(path: str, root: str, rules: CopyRules) -> str:
    """Return why a copy leaves a symbolic link out; empty when it takes it."""
    try:
        os.stat(path)
    except OSError as exc:
        if exc.errno != errno.ENOENT:
            return "a symbolic link that leads back to itself" if exc.errno == errno.ELOOP else explain(exc)
    real = os.path.realpath(path)
    if not is_inside(real, root):
        return "a symbolic link that leads outside of the project"
    parts = os.path.relpath(real, root).split("/")
    left_out = any(
        is_env_file(part) or rules.exclude.match(part, "/".join(parts[: index + 1])) for index, part in enumerate(parts)
    )
    return "a symbolic link to what a copy leaves out" if left_out else ""


def _pour(source: int, destination: str, mode: int, piece: int) -> tuple[int, bytes]:
    descriptor = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        read = _read(source, piece, descriptor)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)
    return read


def _read(source: int, piece: int, into: int | None = None) -> tuple[int, bytes]:
    digest, size = hashlib.sha256(), 0
    while data := os.read(source, piece):
        digest.update(data)
        size += len(data)
        view = memoryview(data)
        while into is not None and view:
            view = view[os.write(into, view) :]
    return size, digest.digest()
