"""From what was read in a folder to the record of a source project."""

from __future__ import annotations

import os
from hashlib import sha256

from mastra_admin_sdk.models import SourceProject

from .copier import is_env_file
from .git import GitState
from .names import choose_name, show_path
from .reader import Candidate, read_mastra_version


def make_source_project(candidate: Candidate, git: GitState) -> SourceProject:
    """Return the record of a project in a folder; what is on its disk besides its package.json is read."""
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
        workspace_root=candidate.root if candidate.root != candidate.path else None,
    )


def make_project_id(path: str) -> str:
    """Return the id of a project: a short hash of its real path, the same as long as it lies there."""
    return sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:12]
