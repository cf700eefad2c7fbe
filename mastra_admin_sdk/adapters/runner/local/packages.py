"""What a project folder says about itself: package managers, lock files, versions of installed packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import BuildError, ToolMissing
from mastra_admin_sdk.models import PackageManager

from .toolchain import Toolchain, find_tool

_LOCK_FILES: Mapping[PackageManager, tuple[str, ...]] = {
    PackageManager.NPM: ("package-lock.json", "npm-shrinkwrap.json"),
    PackageManager.PNPM: ("pnpm-lock.yaml",),
    PackageManager.YARN: ("yarn.lock",),
    PackageManager.BUN: ("bun.lock", "bun.lockb"),
}


def has_lockfile(folder: Path, manager: PackageManager) -> bool:
    """True when the folder holds a lock file of this package manager."""
    return any((folder / name).is_file() for name in _LOCK_FILES[manager])


def find_manager_program(manager: PackageManager, tools: Toolchain, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the start of the argument list that runs a package manager.

    Raises:
        ToolMissing: it isn't on PATH. Its lock file is never passed over: other versions would be deployed than meant.
    """
    if manager is PackageManager.NPM:
        return tools.npm
    program = find_tool(manager.value, environment)
    if program is None:
        raise ToolMissing(
            f"The project is locked by {manager} ({_LOCK_FILES[manager][0]}), and there is no `{manager}` on PATH.",
            hint=f"Install it (`npm install -g {manager}`), or lock the project with npm instead: remove "
            f"{_LOCK_FILES[manager][0]} and run `npm install`.",
        )
    return (str(program),)


def is_modern_yarn(folder: Path) -> bool:
    """True when the project uses yarn 2 or later."""
    declared = str(read_package(folder).get("packageManager", ""))
    return (folder / ".yarnrc.yml").exists() or (declared.startswith("yarn@") and not declared.startswith("yarn@1"))


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
