"""Stands in for a package manager inside `mastra build`, which runs one install of its own in the built output.

    launcher install …       (first on PATH of the build under the manager's name; see `write_launchers`)

A tree that an earlier build installed from the same is laid in; else the real package manager runs, and adds in the
same run what tracing needs. What happened is told to the builder in a file beside the output.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mastra_admin_sdk.adapters.runner.local.cache.keys import make_output_key
from mastra_admin_sdk.adapters.runner.local.cache.store import TreeStore

PLAN_VARIABLE = "MASTRA_ADMIN_INSTALL_PLAN"
_REPORT = "mastra-admin-install.json"
_CORE = "@mastra/core"

# Only the install in the output is ours: scripts of packages and of the project may run the same program.
_SCRIPT = """#!/bin/sh
if [ "$1" = install ] && [ -n "${{{variable}}}" ]; then
  case "$PWD" in */.mastra/output) exec {launcher} "$@" ;; esac
fi
exec {program} "$@"
"""


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What the builder tells the launcher.

    ``base`` is the key of the project's own tree; without one nothing is looked up. ``added`` is a package that the
    output gets besides, in the same run where ``folds`` says that the package manager can.
    """

    program: tuple[str, ...]
    store: str
    base: str | None
    added: str
    folds: bool
    fresh: bool


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What the launcher tells the builder: ``state`` is ``hit``, ``miss`` or ``off``; ``key`` is set to keep a miss."""

    state: str = "off"
    key: str | None = None


def main(arguments: list[str]) -> int:
    """Make the output's dependencies, and return the exit code."""
    plan = InstallPlan(**json.loads(os.environ.pop(PLAN_VARIABLE)))
    output = Path.cwd()
    added = plan.added if _wants(output, plan.added) else ""
    key = make_output_key(output, plan.base, added) if plan.base else None
    if key and not plan.fresh and _lay(TreeStore(Path(plan.store)), key, output):
        _report(output, InstallReport("hit", key))
        return 0
    code = _install(plan, arguments, added)
    _report(output, InstallReport("miss" if key else "off", None if code else key))
    return code


def dump_plan(plan: InstallPlan) -> str:
    """Return a plan as the text that goes into `PLAN_VARIABLE`."""
    return json.dumps(asdict(plan))


def read_report(output: Path) -> InstallReport:
    """Return what the launcher said about a finished build's output; ``off`` when it was never asked."""
    try:
        return InstallReport(**json.loads(output.with_name(_REPORT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return InstallReport()


def write_launchers(folder: Path, name: str, program: Sequence[str], launcher: Sequence[str]) -> None:
    """Write the program ``name`` into a folder that goes first on PATH; it can be repeated and run at once."""
    folder.mkdir(parents=True, exist_ok=True)
    text = _SCRIPT.format(variable=PLAN_VARIABLE, launcher=shlex.join(launcher), program=shlex.join(program))
    target = folder / name
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return
    descriptor, partial = tempfile.mkstemp(dir=folder)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(partial).chmod(0o755)
    os.rename(partial, target)


def _lay(store: TreeStore, key: str, output: Path) -> bool:
    try:
        laid = store.lay(key, output)
    except (OSError, TimeoutError) as exc:
        # Installing it anew is always possible.
        sys.stderr.write(f"The cached dependencies of the output could not be used: {exc}\n")
        return False
    if laid is None:
        return False
    sys.stdout.write(f"Took {laid.files} files of installed dependencies from the cache\n")
    laid.use.close()
    return True


def _install(plan: InstallPlan, arguments: list[str], added: str) -> int:
    if added and plan.folds:
        both = subprocess.call([*plan.program, *arguments, "--no-save", added])
        if not both:
            return 0
        sys.stderr.write(f"Installing together with {added} failed; trying without it\n")
    return subprocess.call([*plan.program, *arguments])


def _wants(output: Path, added: str) -> bool:
    """True when the output has Mastra's core as a package of its own, and what is to be added is none of it yet."""
    try:
        package: Mapping[str, Any] = json.loads((output / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    wanted = package.get("dependencies") or {}
    return bool(added) and _CORE in wanted and added.rpartition("@")[0] not in wanted


def _report(output: Path, report: InstallReport) -> None:
    output.with_name(_REPORT).write_text(json.dumps(asdict(report)), encoding="utf-8")
