"""Brings the package manager that a project wants: from PATH when its major version is right, else from the registry.

What is brought lies in ``<home>/cache/tools/<package>@<version>`` and is used by every later build. `mastra build` and
install scripts call managers by name, so each has a folder with a launcher that goes before everything else on PATH.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import PackageManager
from mastra_admin_sdk.ports.checks import CancelCheck

from .commands import make_manager_environment, pick_network
from .launchers import make_launchers
from .managers_choice import (
    LOCK_FILES,
    WantedManager,
    choose_manager,
    find_release,
    parse_declared,
    read_release_version,
)
from .managers_store import Execute, bring_tool, find_tool, keep_release
from .node_range import parse_version
from .packages import read_package
from .toolchain import Toolchain, find_program

_HEAD_BYTES = 4096
_ASK_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Manager:
    """A package manager that is there.

    ``program`` is the start of an argument list; ``bin`` a folder that belongs first on PATH, if there is one;
    ``env`` what it needs besides the build's environment. ``origin``: ``Node``, ``PATH``, ``project`` or ``registry``.
    """

    kind: PackageManager
    version: str
    program: tuple[str, ...]
    origin: str
    bin: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Kind and version: ``pnpm@10.4.1``."""
        return f"{self.kind}@{self.version}" if self.version else str(self.kind)

    @property
    def is_modern_yarn(self) -> bool:
        """True for yarn 2 and later."""
        return self.kind is PackageManager.YARN and not self.version.startswith("1.")


def open_manager(
    kind: PackageManager,
    root: Path,
    *,
    tools: Toolchain,
    home: Home,
    environment: Mapping[str, str],
    execute: Execute,
    cancel: CancelCheck,
) -> Manager:
    """Return the package manager for a project; one that isn't there is installed first.

    Parameters:
        root: the folder with the lock file: of the project, or of the workspace that it belongs to.
        environment: its PATH is searched; its proxies are told to yarn.
        execute: runs the install.
        cancel: asked while another build installs the same.

    Raises:
        ToolMissing: it could not be installed.
    """
    found = _find_manager(kind, root, tools, home, environment)
    if isinstance(found, WantedManager):
        program = bring_tool(home, tools, found, execute, cancel)
        found = Manager(kind, found.version, program, "registry")
    env = make_manager_environment(kind, _read_major(found.version), home.cache, environment)
    # npm's launchers belong to Node; one that was brought in another version goes before them.
    needs_launcher = kind is not PackageManager.NPM or found.origin == "registry"
    launchers = {kind.value: found.program}
    folder = make_launchers(home, launchers, {**pick_network(environment), **env}) if needs_launcher else None
    return replace(found, env=env, bin=folder, notes=_list_notes(kind, root))


def describe_manager(
    kind: PackageManager, root: Path, *, tools: Toolchain, home: Home, environment: Mapping[str, str]
) -> str:
    """Return the package manager that `open_manager` would return, such as ``pnpm@10.4.1``, without installing it."""
    found = _find_manager(kind, root, tools, home, environment)
    return f"{kind}@{found.version}" if found.version else str(kind)


def has_lockfile(root: Path, kind: PackageManager) -> bool:
    """True when a folder holds a lock file of this package manager."""
    return _find_lock(root, kind) is not None


def _find_manager(
    kind: PackageManager, root: Path, tools: Toolchain, home: Home, environment: Mapping[str, str]
) -> Manager | WantedManager:
    """Return what is there already, or what has to be brought."""
    wanted = read_wanted(kind, root)
    if release := _find_release(root, kind):
        return _take_release(home, tools, release)
    if kind is PackageManager.NPM:
        version = _read_npm_version(tools)
        if wanted.major in {None, _read_major(version)} or not version:
            return Manager(kind, version, tools.npm, "Node")
    elif found := _find_on_path(wanted, tools, environment):
        return found
    program = find_tool(home, tools, wanted)
    return Manager(kind, wanted.version, program, "registry") if program else wanted


def read_wanted(kind: PackageManager, root: Path) -> WantedManager:
    """Return what the files of a folder say about the version of a package manager."""
    lock = _find_lock(root, kind)
    head = _read_head(root / lock) if lock else ""
    declared = read_package(root).get("packageManager")
    return choose_manager(kind, declared, lock, head, is_berry=(root / ".yarnrc.yml").is_file())


def _find_lock(root: Path, kind: PackageManager) -> str | None:
    return next((name for name in LOCK_FILES[kind] if (root / name).is_file()), None)


def _read_head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).decode("utf-8", "replace")


def _find_release(root: Path, kind: PackageManager) -> Path | None:
    """Return the yarn that a project brings along, if that lies inside of it."""
    settings = root / ".yarnrc.yml"
    if kind is not PackageManager.YARN or not settings.is_file():
        return None
    named = find_release(settings.read_text(encoding="utf-8", errors="replace"))
    path = (root / named).resolve() if named else None
    return path if path and path.is_file() and path.is_relative_to(root.resolve()) else None


def _take_release(home: Home, tools: Toolchain, release: Path) -> Manager:
    program = (str(tools.node), str(keep_release(home, release)))
    return Manager(PackageManager.YARN, read_release_version(release.name) or "4", program, "project")


def _find_on_path(wanted: WantedManager, tools: Toolchain, environment: Mapping[str, str]) -> Manager | None:
    program = find_program(wanted.kind.value, environment)
    if program is None:
        return None
    path = f"{tools.bin}{os.pathsep}{environment.get('PATH', '')}"
    version = _ask_version(str(program), path, program.stat().st_mtime_ns)
    if version is None or _read_major(version) != wanted.major:
        return None
    return Manager(wanted.kind, version, (str(program),), "PATH")


@cache
def _ask_version(program: str, path: str, _changed_at: int) -> str | None:
    # What corepack puts on PATH would fetch whatever it likes: it may only answer with what it has.
    env = {
        "PATH": path,
        "HOME": os.path.expanduser("~"),
        "COREPACK_ENABLE_NETWORK": "0",
        "COREPACK_ENABLE_PROJECT_SPEC": "0",
    }
    try:
        done = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            stdin=subprocess.DEVNULL,
            check=True,
            cwd="/",
            env=env,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = done.stdout.strip()
    return version if parse_version(version) else None


def _read_npm_version(tools: Toolchain) -> str:
    return str(read_package(Path(tools.npm[-1]).resolve().parent.parent).get("version", ""))


def _read_major(version: str) -> int | None:
    parsed = parse_version(version)
    return parsed.major if parsed else None


def _list_notes(kind: PackageManager, root: Path) -> tuple[str, ...]:
    """Return what people should know: something says another thing than what is done."""
    notes = []
    declared = read_package(root).get("packageManager")
    named = parse_declared(declared)
    if declared and (named is None or named[0] is not kind):
        notes.append(f"packageManager in package.json is {str(declared)[:80]!r}, no version of {kind}: it was ignored.")
    others = [
        name for other, names in LOCK_FILES.items() if other is not kind for name in names if (root / name).is_file()
    ]
    if others:
        notes.append(f"{', '.join(others)} isn't used: the project is installed by {kind}.")
    return tuple(notes)
