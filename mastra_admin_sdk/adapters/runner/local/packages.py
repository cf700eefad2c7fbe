"""What a project folder says about itself: its package.json, versions of installed packages, the Mastra CLI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import BuildError


def read_package(folder: Path) -> Mapping[str, Any]:
    """Return a folder's package.json, or an empty mapping when there is none that can be read."""
    try:
        found = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def find_version(folder: Path, package: str) -> str | None:
    """Return the version of a package in a folder's own ``node_modules``, or ``None``.

    Folders above don't count: an artifact has to stand alone.
    """
    version = read_package(folder / "node_modules" / package).get("version")
    return str(version) if version else None


def wants_studio(folder: Path) -> bool:
    """True when a project's own build script is `mastra build` with its Studio."""
    script = (read_package(folder).get("scripts") or {}).get("build")
    words = script.split() if isinstance(script, str) else []
    return "mastra" in words and bool({"--studio", "-s"} & set(words))


def list_versions(*folders: Path) -> Mapping[str, str]:
    """Return the installed versions of what the first folder's package.json names; packages may lie in any folder."""
    groups = ("dependencies", "devDependencies", "optionalDependencies")
    named = {name for group in groups for name in (read_package(folders[0]).get(group) or {})}
    found = {name: [version for folder in folders if (version := find_version(folder, name))] for name in sorted(named)}
    return {name: versions[0] for name, versions in found.items() if versions}


def find_cli(folder: Path) -> Path | None:
    """Return the program of the project's own Mastra CLI, or ``None`` when it has none."""
    home = folder / "node_modules" / "mastra"
    programs = read_package(home).get("bin")
    relative = programs.get("mastra") if isinstance(programs, dict) else programs
    path = home / relative if isinstance(relative, str) else None
    return path if path and path.is_file() else None


def require_package(folder: Path) -> None:
    """Raise `BuildError` unless the folder has a package.json that can be read."""
    if not read_package(folder):
        raise BuildError(
            f"The source copy {folder} has no package.json that can be read.", hint="Is it a Mastra project?"
        )
