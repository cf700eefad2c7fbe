"""Package managers that were installed from the registry: one folder a version, complete or not there."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from mastra_admin_sdk.errors import CommandFailed, ToolMissing
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import PackageManager
from mastra_admin_sdk.ports.checks import CancelCheck

from .commands import Command, make_tool_install
from .managers_choice import WantedManager
from .packages import read_package
from .toolchain import Toolchain

_LOCK_POLL_SECONDS = 0.2

Execute = Callable[[Command, Path], object]
"""Runs a command of a build in a folder."""


def bring_tool(
    home: Home, tools: Toolchain, wanted: WantedManager, execute: Execute, cancel: CancelCheck
) -> tuple[str, ...]:
    """Return the start of an argument list for a package manager, installed into the home's cache unless it is there.

    Raises:
        ToolMissing: the registry doesn't have it or can't be reached.
    """
    from filelock import FileLock, Timeout

    folder = name_folder(home, wanted)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    while True:
        cancel()
        try:
            lock.acquire(timeout=_LOCK_POLL_SECONDS)
            break
        except Timeout:
            continue
    try:
        return find_tool(home, tools, wanted) or _install(folder, tools, wanted, execute)
    finally:
        lock.release()


def find_tool(home: Home, tools: Toolchain, wanted: WantedManager) -> tuple[str, ...] | None:
    """Return the same for one that was installed before; ``None`` when it wasn't."""
    return _open_tool(name_folder(home, wanted), tools, wanted)


def name_folder(home: Home, wanted: WantedManager) -> Path:
    """Return where a package manager is installed."""
    return home.cache / "tools" / f"{wanted.kind}@{wanted.version}"


def keep_release(home: Home, release: Path) -> Path:
    """Return a copy of a yarn that a project brings along, which is there longer than the copy of the project."""
    content = release.read_bytes()
    kept = home.cache / "tools" / f"yarn-{hashlib.sha256(content).hexdigest()[:16]}" / "yarn.cjs"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        descriptor, fresh = tempfile.mkstemp(dir=kept.parent, prefix="yarn.")
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(fresh, kept)
    return kept


def _install(folder: Path, tools: Toolchain, wanted: WantedManager, execute: Execute) -> tuple[str, ...]:
    # A folder of this name without the program is what somebody's clean-up has left.
    remove_tree(folder)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
    try:
        execute(make_tool_install(tools.npm, f"{_name_package(wanted)}@{wanted.version}"), fresh)
        fresh.rename(folder)
    except CommandFailed as exc:
        raise _not_installed(wanted, exc) from exc
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    argv = _open_tool(folder, tools, wanted)
    if argv is None:
        raise _not_installed(wanted, None)
    return argv


def _open_tool(folder: Path, tools: Toolchain, wanted: WantedManager) -> tuple[str, ...] | None:
    program = _find_program(folder, wanted)
    if program is None:
        return None
    is_script = program.suffix in {".js", ".cjs", ".mjs"}
    return (str(tools.node), str(program)) if is_script else (str(program),)


def _find_program(folder: Path, wanted: WantedManager) -> Path | None:
    package = folder / "node_modules" / _name_package(wanted)
    if wanted.kind is PackageManager.BUN:
        path = package / "bin" / "bun"
    else:
        programs = read_package(package).get("bin")
        relative = programs.get(wanted.kind.value) if isinstance(programs, dict) else programs
        path = _prefer_script(package / str(relative))
    return path if path.is_file() else None


def _prefer_script(program: Path) -> Path:
    """From version 12 on pnpm's program waits for an install script to replace it; beside it is what runs without."""
    script = program.parent / "bin" / f"{program.name}.mjs"
    return script if program.suffix == "" and script.is_file() else program


def _name_package(wanted: WantedManager) -> str:
    """Return the package that a manager is published as."""
    if wanted.is_modern_yarn:
        return "@yarnpkg/cli-dist"
    return _name_bun() if wanted.kind is PackageManager.BUN else wanted.kind.value


def _name_bun() -> str:
    """bun's own package fetches its binary by a script; the binaries are packages of their own, one a platform."""
    is_arm = platform.machine() in {"aarch64", "arm64"}
    libc = "" if platform.libc_ver()[0] == "glibc" else "-musl"
    baseline = "" if is_arm or _has_avx2() else "-baseline"
    return f"@oven/bun-linux-{'aarch64' if is_arm else 'x64'}{libc}{baseline}"


def _has_avx2() -> bool:
    try:
        return " avx2" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def _not_installed(wanted: WantedManager, cause: CommandFailed | None) -> ToolMissing:
    name = f"{wanted.kind}@{wanted.version}"
    why = "the registry has it, and its package brought no program" if cause is None else "npm could not install it"
    return ToolMissing(
        f"The project wants {name} (by {wanted.source}), which isn't on PATH: {why}.",
        hint=f"Install {wanted.kind} {wanted.major} so that it is on PATH, or look at the network and, if package.json "
        "names the version, whether that exists.",
        evidence={"wanted": name, "log_tail": list(cause.evidence.get("log_tail", ())) if cause else []},
    )
