"""LocalProjectSource: Mastra projects in folders of this machine."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import InvalidInput, SourceError
from mastra_admin_sdk.models import SourceProject
from mastra_admin_sdk.ports.checks import CancelCheck, never_cancelled
from mastra_admin_sdk.ports.source import ProjectSource, SourceCopy, SourceListing

from .copier import CopyFailed, CopyRules, copy_tree, is_env_file, read_stamp
from .git import read_git_state
from .lookup import ambiguous, match_projects, not_found
from .names import NamePatterns, choose_name, is_portable, show_path, show_reference
from .reader import Candidate, Unusable, read_mastra_version
from .scanner import SearchRules, is_inside, read_folder, search

DEFAULT_EXCLUDE = ("node_modules", ".git", "dist", ".next", ".mastra")
CACHE_SECONDS = 30.0
_GIT_CALLS_AT_ONCE = 4


class LocalProjectSource(ProjectSource):
    """Finds Mastra projects in folders of this machine and copies them.

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
        try:
            candidate = read_folder(project.path)
        except Unusable as exc:
            raise _no_access(project, str(exc)) from exc
        if candidate is None:
            raise _no_access(project, "it holds no package.json that names @mastra/core any more")

    def get_project_path(self, project: SourceProject, target_dir: Path | None = None) -> Path:
        if target_dir is not None:
            return self.copy(project, target_dir).path
        self.validate_access(project)
        return Path(project.path)

    def fetch(
        self,
        config: Mapping[str, Any],
        ref: str | None,  # noqa: ARG002
        target_dir: Path,
        cancel: CancelCheck = never_cancelled,
    ) -> SourceCopy:
        return self.copy(self._find(config), target_dir, cancel)

    def describe_project(self, project: SourceProject) -> Mapping[str, Any]:
        return {"project_id": project.id, "path": project.path}

    def read_revision(self, config: Mapping[str, Any], ref: str | None) -> str:  # noqa: ARG002
        project = self._find(config)
        rules = CopyRules(self._rules.exclude, self._rules.avoid)
        try:
            return read_stamp(os.path.realpath(project.path), rules)
        except CopyFailed as exc:
            raise _no_access(project, f"{exc.path or 'the folder itself'}: {exc}") from exc

    def copy(self, project: SourceProject, target_dir: Path, cancel: CancelCheck = never_cancelled) -> SourceCopy:
        """Copy a project that was read before."""
        self.validate_access(project)
        root, target = os.path.realpath(project.path), os.path.abspath(target_dir)
        self._check_target(root, target)
        try:
            result = copy_tree(root, target, CopyRules(self._rules.exclude, self._rules.avoid), cancel)
        except CopyFailed as exc:
            raise _copy_error(project, target, exc) from exc
        return SourceCopy(
            project, Path(target), result.hash, result.files, result.bytes, result.skipped, entries=result.entries
        )

    def describe(self) -> str:
        return f"local folders {', '.join(map(show_path, self._paths))} ({self._rules.max_depth} deep)"

    def __repr__(self) -> str:
        return f"LocalProjectSource({[show_path(path) for path in self._paths]})"

    def _find(self, config: Mapping[str, Any]) -> SourceProject:
        return self.get_project(str(config.get("path") or config.get("project_id") or ""))

    def _search(self) -> SourceListing:
        findings = search(self._paths, self._rules)
        with ThreadPoolExecutor(_GIT_CALLS_AT_ONCE, thread_name_prefix="git-state") as pool:
            projects = list(pool.map(self._build_project, findings.candidates.values()))
        projects.sort(key=lambda project: (project.name.lower(), project.path))
        skipped = sorted(findings.skipped.values(), key=lambda entry: entry.path)
        return SourceListing(tuple(projects), tuple(skipped), self._paths)

    def _build_project(self, candidate: Candidate) -> SourceProject:
        git = read_git_state(candidate.path, self._git_environment)
        detection = candidate.detection
        return SourceProject(
            id=make_project_id(candidate.path),
            name=choose_name(candidate.manifest.get("name"), candidate.path),
            path=candidate.path,
            version=detection.version,
            package_manager=detection.package_manager,
            has_lockfile=detection.lockfile is not None,
            mastra_version=read_mastra_version(candidate),
            has_mastra_cli=detection.has_mastra_cli,
            has_observability=detection.has_observability,
            node_range=detection.node_range,
            env_files=tuple(sorted(show_path(name) for name in candidate.names if is_env_file(name))),
            git_branch=git.branch,
            git_commit=git.commit,
            git_dirty=git.dirty,
        )

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

    def _check_target(self, root: str, target: str) -> None:
        shown = show_path(target)
        if os.path.islink(target) or (os.path.lexists(target) and not os.path.isdir(target)):
            raise InvalidInput(f"A project can't be copied to {shown}: that isn't a folder.", hint="Name another one.")
        if os.path.isdir(target) and os.listdir(target):
            raise InvalidInput(f"A project can't be copied to {shown}: it isn't empty.", hint="Name a new folder.")
        real = os.path.realpath(target)
        if is_inside(real, root) and not any(is_inside(real, own) for own in self._rules.avoid):
            raise InvalidInput(
                f"The project in {show_path(root)} can't be copied into itself ({shown}).", hint="Copy it elsewhere."
            )


def make_project_id(path: str) -> str:
    """Return the id of a project: a short hash of its real path, the same as long as it lies there."""
    return sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:12]


def _resolve(path: str) -> str:
    if not path or "\0" in path or not is_portable(path):
        raise InvalidInput(f"Projects can't be searched in {show_reference(path)}: that is no path.")
    return os.path.realpath(os.path.expanduser(path))


def _no_access(project: SourceProject, reason: str) -> SourceError:
    return SourceError(
        f"The project {show_reference(project.name)} in {show_path(project.path)} can't be used: {reason}.",
        hint="Mend that, or link the project to the folder where it lies now.",
        evidence={"path": show_path(project.path)},
    )


def _copy_error(project: SourceProject, target: str, error: CopyFailed) -> SourceError:
    hints = {
        errno.ENOSPC: "Free some disk space and try again.",
        errno.EDQUOT: "Free some disk space and try again.",
        errno.EACCES: "Make it readable, or exclude it (source_exclude).",
    }
    return SourceError(
        f"Copying the project {show_reference(project.name)} from {show_path(project.path)} to {show_path(target)} "
        f"failed at {error.path or 'the folder itself'}: {error}.",
        hint=hints.get(error.errno or 0, "Nothing was left behind; try again."),
        evidence={"path": error.path},
    )
