"""The source projects that were found on this machine, for choosing one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mastra_admin_sdk.models import Project, SkippedFolder, SourceProject, SourceType
from mastra_admin_sdk.ports.source import SourceListing


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source project. ``used_by`` are the projects that are made from it already; ``warning`` is what to know."""

    id: str
    name: str
    path: str
    package_manager: str
    mastra_version: str | None
    branch: str | None
    commit: str | None
    is_dirty: bool
    env_files: tuple[str, ...]
    workspace_root: str | None
    used_by: tuple[tuple[str, str], ...]
    warning: str | None


@dataclass(frozen=True, slots=True)
class SourceList:
    """What was found, what was passed over and why, and where it was looked."""

    rows: tuple[SourceRow, ...]
    skipped: tuple[SkippedFolder, ...]
    searched: tuple[str, ...]


def describe_sources(listing: SourceListing, projects: Iterable[Project]) -> SourceList:
    """Return a listing; those that no project is made from yet come first."""
    users: dict[str, list[tuple[str, str]]] = {}
    for project in projects:
        if project.source_type is SourceType.LOCAL:
            users.setdefault(str(project.source_config.get("path")), []).append((project.id, project.name))
    rows = [_describe(item, tuple(users.get(item.path, ()))) for item in listing.projects]
    return SourceList(tuple(sorted(rows, key=lambda row: bool(row.used_by))), listing.skipped, listing.searched)


def _describe(source: SourceProject, used_by: tuple[tuple[str, str], ...]) -> SourceRow:
    return SourceRow(
        id=source.id,
        name=source.name,
        path=source.path,
        package_manager=source.package_manager.value,
        mastra_version=source.mastra_version,
        branch=source.git_branch,
        commit=source.git_commit[:10] if source.git_commit else None,
        is_dirty=bool(source.git_dirty),
        env_files=source.env_files,
        workspace_root=source.workspace_root,
        used_by=used_by,
        warning=_warn(source),
    )


def _warn(source: SourceProject) -> str | None:
    if source.mastra_version is None:
        return "Its package.json names no version of @mastra/core."
    if not source.has_lockfile:
        return "It has no lock file: each build may install other versions."
    return None
