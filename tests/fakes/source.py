"""A project source in memory, for tests of what uses one."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import InvalidInput, NotFound, SourceError
from mastra_admin_sdk.models import SkippedFolder, SourceProject
from mastra_admin_sdk.ports.checks import CancelCheck, never_cancelled
from mastra_admin_sdk.ports.source import ProjectSource, SourceCopy, SourceListing

EXCLUDED = {"node_modules", ".git", "dist", ".next", ".mastra"}


@dataclass
class FakeProjectSource(ProjectSource):
    """Holds projects as ``{folder: {file: content}}`` below a folder that needn't exist.

    Example:
        >>> source = FakeProjectSource()
        >>> source.add("weather-agent", {"src/index.ts": "export {}"}).name
        'weather-agent'
    """

    root: str = "/fake/agents"
    projects: dict[str, SourceProject] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def add(self, folder: str, files: Mapping[str, str] | None = None, **metadata: Any) -> SourceProject:
        """Add a project, or replace it; ``metadata`` are fields of `SourceProject`."""
        path = f"{self.root}/{folder}"
        defaults: dict[str, Any] = {
            "id": hashlib.sha256(path.encode()).hexdigest()[:12],
            "name": folder,
            "path": path,
            "mastra_version": "1.71.0",
            "env_files": tuple(sorted(name for name in files or {} if name.startswith(".env"))),
        }
        self.projects[path] = SourceProject(**{**defaults, **metadata})
        content = {"package.json": f'{{"name": "{folder}"}}', **(files or {})}
        self.files[path] = {name: text.encode() for name, text in content.items()}
        return self.projects[path]

    def add_broken(self, folder: str, reason: str = "its package.json is broken") -> None:
        """Add a folder that is skipped with this reason."""
        self.broken[f"{self.root}/{folder}"] = reason

    def write(self, folder: str, name: str, text: str) -> None:
        """Change one file of a project."""
        self.files[f"{self.root}/{folder}"][name] = text.encode()

    def remove(self, folder: str) -> None:
        """Forget a project, as if its folder were gone."""
        self.projects.pop(f"{self.root}/{folder}")
        self.files.pop(f"{self.root}/{folder}")

    def scan(self, *, refresh: bool = False) -> SourceListing:
        skipped = tuple(SkippedFolder(path, reason) for path, reason in sorted(self.broken.items()))
        found = sorted(self.projects.values(), key=lambda project: project.name)
        return SourceListing(tuple(found), skipped, (self.root,))

    def get_project(self, reference: str) -> SourceProject:
        if not reference.strip() or "\0" in reference:
            raise InvalidInput("A project is named by its id, its name or its path; that was none.")
        found = [each for each in self.projects.values() if reference in (each.id, each.name, each.path)]
        if len(found) > 1:
            paths = [each.path for each in found]
            raise InvalidInput(f"{len(found)} projects go by {reference!r}.", evidence={"candidates": paths})
        if found:
            return found[0]
        near = difflib.get_close_matches(reference, [each.name for each in self.projects.values()])
        hint = f"Did you mean {near[0]!r}?" if near else ""
        raise NotFound(f"There is no project {reference!r}.", hint=hint, evidence={"searched": [self.root]})

    def validate_access(self, project: SourceProject) -> None:
        if project.path not in self.projects:
            raise SourceError(f"The project in {project.path} can't be used: it is gone.")

    def get_project_path(self, project: SourceProject, target_dir: Path | None = None) -> Path:
        if target_dir is not None:
            return self.copy(project, target_dir).path
        self.validate_access(project)
        return Path(project.path)

    def fetch(
        self, config: Mapping[str, Any], ref: str | None, target_dir: Path, cancel: CancelCheck = never_cancelled
    ) -> SourceCopy:
        cancel()
        return self.copy(self._find(config), target_dir)

    def describe_project(self, project: SourceProject) -> Mapping[str, Any]:
        return {"project_id": project.id, "path": project.path}

    def read_revision(self, config: Mapping[str, Any], ref: str | None) -> str:
        project = self._find(config)
        return hashlib.sha256(repr(sorted(self.files[project.path].items())).encode()).hexdigest()

    def _find(self, config: Mapping[str, Any]) -> SourceProject:
        try:
            return self.get_project(str(config.get("path")))
        except NotFound as exc:
            raise SourceError(exc.message) from exc

    def copy(self, project: SourceProject, target_dir: Path) -> SourceCopy:
        self.validate_access(project)
        if target_dir.exists() and (not target_dir.is_dir() or any(target_dir.iterdir())):
            raise InvalidInput(f"A project can't be copied to {target_dir}: it isn't empty.")
        kept = {name: data for name, data in self.files[project.path].items() if not _is_left_out(name)}
        digest = hashlib.sha256()
        for name, data in sorted(kept.items()):
            digest.update(f"{len(name)}:{name}{len(data)}:".encode() + data)
            target = target_dir / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        entries = {name: hashlib.sha256(data).hexdigest() for name, data in kept.items()}
        size = sum(map(len, kept.values()))
        return SourceCopy(project, target_dir, digest.hexdigest(), len(kept), size, entries=entries)

    def describe(self) -> str:
        return f"projects in memory ({len(self.projects)})"


def _is_left_out(name: str) -> bool:
    return any(part in EXCLUDED or part.startswith(".env") for part in name.split("/"))
