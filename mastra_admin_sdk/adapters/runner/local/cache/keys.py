"""What decides what an install makes, as one text: the key under which its tree is kept. Nothing volatile is in it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FORMAT = "1"
LOCK_FILES = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb")
INSTALL_SCRIPTS = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare")
_CONFIGURATION = (".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", ".pnpmfile.cjs", "bunfig.toml")
_PATCHES = ("patches", ".yarn/patches")
_CREDENTIALS = ("_auth", "_password", "username", "email")
_PASSED_OVER = {".git", ".mastra", "node_modules"}
_LOCAL = ("file:", "link:", "portal:", ".", "/", "~/")
# Fields of package.json that people change and no package manager looks at while it installs.
_IRRELEVANT = frozenset(
    {
        "description",
        "keywords",
        "author",
        "contributors",
        "maintainers",
        "license",
        "licenses",
        "repository",
        "homepage",
        "bugs",
        "funding",
        "main",
        "module",
        "browser",
        "types",
        "typings",
        "exports",
        "imports",
        "files",
        "sideEffects",
        "publishConfig",
        "scripts",
    }
)


@dataclass(frozen=True, slots=True)
class Installer:
    """What installs: a package manager and its version, a Node and its version."""

    manager: str
    manager_version: str
    node_version: str


def make_tree_key(root: Path, installer: Installer, *, configuration: Iterable[Path] = ()) -> str | None:
    """Return the key of what an install in ``root`` makes; ``None`` when that can't be told beforehand.

    It can't without a lock file, nor where another package manager than npm copies packages out of the source.

    Parameters:
        configuration: further ``.npmrc`` files that count, such as the user's.
    """
    locks = [name for name in LOCK_FILES if (root / name).is_file()]
    packages = dict(_read_packages(root))
    if not locks or (installer.manager != "npm" and any(map(has_local_packages, packages.values()))):
        return None
    parts: list[object] = [_FORMAT, installer.manager, installer.manager_version, installer.node_version, _platform()]
    parts += [[name, _hash_file(root / name)] for name in (*locks, *_list_patches(root))]
    parts += [[name, _strip_npmrc(root / name)] for name in _CONFIGURATION]
    parts += [_strip_npmrc(path) for path in configuration]
    parts += [[name, strip_package(package)] for name, package in sorted(packages.items())]
    return _hash(parts)


def make_output_key(output: Path, base: str, added: str) -> str | None:
    """Return the key of what `mastra build`'s own install in its output makes; ``None`` when that can't be told.

    Parameters:
        base: the key of the project's own tree: the same lock file, tools and settings are at work.
        added: what is installed besides, such as ``@mastra/observability@1.17.9``.
    """
    package = _read_json(output / "package.json")
    if has_local_packages(package):
        return None
    locks = [[name, _hash_file(output / name)] for name in LOCK_FILES if (output / name).is_file()]
    settings = [[name, _strip_npmrc(output / name)] for name in _CONFIGURATION]
    return _hash([_FORMAT, "output", base, added, locks, settings, strip_package(package)])


def list_install_scripts(package: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the scripts of a package.json that run when it is installed itself, in their order."""
    scripts = package.get("scripts")
    return tuple(name for name in INSTALL_SCRIPTS if name in scripts) if isinstance(scripts, dict) else ()


def list_members_with_scripts(root: Path, project: Path) -> list[str]:
    """Return the packages of a workspace, besides its root and the project, whose own install does something."""
    ours = {root / "package.json", project / "package.json"}
    return [name for name, package in _read_packages(root) if root / name not in ours and list_install_scripts(package)]


def has_local_packages(package: Mapping[str, Any]) -> bool:
    """True when a package.json takes packages from folders or archives beside it."""
    groups = ("dependencies", "devDependencies", "optionalDependencies")
    specs = [spec for group in groups for spec in (package.get(group) or {}).values()]
    return any(str(spec).startswith(_LOCAL) for spec in specs)


def strip_package(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what of a package.json an install looks at."""
    scripts = package.get("scripts") or {}
    kept = {name: value for name, value in package.items() if name not in _IRRELEVANT}
    return {**kept, "scripts": {name: scripts[name] for name in list_install_scripts(package)}}


def _read_packages(root: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the package.json of a project, and of everything below it if it is a workspace."""
    main = _read_json(root / "package.json")
    yield "package.json", main
    if not ("workspaces" in main or (root / "pnpm-workspace.yaml").exists() or has_local_packages(main)):
        return
    for place, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - _PASSED_OVER)
        if "package.json" in names and place != str(root):
            path = os.path.join(place, "package.json")
            yield os.path.relpath(path, root), _read_json(Path(path))


def _list_patches(root: Path) -> list[str]:
    found = [path for name in _PATCHES for path in (root / name).glob("**/*") if path.is_file()]
    return sorted(str(path.relative_to(root)) for path in found)


def _strip_npmrc(path: Path) -> list[str]:
    """Return the lines of a settings file without credentials, which change and decide nothing."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith(("#", ";")) and not _is_credential(line)]


def _is_credential(line: str) -> bool:
    name = line.split("=", 1)[0].rsplit(":", 1)[-1].strip().lower()
    return name.startswith(_CREDENTIALS)


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _platform() -> list[str]:
    return [sys.platform, platform.machine(), *platform.libc_ver()]
