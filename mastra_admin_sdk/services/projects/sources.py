"""From what people write to the source that is meant: a folder of this machine, or a repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Project, SourceProject, SourceType
from mastra_admin_sdk.services.parts import Parts

SourceRef = str | Path | SourceProject


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A source project, the type of source it is from, and what a project's record keeps of it."""

    type: SourceType
    project: SourceProject
    config: Mapping[str, Any]


def find_source(
    parts: Parts,
    source: SourceRef | None = None,
    *,
    git: SourceRef | None = None,
    path: str | None = None,
    submodules: bool = False,
) -> FoundSource:
    """Return the source that is meant, after seeing that it can be read.

    Parameters:
        parts: with the sources there are.
        source: a name, id or path of a folder's project, or what can only be a repository, such as a URL.
        git: a repository, also one that lies in a folder of this machine.
        path: the folder of the project in the repository.
        submodules: whether the repository's submodules are fetched with it.

    Raises:
        InvalidInput: neither or both are given, or a folder with what only repositories have.
        NotFound: there is no such source.
        SourceError: it can't be read.
    """
    if (source is None) == (git is None):
        raise InvalidInput(
            "A project is made from one source.",
            hint="Give source= (a folder's project, a URL) or git= (a repository).",
        )
    kind = SourceType.GIT if git is not None else _recognize(parts, source)
    if kind is not SourceType.GIT and (path or submodules):
        raise InvalidInput(
            "Only a project in a repository has a path and submodules.", hint="Name the folder itself as the source."
        )
    reference = git if git is not None else source
    provider = parts.sources[kind]
    if isinstance(reference, SourceProject):
        found = reference
        provider.validate_access(found)
    else:
        # What was just read needs no second look.
        found = provider.get_project(_join(str(reference), path))
    config = provider.describe_project(found)
    return FoundSource(kind, found, {**config, "submodules": True} if submodules else config)


def name_source(project: Project) -> str:
    """Return where a project's code comes from, for people: a folder, or a repository and the folder in it."""
    config = project.source_config
    if project.source_type is SourceType.GIT:
        below = config.get("path")
        return f"{config.get('url')}#:{below}" if below else str(config.get("url"))
    return str(config.get("path"))


def _recognize(parts: Parts, source: SourceRef | None) -> SourceType:
    reference = source.path if isinstance(source, SourceProject) else str(source)
    return next((kind for kind, provider in parts.sources.items() if provider.recognizes(reference)), SourceType.LOCAL)


def _join(reference: str, path: str | None) -> str:
    """Add a folder to a reference of the form ``<url>[#[<ref>][:<folder>]]``."""
    if not path:
        return reference
    start, separator, ref = reference.rpartition("#")
    if not separator:
        start, ref = reference, ""
    if ":" in ref:
        raise InvalidInput(f"The folder is named twice: in {reference!r} and as {path!r}.", hint="Leave one out.")
    return f"{start}#{ref}:{path}"
