"""A bare copy of what was needed of one repository so far, in the cache; only one process at a time works with it."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mastra_admin_sdk.errors import SourceError

from .addresses import LOCAL_PROTOCOLS, REMOTE_PROTOCOLS, Address, redact
from .command import Deadline, Git, GitFailed
from .failures import explain_failure, impossible_ref, missing_ref
from .refs import (
    Advertised,
    Wanted,
    choose_ref,
    is_commit,
    is_possible,
    is_whole_commit,
    list_names,
    parse_advertised,
)

_POLL_SECONDS = 0.05
_ALL = ("+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a commit: its mode and kind as git writes them (``100644``, ``blob``), its object and its path."""

    mode: str
    kind: str
    object: str
    path: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A commit that is here now, and what it was asked for by."""

    commit: str
    label: str | None


class Mirror:
    """What is here of one repository.

    Parameters:
        folder: where it is or will be; a file of the same name with ``.lock`` stands beside it.
        address: the repository.
        git: runs git.
        alien: the address was written by the author of another repository, not by a person here.
    """

    def __init__(self, folder: Path, address: Address, git: Git, *, alien: bool = False) -> None:
        self._folder, self._address, self._git = folder, address, git
        self._shown = redact(address.url)
        # A repository from elsewhere must not name folders of this machine as its submodules.
        self._protocols = REMOTE_PROTOCOLS if alien and not address.is_local else LOCAL_PROTOCOLS

    @property
    def scratch(self) -> Path:
        """A folder for what is looked at and thrown away; emptied by whoever takes the lock next."""
        return self._folder / "scratch"

    @contextmanager
    def hold(self, deadline: Deadline) -> Iterator[None]:
        """Keep other processes and threads off while this one works with the mirror."""
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _try_lock(descriptor):
                deadline.check(f"Waiting for another fetch of {self._shown}")
                time.sleep(_POLL_SECONDS)
            self._prepare(deadline)
            yield
        finally:
            os.close(descriptor)

    def ask(self, ref: str | None, deadline: Deadline) -> Wanted:
        """Ask the repository what a ref means there, without fetching anything.

        Raises:
            SourceError: it can't be reached, is empty, or has no such ref.
        """
        if ref is not None and not is_possible(ref):
            raise impossible_ref(self._address, ref)
        names = list_names(ref)
        found = choose_ref(ref, self._list_refs([*names, *(f"{name}^{{}}" for name in names)], deadline))
        if found is None and ref is not None and is_commit(ref):
            return Wanted(None, ref.lower() if is_whole_commit(ref) else None, ref)
        if found is None:
            raise missing_ref(self._address, ref, self._list_refs([], deadline))
        return found

    def fetch(self, ref: str | None, deadline: Deadline) -> Fetched:
        """Bring the commit that a ref means here, unless it is here already; the lock must be held.

        Raises:
            SourceError: as `ask`; or the repository can't be fetched from, or what it names is no commit.
        """
        wanted = self.ask(ref, deadline)
        if wanted.commit is None or not self._has(wanted.commit, deadline):
            wanted = self._bring(wanted, deadline)
        return Fetched(self._peel(wanted.commit or str(ref), ref, deadline), wanted.label)

    def list_entries(self, tree: str, deadline: Deadline) -> list[Entry]:
        """Return all files below a commit or a tree of it."""
        output = self._run(["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", tree], deadline)
        return [_parse_entry(line) for line in output.split(b"\0") if line]

    def read_submodules(self, commit: str, deadline: Deadline) -> dict[str, str]:
        """Return the addresses of the submodules of a commit, as they are written there, by their paths."""
        try:
            output = self._run(
                ["config", "-z", f"--blob={commit}:.gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$"],
                deadline,
            )
        except GitFailed:
            return {}  # there is none, or it is broken: then its submodules have no address
        values: dict[str, dict[str, str]] = {}
        for item in output.decode("utf-8", "surrogateescape").split("\0"):
            key, _, value = item.partition("\n")
            name, _, field = key.rpartition(".")
            values.setdefault(name, {})[field] = value
        return {found["path"]: found["url"] for found in values.values() if {"path", "url"} <= found.keys()}

    def check_out(
        self, tree: str, into: Path, index: Path, deadline: Deadline, only: Sequence[str] | None = None
    ) -> None:
        """Write the files of a commit or a tree of it into a folder: all, or those of these paths."""
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        work_tree, listed = str(into), str(index)
        self._run(["read-tree", "--end-of-options", tree], deadline, work_tree=work_tree, index=listed)
        which = ["--all"] if only is None else ["-z", "--stdin"]
        paths = b"".join(os.fsencode(path) + b"\0" for path in only or ())
        try:
            self._run(
                ["checkout-index", "--force", "--quiet", *which],
                deadline,
                work_tree=work_tree,
                index=listed,
                feed=paths,
            )
        finally:
            index.unlink(missing_ok=True)

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _prepare(self, deadline: Deadline) -> None:
        """Make the mirror if it isn't there, and remove what somebody who was killed left in it."""
        if not (self._folder / "HEAD").is_file():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700)
            self._run(["init", "--quiet", "--bare", "--template=", "--initial-branch=none"], deadline)
        for leftover in [*self._folder.glob("*.lock"), *self._folder.glob("refs/**/*.lock")]:
            leftover.unlink(missing_ok=True)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _list_refs(self, names: Sequence[str], deadline: Deadline) -> Advertised:
        command = ["ls-remote", "--symref", "--", self._address.url, *names]
        try:
            output = self._git.run(
                command, deadline, what=f"Asking {self._shown} for its branches", protocols=self._protocols
            )
        except GitFailed as exc:
            raise explain_failure(self._address, "can't be read", exc) from exc
        return parse_advertised(output)

    def _bring(self, wanted: Wanted, deadline: Deadline) -> Wanted:
        name = wanted.name or wanted.commit
        if name is not None:
            own = f"refs/wanted/{sha256(name.encode()).hexdigest()[:20]}"
            try:
                self._fetch(["--depth=1", f"+{name}:{own}"], deadline)
            except GitFailed:
                pass  # not every server gives a part, or a commit by its id: then all is fetched
            else:
                return Wanted(wanted.name, own, wanted.label)
        try:
            self._fetch_all(deadline)
        except GitFailed:
            # What is here may be damaged, and is only a cache.
            self._make_anew(deadline)
            try:
                self._fetch_all(deadline)
            except GitFailed as exc:
                raise explain_failure(self._address, "can't be fetched", exc) from exc
        return wanted

    def _fetch_all(self, deadline: Deadline) -> None:
        whole = ["--unshallow"] if (self._folder / "shallow").exists() else []
        self._fetch([*whole, "--prune", *_ALL], deadline)

    def _fetch(self, arguments: Sequence[str], deadline: Deadline) -> None:
        options = [item for item in arguments if item.startswith("--")]
        refs = [item for item in arguments if not item.startswith("--")]
        fixed = ["--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"]
        self._git.run(
            ["fetch", *fixed, *options, "--end-of-options", self._address.url, *refs],
            deadline,
            what=f"Fetching {self._shown}",
            git_dir=str(self._folder),
            protocols=self._protocols,
        )

    def _make_anew(self, deadline: Deadline) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._prepare(deadline)

    def _has(self, commit: str, deadline: Deadline) -> bool:
        try:
            self._run(["cat-file", "-e", f"{commit}^{{commit}}"], deadline)
        except GitFailed:
            return False
        return True

    def _peel(self, name: str, ref: str | None, deadline: Deadline) -> str:
        try:
            output = self._run(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"], deadline)
        except GitFailed as exc:
            if ref is not None and is_commit(ref):
                raise missing_ref(self._address, ref, self._list_refs([], deadline)) from exc
            raise SourceError(
                f"{ref or 'HEAD'} of {self._shown} is no commit.", hint="Name a branch, a tag or a commit."
            ) from exc
        return output.decode("ascii").strip()

    def _run(
        self,
        arguments: Sequence[str],
        deadline: Deadline,
        *,
        work_tree: str | None = None,
        index: str | None = None,
        feed: bytes = b"",
    ) -> bytes:
        return self._git.run(
            arguments,
            deadline,
            what=f"Reading {self._shown}",
            git_dir=str(self._folder),
            work_tree=work_tree,
            index=index,
            feed=feed,
        )


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _parse_entry(line: bytes) -> Entry:
    head, _, path = line.partition(b"\t")
    mode, kind, name = head.decode("ascii").split(" ")
    return Entry(mode, kind, name, os.fsdecode(path))
