"""What was found on this machine that a project can be made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from mastra_admin_sdk import models
from mastra_admin_sdk.ports.source import SourceListing

from .base import Answer, Query


class SourceProject(Answer):
    """A Mastra project in a folder."""

    id: str = Field(description="Stands for its folder: it changes when that is moved.")
    name: str
    path: str
    version: str | None
    package_manager: models.PackageManager
    has_lockfile: bool
    mastra_version: str | None
    has_mastra_cli: bool
    has_observability: bool
    node_range: str | None
    env_files: Sequence[str] = Field(description="Names of files with variables; they are never copied.")
    git_branch: str | None
    git_commit: str | None
    git_dirty: bool | None
    workspace_root: str | None = Field(description="The monorepo it is a package of, and is built with.")

    @classmethod
    def of(cls, project: models.SourceProject) -> Self:
        """Return what was found as the API shows it."""
        return cls(**{name: getattr(project, name) for name in cls.model_fields})


class SkippedFolder(Answer):
    """A folder that was passed over although it looked like a project."""

    path: str
    reason: str


class SourceList(Answer):
    """What a search found, what it passed over and why, and where it looked."""

    projects: Sequence[SourceProject]
    skipped: Sequence[SkippedFolder]
    searched: Sequence[str]

    @classmethod
    def of(cls, listing: SourceListing) -> Self:
        """Return the result of a search."""
        return cls(
            projects=[SourceProject.of(project) for project in listing.projects],
            skipped=[SkippedFolder(path=item.path, reason=item.reason) for item in listing.skipped],
            searched=listing.searched,
        )


class SourceQuery(Query):
    """How to search."""

    refresh: bool = Field(False, description="Search now; else a result of the last 30 seconds will do.")


class SourceItem(Answer):
    """One project that was found."""

    project: SourceProject


class Validation(Answer):
    """Whether a source can be read and is a Mastra project."""

    valid: bool
    reason: str | None = Field(description="Why not.")
    hint: str = Field(description="What to do about it.")
    project: SourceProject


class ValidationItem(Answer):
    """The result of a look at a source."""

    validation: Validation
