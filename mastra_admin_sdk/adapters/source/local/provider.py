"""LocalProjectSource: Mastra projects in folders of this machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import InvalidInput, NotFound, SourceError
from mastra_admin_sdk.models import SourceProject
from mastra_admin_sdk.ports.checks import CancelCheck, never_cancelled
from mastra_admin_sdk.ports.source import ProjectSource, SourceCopy, SourceListing

from .copier import CopyFailed, CopyRules, copy_tree, explain_failure, read_stamp
from .files import Unusable
from .git import read_git_state
from .lookup import ambiguous, match_projects, not_found
from .names import NamePatterns, is_portable, show_path, show_reference
from .reader import Candidate
from .records import make_source_project
from .scanner import SearchRules, is_inside, read_folder, search
from .targets import check_target

DEFAULT_EXCLUDE = ("node_modules", ".git", "dist", ".next", ".mastra")
CACHE_SECONDS = 30.0
_GIT_CALLS_AT_ONCE = 4


class LocalProjectSource(ProjectSource):
    """Finds Mastra projects in folders of this machine and copies them.

    A package of a monorepo is copied with the whole of it, and built with its root's package manager and lock file.

    Parameters:
        paths: folders to search, ``~`` is the user's own; none: the folder that is current now.
        include: patterns of folder names, or of paths below a searched folder, that count.
        exclude: such patterns that a search doesn't enter and a copy leaves out.
        max_depth: how many folders deep below ``paths`` a search goes.
        home: the home folder of MastraAdmin: never searched, never copied, and told to the git calls.
        clock: seconds that only go forward; tests pass their own.

    Raises:
        InvalidInput: a path can't be one, or the depth is negative.

    Example:
        >>> source = LocalProjectSource(["~/agents"])
        >>> [project.name for project in source.list_projects()]
        ['weather-agent']
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
        *,
        include: Iterable[str] = ("*",),
        exclude: Iterable[str] = DEFAULT_EXCLUDE,
        max_depth: int = 3,
        home: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_depth < 0:
            raise InvalidInput(f"A search can't go {max_depth} folders deep.", hint="Give max_depth as 0 or more.")
        listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
        bases = [_resolve(os.fspath(path)) for path in listed or ["."]]
        self._paths = tuple(dict.fromkeys(bases))
        own = frozenset({os.path.realpath(home)}) if home else frozenset[str]()
        self._rules = SearchRules(NamePatterns(include), NamePatterns(exclude), max_depth, own)
        self._git_environment = {"MASTRA_ADMIN_HOME": os.fspath(home)} if home else {}
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: tuple[float, SourceListing] | None = None

    def scan(self, *, refresh: bool = False) -> SourceListing:
        # Under the lock: of two who ask at once, the second gets the first one's answer.
        with self._lock:
            if refresh or self._cached is None or self._clock() - self._cached[0] >= CACHE_SECONDS:
                self._cached = (self._clock(), self._search())
            return self._cached[1]

    def get_project(self, reference: str) -> SourceProject:
        if not isinstance(reference, str) or not reference.strip() or "\0" in reference:
            raise InvalidInput("A project is named by its id, its name or its path; that was none.")
        if os.path.isabs(os.path.expanduser(reference)):
            return self._read_path(reference)
        found = self._look_up(reference, self.scan()) or self._look_up(reference, self.scan(refresh=True))
        return found or self._read_path(reference)

    def validate_access(self, project: SourceProject) -> None:
        self._read_candidate(project.name, project.path)

    def get_project_path(self, project: SourceProject, target_dir: Path | None = None) -> Path:
        if target_dir is not None:
            return self.copy(project, target_dir).path
        self.validate_access(project)
        return Path(project.path)

    def fetch(
        self,
        config: Mapping[str, Any],
        ref: str | None,  # noqa: ARG002 - a folder is built as it lies
        target_dir: Path,
        cancel: CancelCheck = never_cancelled,
    ) -> SourceCopy:
        return self.copy(self._find(config), target_dir, cancel)

    def describe_project(self, project: SourceProject) -> Mapping[str, Any]:
        return {"project_id": project.id, "path": project.path}

    def read_revision(self, config: Mapping[str, Any], ref: str | None) -> str:  # noqa: ARG002
        # The folder alone: asking git about 100,000 files would take longer than all the rest.
        path = str(config.get("path") or "") or self._find(config).path
        root = self._read_candidate(os.path.basename(path), path).root
        try:
            return read_stamp(root, self._copy_rules)
        except CopyFailed as exc:
            raise _no_access(os.path.basename(path), path, f"{exc.path or 'the folder itself'}: {exc}") from exc

    def copy(self, project: SourceProject, target_dir: Path, cancel: CancelCheck = never_cancelled) -> SourceCopy:
        """Copy a project that was read before."""
        candidate = self._read_candidate(project.name, project.path)
        target = os.path.abspath(target_dir)
        check_target(target)
        self._check_outside(candidate.root, target)
        try:
            result = copy_tree(candidate.root, target, self._copy_rules, cancel)
        except CopyFailed as exc:
            raise _copy_error(project, target, exc) from exc
        return SourceCopy(
            project,
            Path(target),
            result.hash,
            result.files,
            result.bytes,
            result.skipped,
            candidate.subdir,
            result.entries,
        )

    def describe(self) -> str:
        return f"local folders {', '.join(map(show_path, self._paths))} ({self._rules.max_depth} deep)"

    def __repr__(self) -> str:
        return f"LocalProjectSource({[show_path(path) for path in self._paths]})"

    @property
    def _copy_rules(self) -> CopyRules:
        return CopyRules(self._rules.exclude, self._rules.avoid)

    def _find(self, config: Mapping[str, Any]) -> SourceProject:
        try:
            return self.get_project(str(config.get("path") or config.get("project_id") or ""))
        except NotFound as exc:
            raise SourceError(
                exc.message, hint="Link the project to the folder where it lies now.", evidence=exc.evidence
            ) from exc

    def _read_candidate(self, name: str, path: str) -> Candidate:
        try:
            candidate = read_folder(path)
        except Unusable as exc:
            raise _no_access(name, path, str(exc)) from exc
        if candidate is None:
            raise _no_access(name, path, "it holds no package.json that names @mastra/core any more")
        return candidate

    def _search(self) -> SourceListing:
        findings = search(self._paths, self._rules)
        with ThreadPoolExecutor(_GIT_CALLS_AT_ONCE, thread_name_prefix="git-state") as pool:
            projects = list(pool.map(self._build_project, findings.candidates.values()))
        projects.sort(key=lambda project: (project.name.lower(), project.path))
        skipped = sorted(findings.skipped.values(), key=lambda entry: entry.path)
        return SourceListing(tuple(projects), tuple(skipped), self._paths)

    def _build_project(self, candidate: Candidate) -> SourceProject:
        return make_source_project(candidate, read_git_state(candidate.path, self._git_environment))

    def _look_up(self, reference: str, listing: SourceListing) -> SourceProject | None:
        matches = match_projects(reference, listing.projects)
        if len(matches) > 1:
            raise ambiguous(reference, matches)
        return self._read(matches[0].path) if matches else None

    def _read(self, path: str) -> SourceProject | None:
        try:
            candidate = read_folder(path)
        except Unusable:
            return None  # it changed since the search, whose next round reports it
        return self._build_project(candidate) if candidate else None

    def _read_path(self, reference: str) -> SourceProject:
        expanded = os.path.expanduser(reference)
        reason = ""
        if os.sep in expanded or expanded in (".", ".."):
            for path in (expanded, *(os.path.join(base, expanded) for base in self._paths)):
                if not os.path.isdir(path):
                    continue
                try:
                    candidate = read_folder(path)
                except Unusable as exc:
                    reason = str(exc)
                    continue
                if candidate:
                    return self._build_project(candidate)
                reason = reason or "that folder has no package.json that names @mastra/core"
        raise not_found(reference, self.scan(), reason)

    def _check_outside(self, root: str, target: str) -> None:
        real = os.path.realpath(target)
        if is_inside(real, root) and not any(is_inside(real, own) for own in self._rules.avoid):
            raise InvalidInput(
                f"The project in {show_path(root)} can't be copied into itself ({show_path(target)}).",
                hint="Copy it elsewhere.",
            )


def _resolve(path: str) -> str:
    if not path or "\0" in path or not is_portable(path):
        raise InvalidInput(f"Projects can't be searched in {show_reference(path)}: that is no path.")
    return os.path.realpath(os.path.expanduser(path))


def _no_access(name: str, path: str, reason: str) -> SourceError:
    return SourceError(
        f"The project {show_reference(name)} in {show_path(path)} can't be used: {reason}.",
        hint="Mend that, or link the project to the folder where it lies now.",
        evidence={"path": show_path(path)},
    )


def _copy_error(project: SourceProject, target: str, error: CopyFailed) -> SourceError:
    return SourceError(
        f"Copying the project {show_reference(project.name)} from {show_path(project.path)} to {show_path(target)} "
        f"failed at {error.path or 'the folder itself'}: {error}.",
        hint=explain_failure(error),
        evidence={"path": error.path},
    )
