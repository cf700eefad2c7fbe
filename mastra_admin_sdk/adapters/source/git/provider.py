"""GitProjectSource: Mastra projects in git repositories, by branch, tag or commit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mastra_admin_sdk.adapters.source.local.copier import CopyFailed, CopyRules, clear_target, copy_tree
from mastra_admin_sdk.adapters.source.local.copier import explain_failure as explain_copy_failure
from mastra_admin_sdk.adapters.source.local.names import NamePatterns, show_path
from mastra_admin_sdk.adapters.source.local.provider import DEFAULT_EXCLUDE
from mastra_admin_sdk.adapters.source.local.targets import check_target
from mastra_admin_sdk.errors import InvalidInput, MastraAdminError, SourceError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import SourceProject
from mastra_admin_sdk.ports.checks import CancelCheck, never_cancelled
from mastra_admin_sdk.ports.source import ProjectSource, SourceCopy, SourceListing

from .addresses import Address, check_folder, looks_like_repository, make_address, parse_reference, read_address, redact
from .command import Deadline, Git, GitFailed, parse_credentials
from .export import Exporter
from .failures import explain_failure
from .mirror import Fetched, Mirror
from .skeleton import Skeleton, read_skeleton

_ASK_SECONDS = 60.0


class GitProjectSource(ProjectSource):
    """Deploys branches, tags and commits of repositories with the git command line.

    A project is named ``<url>[#[<ref>][:<folder>]]``, such as ``https://host/team/repo.git#main:packages/app``; the URL
    may be ``https``, ``ssh``, ``user@host:path`` or a folder. What is committed counts, not what lies in a work tree.
    Large files that are kept elsewhere (Git LFS) aren't fetched, submodules only when the project says so.

    Parameters:
        home: where copies of repositories are kept; they can be removed at any time.
        exclude: patterns of names that a copy leaves out, as for local folders.
        environment: of the person whose git, keys and proxies are used; a few variables are picked out of it.
        credentials: ``https://user:token@host``, several separated by blanks; each is sent to its host alone.
        timeout: seconds that fetching and copying may take together.

    Raises:
        InvalidInput: the credentials aren't of that form.
    """

    def __init__(
        self,
        home: Home,
        *,
        exclude: Iterable[str] = DEFAULT_EXCLUDE,
        environment: Mapping[str, str] | None = None,
        credentials: str = "",
        timeout: float = 600.0,
    ) -> None:
        parse_credentials(credentials)
        self._mirrors = home.git_mirrors
        self._git = Git(str(home.path), dict(environment or {}), credentials)
        self._rules = CopyRules(NamePatterns(exclude))
        self._timeout = timeout

    def recognizes(self, reference: str) -> bool:
        return looks_like_repository(reference)

    def scan(self, *, refresh: bool = False) -> SourceListing:  # noqa: ARG002 - repositories aren't searched for
        return SourceListing((), (), (str(self._mirrors),))

    def get_project(self, reference: str) -> SourceProject:
        address = parse_reference(reference)
        with self._open(address, address.ref, Deadline.after(self._timeout)) as (_, fetched, skeleton):
            return _make_project(address, fetched, skeleton)

    def validate_access(self, project: SourceProject) -> None:
        address = read_address(project.path)
        with self._open(address, address.ref, Deadline.after(self._timeout)):
            pass

    def get_project_path(self, project: SourceProject, target_dir: Path | None = None) -> Path:
        if target_dir is None:
            raise InvalidInput(
                f"The project {redact(project.path)} lies in a repository, not in a folder.",
                hint="Name a folder to copy it to.",
            )
        return self.fetch(self.describe_project(project), read_address(project.path).ref, target_dir).path

    def fetch(
        self, config: Mapping[str, Any], ref: str | None, target_dir: Path, cancel: CancelCheck = never_cancelled
    ) -> SourceCopy:
        address, target = _read_config(config), os.path.abspath(target_dir)
        check_target(target)
        existed = os.path.isdir(target)
        try:
            os.makedirs(target, mode=0o700, exist_ok=True)
            return self._fetch(address, ref, target, Deadline.after(self._timeout, cancel), config)
        except BaseException:
            clear_target(target, keep=existed)
            raise

    def describe_project(self, project: SourceProject) -> Mapping[str, Any]:
        address = read_address(project.path)
        return {"project_id": project.id, "url": address.url, "path": address.path}

    def read_revision(self, config: Mapping[str, Any], ref: str | None) -> str:
        address, deadline = _read_config(config), Deadline.after(_ASK_SECONDS)
        mirror = self._make_mirror(address)
        wanted = mirror.ask(ref, deadline)
        if wanted.commit and wanted.name:
            return wanted.commit
        # A commit by its id never changes, but may not exist: that can be told by fetching it alone.
        deadline = Deadline.after(self._timeout)
        with mirror.hold(deadline):
            return mirror.fetch(ref, deadline).commit

    def describe(self) -> str:
        return "git repositories"

    def __repr__(self) -> str:
        return "GitProjectSource()"

    def _fetch(
        self, address: Address, ref: str | None, target: str, deadline: Deadline, config: Mapping[str, Any]
    ) -> SourceCopy:
        staging = Path(target) / ".git"  # no path in a repository begins so
        exporter = Exporter(self._make_mirror, staging, deadline)
        with self._open(address, ref, deadline) as (mirror, fetched, skeleton):
            exporter.take(mirror, fetched.commit, skeleton.root)
        # After the lock is given back: a submodule is a repository with a lock of its own, perhaps the same one.
        skipped = exporter.finish(address, is_wanted=bool(config.get("submodules")))
        try:
            result = copy_tree(str(exporter.tree), target, self._rules, deadline.cancel, move=True)
        except CopyFailed as exc:
            raise _copy_error(address, target, exc) from exc
        shutil.rmtree(staging)
        return SourceCopy(
            _make_project(address, fetched, skeleton),
            Path(target),
            result.hash,
            result.files,
            result.bytes,
            tuple(sorted([*result.skipped, *skipped], key=lambda item: item.path)),
            skeleton.subdir,
            result.entries,
        )

    def _make_mirror(self, address: Address, *, alien: bool = False) -> Mirror:
        return Mirror(self._mirrors / f"{address.key}.git", address, self._git, alien=alien)

    @contextmanager
    def _open(
        self, address: Address, ref: str | None, deadline: Deadline
    ) -> Iterator[tuple[Mirror, Fetched, Skeleton]]:
        """Bring a commit here, and read where in it the project is; the mirror is held meanwhile."""
        mirror = self._make_mirror(address)
        try:
            with mirror.hold(deadline):
                fetched = mirror.fetch(ref, deadline)
                yield mirror, fetched, read_skeleton(mirror, address, fetched.commit, self._rules, deadline)
        except GitFailed as exc:
            raise explain_failure(address, "can't be read", exc) from exc
        except OSError as exc:
            raise SourceError(
                f"The copy of {redact(address.url)} in {self._mirrors} can't be used: {exc.strerror or exc}.",
                hint="Look at free space and at that folder's owner.",
            ) from exc


def _read_config(config: Mapping[str, Any]) -> Address:
    url, path = str(config.get("url") or ""), str(config.get("path") or "")
    try:
        # A folder that was written down is taken as it is: were it gone, one around it would be another repository.
        return Address(url, None, check_folder(path)) if url.startswith("/") else make_address(url, None, path)
    except MastraAdminError as exc:
        raise SourceError(exc.message, hint=exc.hint) from exc


def _make_project(address: Address, fetched: Fetched, skeleton: Skeleton) -> SourceProject:
    here = replace(address, ref=fetched.label)
    return replace(
        skeleton.project,
        id=address.project_id,
        path=str(address),
        git_branch=fetched.label,
        git_commit=fetched.commit,
        git_dirty=False,
        workspace_root=str(replace(here, path=skeleton.root)) if skeleton.subdir else None,
    )


def _copy_error(address: Address, target: str, error: CopyFailed) -> SourceError:
    return SourceError(
        f"Copying {redact(str(address))} to {show_path(target)} failed at {error.path or 'the folder'}: {error}.",
        hint=explain_copy_failure(error),
        evidence={"path": error.path},
    )
