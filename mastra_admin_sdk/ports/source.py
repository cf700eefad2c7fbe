"""Where projects come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mastra_admin_sdk.models import SkippedFolder, SourceProject

from .checks import CancelCheck, never_cancelled


@dataclass(frozen=True, slots=True)
class SourceListing:
    """What a search found: projects by name, what was passed over and why, and where it looked."""

    projects: tuple[SourceProject, ...]
    skipped: tuple[SkippedFolder, ...]
    searched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceCopy:
    """An isolated copy of a project.

    ``path`` is the root of the copy, ``subdir`` where in it the project lies (empty at its root; a package of a
    monorepo is copied with the whole of it). ``hash`` is the SHA-256 over names, modes and contents of what was copied:
    equal sources have equal hashes. ``entries`` maps each copied file, relative to ``path``, to the SHA-256 of its
    content (of a link: of its target).
    """

    project: SourceProject
    path: Path
    hash: str
    files: int
    bytes: int
    skipped: tuple[SkippedFolder, ...] = ()
    subdir: str = ""
    entries: Mapping[str, str] = field(default_factory=dict, repr=False)


class ProjectSource(ABC):
    """Finds Mastra projects and hands out copies of them."""

    def recognizes(self, reference: str) -> bool:  # noqa: ARG002 - for sources that know their own
        """Return whether a reference can only mean a project of this source; asked of each, without looking it up."""
        return False

    @abstractmethod
    def scan(self, *, refresh: bool = False) -> SourceListing:
        """Search and return what was found and what was skipped; a result up to 30 s old will do unless ``refresh``.

        A folder that can't be read, a broken package.json or a symlink loop is skipped with a reason, never raised.
        """

    def list_projects(self, *, refresh: bool = False) -> Sequence[SourceProject]:
        """Return the projects that were found, by name."""
        return self.scan(refresh=refresh).projects

    @abstractmethod
    def get_project(self, reference: str) -> SourceProject:
        """Return a project by id, name or path, read afresh.

        Raises:
            NotFound: nothing goes by that; the message names near ones and where it looked.
            InvalidInput: a name that several projects have; the message lists their paths.
        """

    @abstractmethod
    def validate_access(self, project: SourceProject) -> None:
        """Raise `SourceError` with the reason when the project can't be read or is no Mastra project any more."""

    @abstractmethod
    def get_project_path(self, project: SourceProject, target_dir: Path | None = None) -> Path:
        """Return a folder with the project's files: a fresh copy in ``target_dir``, or where it lies without one."""

    @abstractmethod
    def fetch(
        self, config: Mapping[str, Any], ref: str | None, target_dir: Path, cancel: CancelCheck = never_cancelled
    ) -> SourceCopy:
        """Copy a project into ``target_dir``, which must not exist or be empty.

        Left out: excluded folders, ``.env*`` files, and whatever a symlink would bring in from outside.

        Parameters:
            config: which one, as `describe_project` returned it.
            ref: branch, tag or commit, where the source knows such; a source that takes what lies there ignores it.
            target_dir: where the copy goes; what is left there by a copy that failed is the caller's to remove.
            cancel: asked often; what it raises ends the copying.

        Raises:
            SourceError: the project can't be read, or has no such ref.
        """

    @abstractmethod
    def describe_project(self, project: SourceProject) -> Mapping[str, Any]:
        """Return what `fetch` needs to find a project again, as JSON for the project's record."""

    @abstractmethod
    def read_revision(self, config: Mapping[str, Any], ref: str | None) -> str:
        """Return a text that changes when what `fetch` would copy changes: cheap enough to be asked again and again.

        Raises:
            SourceError: as `fetch`.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words what this is, for reprs and ``doctor``."""
