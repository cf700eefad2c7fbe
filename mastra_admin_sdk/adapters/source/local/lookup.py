"""Finds a project among those known, and says helpfully when there is none (pure)."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import SourceProject
from mastra_admin_sdk.ports.source import SourceListing

from .names import show_path, show_reference


def match_projects(reference: str, projects: Sequence[SourceProject]) -> list[SourceProject]:
    """Return the projects that go by an id, else by a name, else by their folder's name."""
    return (
        [project for project in projects if project.id == reference]
        or [project for project in projects if project.name == reference]
        or [project for project in projects if os.path.basename(project.path) == reference]
    )


def ambiguous(reference: str, matches: Sequence[SourceProject]) -> InvalidInput:
    """Return the error for a name that several projects have."""
    return InvalidInput(
        f"{len(matches)} projects go by {show_reference(reference)}, so it can't be told which one is meant.",
        hint="Name it by its path or its id.",
        evidence={"candidates": [f"{project.id}  {show_path(project.path)}" for project in matches]},
    )


def not_found(reference: str, listing: SourceListing, reason: str = "") -> NotFound:
    """Return the error for a reference that nothing goes by; ``reason`` says what is wrong with a path that exists."""
    evidence: dict[str, object] = {"searched": [show_path(path) for path in listing.searched]}
    skipped = [f"{entry.path}: {entry.reason}" for entry in listing.skipped if _resembles(reference, entry.path)]
    if skipped:
        evidence["skipped"] = skipped
    found = f"{len(listing.projects)} Mastra project{'' if len(listing.projects) == 1 else 's'} found"
    return NotFound(
        f"There is no Mastra project {show_reference(reference)}" + (f": {reason}." if reason else f" ({found})."),
        hint=_hint(reference, listing.projects),
        evidence=evidence,
    )


def _resembles(reference: str, path: str) -> bool:
    return os.path.basename(reference.rstrip("/")) == os.path.basename(path)


def _hint(reference: str, projects: Sequence[SourceProject]) -> str:
    names = sorted({name for project in projects for name in (project.name, os.path.basename(project.path))})
    near = difflib.get_close_matches(os.path.basename(reference.rstrip("/"))[:120], names, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(show_reference(name) for name in near)}?"
    if names:
        known = ", ".join(show_reference(project.name) for project in projects[:10])
        return f"Found: {known}{', …' if len(projects) > 10 else ''}. A path works too."
    return "A project is a folder whose package.json names @mastra/core: search other folders, or give its path."
