"""What a package.json and the names beside it say about a project (pure)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mastra_admin_sdk.models import PackageManager

from .names import clean_text
from .workspaces import PNPM_WORKSPACE, Workspace

CORE = "@mastra/core"
CLI = "mastra"
OBSERVABILITY = "@mastra/observability"

LOCKFILES: Mapping[PackageManager, tuple[str, ...]] = {
    PackageManager.PNPM: ("pnpm-lock.yaml",),
    PackageManager.YARN: ("yarn.lock",),
    PackageManager.BUN: ("bun.lock", "bun.lockb"),
    PackageManager.NPM: ("package-lock.json", "npm-shrinkwrap.json"),
}
"""The lock files of each package manager, in the order in which they are looked for."""

_LOCKED_VERSION: Mapping[str, re.Pattern[str]] = {
    "package-lock.json": re.compile(r'"(?:node_modules/)?@mastra/core": \{\s*"version": "([^"\s]+)"'),
    "npm-shrinkwrap.json": re.compile(r'"(?:node_modules/)?@mastra/core": \{\s*"version": "([^"\s]+)"'),
    "pnpm-lock.yaml": re.compile(
        r"""^ +['"]?@mastra/core['"]?:\n(?: +specifier:[^\n]*\n)? +version: ['"]?(\d[^\s('"]*)""", re.M
    ),
    "yarn.lock": re.compile(r'^"?@mastra/core@[^\n]*:\n +version:? "?(\d[^"\s]*)', re.M),
    "bun.lock": re.compile(r'"@mastra/core": \["@mastra/core@(\d[^"\s]*)"'),
}


@dataclass(frozen=True, slots=True)
class Detection:
    """What was recognised; ``mastra_range`` is as written in the package.json, ``lockfile`` a name or ``None``."""

    version: str | None
    package_manager: PackageManager
    lockfile: str | None
    mastra_range: str | None
    has_mastra_cli: bool
    has_observability: bool
    node_range: str | None


def detect_project(manifest: Mapping[str, Any], names: Collection[str]) -> Detection | None:
    """Return what a folder with this package.json and these names in it is; ``None`` when it is no Mastra project."""
    dependencies = _join_dependencies(manifest)
    if CORE not in dependencies:
        return None
    manager = _choose_manager(manifest.get("packageManager"), names)
    engines = manifest.get("engines")
    return Detection(
        version=clean_text(manifest.get("version")),
        package_manager=manager,
        lockfile=next((name for name in LOCKFILES[manager] if name in names), None),
        mastra_range=clean_text(dependencies[CORE]),
        has_mastra_cli=CLI in dependencies,
        has_observability=OBSERVABILITY in dependencies,
        node_range=clean_text(engines.get("node")) if isinstance(engines, Mapping) else None,
    )


def join_workspace(detection: Detection, manifest: Mapping[str, Any], workspace: Workspace) -> Detection:
    """Return what a package of a monorepo is: its root's package manager and lock file count."""
    names = workspace.names
    manager = _choose_manager(workspace.manifest.get("packageManager") or manifest.get("packageManager"), names)
    if PNPM_WORKSPACE in names and not any(name in names for names_of in LOCKFILES.values() for name in names_of):
        manager = PackageManager.PNPM
    lockfile = next((name for name in LOCKFILES[manager] if name in names), None)
    return replace(detection, package_manager=manager, lockfile=lockfile)


def find_locked_version(lockfile: str, text: str) -> str | None:
    """Return the version of ``@mastra/core`` that a lock file pins; ``None`` when it can't be told."""
    pattern = _LOCKED_VERSION.get(lockfile)
    match = pattern.search(text) if pattern else None
    return clean_text(match.group(1)) if match else None


def _join_dependencies(manifest: Mapping[str, Any]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for key in ("devDependencies", "dependencies"):
        value = manifest.get(key)
        joined |= value if isinstance(value, dict) else {}
    return joined


def _choose_manager(field: object, names: Collection[str]) -> PackageManager:
    named = field.partition("@")[0].strip() if isinstance(field, str) else ""
    if named in set(PackageManager):
        return PackageManager(named)
    for manager, lockfiles in LOCKFILES.items():
        if any(name in names for name in lockfiles):
            return manager
    return PackageManager.NPM
