"""The example project that ships with the package: where it lies, and a copy of it to call one's own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from mastra_admin_sdk.errors import Conflict, SourceError, ToolMissing
from mastra_admin_sdk.folders import remove_tree

EXAMPLE = "weather-agent"
EXAMPLE_TEAM = "Demo"

# What builds leave in it when the package is run from its repository.
_NOT_COPIED = frozenset({"node_modules", ".mastra"})


def find_example() -> Path:
    """Return the folder of the example project that ships with the package.

    Raises:
        ToolMissing: this installation doesn't have it.
    """
    folder = Path(str(resources.files("mastra_admin_sdk.examples") / EXAMPLE))
    if not (folder / "package.json").is_file():
        raise ToolMissing(f"The example project isn't at {folder}.", hint="Install mastra-admin-sdk again.")
    return folder


def copy_example(folder: str | Path = EXAMPLE) -> Path:
    """Write the example project into a folder and return its whole path; a copy that is there stays as it is.

    Raises:
        Conflict: there is something else.
        SourceError: it can't be written.
    """
    target = Path(os.path.realpath(os.path.expanduser(folder)))
    if _holds_example(target):
        return target
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise Conflict(
            f"The example isn't written to {target}: there is something else.", hint="Name a folder that isn't there."
        )
    try:
        _write(find_example(), target)
    except OSError as exc:
        raise SourceError(
            f"The example can't be written to {target}: {exc.strerror}.", hint="Name a folder that you may write to."
        ) from exc
    return target


def _holds_example(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "package.json").read_bytes()).get("name") == EXAMPLE)
    except (OSError, ValueError, AttributeError):
        return False


def _write(source: Path, target: Path) -> None:
    """Make it beside its place and move it there whole: what was interrupted is never taken for a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for folder, below, files in os.walk(source):
            below[:] = sorted(set(below) - _NOT_COPIED)
            place = made / "example" / Path(folder).relative_to(source)
            # Contents without modes: what is installed may be read-only, a copy of one's own isn't.
            place.mkdir(parents=True)
            for name in files:
                shutil.copyfile(Path(folder, name), place / name)
        (made / "example").rename(target)
    finally:
        remove_tree(made)
