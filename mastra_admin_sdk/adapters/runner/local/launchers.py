"""Small programs of ours that go before everything else on PATH, so that tools are found by their names.

`mastra build` and install scripts call node, npm and other package managers by name. The Mastra CLI before 0.24 gives
them no environment besides PATH, so a launcher brings along what its program can't do without.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mastra_admin_sdk.home import Home


def make_launchers(
    home: Home, programs: Mapping[str, Sequence[str]], env: Mapping[str, str], *, node: Path | None = None
) -> Path:
    """Return a folder with a launcher for each program; equal ones share it.

    Parameters:
        programs: argument lists by the name to be called by.
        env: variables that a program gets unless it was given them. No secrets: they are in the file.
        node: a Node to link as ``node``.
    """
    texts = {name: _write_text(argv, env) for name, argv in programs.items()}
    content = "\0".join([str(node), *(f"{name}\0{text}" for name, text in sorted(texts.items()))])
    final = home.cache / "tools" / hashlib.sha256(content.encode()).hexdigest()[:12] / "bin"
    if not all((final / name).exists() for name in texts):
        final.parent.parent.mkdir(parents=True, exist_ok=True)
        _write_folder(final.parent, texts, node)
    return final


def _write_text(argv: Sequence[str], env: Mapping[str, str]) -> str:
    exports = "".join(
        f'[ -n "${{{name}-}}" ] || export {name}={shlex.quote(value)}\n' for name, value in sorted(env.items())
    )
    return f'#!/bin/sh\n{exports}exec {shlex.join(argv)} "$@"\n'


def _write_folder(folder: Path, texts: Mapping[str, str], node: Path | None) -> None:
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
    (fresh / "bin").mkdir()
    if node:
        (fresh / "bin" / "node").symlink_to(node)
    for name, text in texts.items():
        launcher = fresh / "bin" / name
        launcher.write_text(text)
        launcher.chmod(0o700)
    try:
        fresh.rename(folder)
    except OSError:
        # Another process was first, with the same content.
        shutil.rmtree(fresh)
