"""Walks folders and finds Mastra projects; what can't be read is reported, never raised."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from mastra_admin_sdk.models import SkippedFolder

from .files import Unusable, explain
from .names import NamePatterns, show_path
from .reader import Candidate, read_candidate

LOOP = "a symbolic link that leads back to itself or to a folder above it"


@dataclass(frozen=True, slots=True)
class SearchRules:
    """Where a search goes. Patterns are shell-like and meet a folder's name or its path below the base.

    A project counts when its folder, or one between it and the base, meets ``include``; a folder that meets
    ``exclude`` is never entered. A base counts always: somebody named it. ``avoid`` are real paths never entered.
    """

    include: NamePatterns
    exclude: NamePatterns
    max_depth: int
    avoid: frozenset[str] = frozenset()


@dataclass(slots=True)
class Findings:
    """What a search found, in the order of the walk."""

    candidates: dict[str, Candidate] = field(default_factory=dict)
    skipped: dict[str, SkippedFolder] = field(default_factory=dict)

    def skip(self, path: str, reason: str) -> None:
        """Note a folder that was passed over, once."""
        self.skipped.setdefault(path, SkippedFolder(show_path(path), reason))


@dataclass(frozen=True, slots=True)
class _Place:
    real: str
    relative: str
    depth: int


def search(bases: Sequence[str], rules: SearchRules) -> Findings:
    """Walk the bases breadth first and return the projects and what was passed over.

    A project's own folders are searched too: the root of a monorepo may be one, and so may its workspaces.
    """
    return _Search(rules).run(bases)


def read_folder(path: str, top: str | None = None) -> Candidate | None:
    """Return the project in one folder, whatever the rules; ``None`` when there is none.

    Parameters:
        path: the folder.
        top: a folder above which no monorepo is looked for.

    Raises:
        Unusable: the folder or its package.json can't be read.
    """
    try:
        names = frozenset(os.listdir(path))
    except OSError as exc:
        raise Unusable(explain(exc)) from exc
    return read_candidate(os.path.realpath(path), names, top)


class _Search:
    def __init__(self, rules: SearchRules) -> None:
        self._rules = rules
        self._findings = Findings()
        self._seen: dict[str, int] = {}
        self._places: deque[_Place] = deque()
        # Symbolic links come last, so that a folder is known by the place where it lies.
        self._links: deque[_Place] = deque()

    def run(self, bases: Sequence[str]) -> Findings:
        self._places.extend(_Place(os.path.realpath(base), "", 0) for base in bases)
        while self._places or self._links:
            place = self._places.popleft() if self._places else self._links.popleft()
            # A folder met again nearer to a base is walked again: more of it is within reach.
            if place.depth < self._seen.get(place.real, self._rules.max_depth + 1):
                self._seen[place.real] = place.depth
                self._visit(place)
        return self._findings

    def _visit(self, place: _Place) -> None:
        try:
            with os.scandir(place.real) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as exc:
            if place.depth == 0 or exc.errno != errno.ENOENT:  # below a base, it went away while we looked
                self._findings.skip(place.real, f"the folder can't be read: {explain(exc)}")
            return
        self._read(place, frozenset(entry.name for entry in found))
        if place.depth < self._rules.max_depth:
            for entry in found:
                self._enqueue(place, entry)

    def _read(self, place: _Place, names: frozenset[str]) -> None:
        if not self._includes(place.relative) or place.real in self._findings.candidates:
            return
        try:
            candidate = read_candidate(place.real, names)
        except Unusable as exc:
            self._findings.skip(place.real, str(exc))
        else:
            if candidate:
                self._findings.candidates[place.real] = candidate

    def _includes(self, relative: str) -> bool:
        parts = relative.split("/")
        return not relative or any(
            self._rules.include.match(part, "/".join(parts[: index + 1])) for index, part in enumerate(parts)
        )

    def _enqueue(self, parent: _Place, entry: os.DirEntry[str]) -> None:
        relative = f"{parent.relative}/{entry.name}".lstrip("/")
        if self._rules.exclude.match(entry.name, relative):
            return
        path = os.path.join(parent.real, entry.name)
        try:
            if not entry.is_dir():
                return
        except OSError as exc:
            self._findings.skip(path, LOOP if exc.errno == errno.ELOOP else explain(exc))
            return
        if entry.is_symlink():
            self._enqueue_link(parent, path, relative)
        elif path not in self._rules.avoid:
            self._places.append(_Place(path, relative, parent.depth + 1))

    def _enqueue_link(self, parent: _Place, path: str, relative: str) -> None:
        real = os.path.realpath(path)
        if is_inside(parent.real, real):
            self._findings.skip(path, LOOP)
        elif real not in self._rules.avoid and not self._rules.exclude.match(os.path.basename(real), real):
            self._links.append(_Place(real, relative, parent.depth + 1))


def is_inside(path: str, folder: str) -> bool:
    """Return whether a real path is a folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
