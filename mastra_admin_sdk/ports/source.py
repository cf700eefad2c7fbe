"""Where projects come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mastra_admin_sdk.models import SkippedFolder, SourceProject


@dataclass(frozen=True, slots=True)
class SourceListing:
    """What a search found: projects by name, what was passed over and why, and where it looked."""

    projects: tuple[SourceProject, ...]
    skipped: tuple[SkippedFolder, ...]
    searched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceCopy:
    """An isolated copy of a project.

    ``hash`` is the SHA-256 over names, modes and contents of what was copied: equal sources have equal hashes.
    """

    project: SourceProject
    path: Path
    hash: str
    files: int
    bytes: int
    skipped: tuple[SkippedFolder, ...] = ()


class ProjectSource(ABC):
    """Finds Mastra projects and hands out copies of them."""

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
    def copy(self, project: SourceProject, target_dir: Path) -> SourceCopy:
        """Copy the project into ``target_dir``, which must not exist or be empty.

        Left out: excluded folders, ``.env*`` files, and whatever a symlink would bring in from outside the project.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words what this is, for reprs and ``doctor``."""
