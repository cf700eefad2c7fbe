"""Members of a workspace that a project uses and that have to be built before it: a copy comes without their output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .packages import read_package

_GROUPS = ("dependencies", "devDependencies", "optionalDependencies")
_ENTRIES = ("main", "module", "exports")
_DEFAULT_OUTPUT = "dist"


@dataclass(frozen=True, slots=True)
class Sibling:
    """A member that isn't built: ``missing`` is the first thing its package.json points to that isn't there."""

    name: str
    folder: Path
    missing: str


def list_unbuilt(project: Path, root: Path) -> tuple[Sibling, ...]:
    """Return what has to be built for a project, each after what it needs itself.

    A member counts when the project depends on it, also through others, it has a build script, and something that its
    package.json points to isn't there. The workspace has to be installed: its links tell where members lie.
    """
    members = _list_members(project, root.resolve(), {project.resolve()})
    return tuple(sibling for folder in members if (sibling := _look_at(folder)))


def _list_members(package: Path, root: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield the members that a package depends on, each after its own dependencies."""
    manifest = read_package(package)
    for name in {name: None for group in _GROUPS for name in (manifest.get(group) or {})}:
        folder = _find_member(name, package.resolve(), root)
        if folder and folder not in seen:
            seen.add(folder)
            yield from _list_members(folder, root, seen)
            yield folder


def _find_member(name: str, package: Path, root: Path) -> Path | None:
    """Return where a dependency lies if it is a member: a link out of node_modules into the workspace."""
    for folder in (package, *package.parents):
        link = folder / "node_modules" / name
        if link.is_symlink():
            target = link.resolve()
            is_inside = target.is_relative_to(root) and "node_modules" not in target.relative_to(root).parts
            return target if is_inside and target.is_dir() else None
        if link.is_dir() or folder == root:
            return None
    return None


def _look_at(folder: Path) -> Sibling | None:
    manifest = read_package(folder)
    scripts = manifest.get("scripts")
    if not isinstance(scripts, dict) or not scripts.get("build"):
        return None
    missing = _find_missing(folder, manifest)
    return Sibling(str(manifest.get("name") or folder.name), folder, missing) if missing else None


def _find_missing(folder: Path, manifest: Mapping[str, Any]) -> str | None:
    """Return what isn't there; types alone don't count, as nothing of them is needed to build or to run."""
    named = [target for entry in _ENTRIES for target in _list_targets(manifest.get(entry))]
    wanted = [target for target in named if not target.endswith((".d.ts", ".d.mts", ".d.cts"))]
    for target in wanted or [_DEFAULT_OUTPUT]:
        # A pattern stands for the files of a folder.
        fixed = target.partition("*")[0]
        if not _exists(folder / (fixed.rpartition("/")[0] if "*" in target else fixed)):
            return target.removeprefix("./")
    return None


def _exists(path: Path) -> bool:
    """Say whether an entry is there as Node would find it: ``main`` may leave out the suffix."""
    return path.exists() or any(path.with_name(f"{path.name}{suffix}").is_file() for suffix in (".js", ".json"))


def _list_targets(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        for key, value in entry.items():
            if key != "types":
                yield from _list_targets(value)
    elif isinstance(entry, list):
        for value in entry:
            yield from _list_targets(value)
