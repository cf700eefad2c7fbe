"""The persistent working folder of a deployment: ``<data>/output``, where relative paths work as in ``mastra start``.

Code is linked to the artifact, other shipped files are copied, so that an app may change them as it could beside its
own build. A link or an unchanged copy follows the artifact at each start; what the app wrote or changed stays, and
``file:./mastra.db`` and ``file:../mastra.db`` outlive redeploys and rollbacks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .records import read_record, write_record

_CODE = frozenset({".mjs", ".cjs", ".js", ".map", ".node", ".wasm"})
_MANIFEST = ".mastra-admin-files.json"

_Stamp = list[int]
"""Size and time of change in ns: enough to tell whether a copy was touched."""


def prepare_workdir(data_dir: Path, artifact: Path) -> Path:
    """Lay out the working folder for a start of this artifact and return it."""
    folder = data_dir / "output"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    manifest_path = data_dir / _MANIFEST
    former: dict[str, Any] = read_record(manifest_path)
    current: dict[str, Any] = {}
    for relative in _list_files(artifact):
        entry = _place(artifact / relative, folder / relative, former.get(str(relative)))
        if entry is not None:
            current[str(relative)] = entry
    for name in former.keys() - current.keys():
        _remove_if_ours(folder / name, former[name])
    write_record(manifest_path, current)
    return folder


def _list_files(artifact: Path) -> Iterator[Path]:
    """Yield what has to be there, relative: files at any depth, ``node_modules`` as a whole."""
    for place, folders, names in os.walk(artifact):
        base = Path(place).relative_to(artifact)
        if "node_modules" in folders:
            folders.remove("node_modules")
            yield base / "node_modules"
        yield from (base / name for name in names)


def _place(source: Path, target: Path, former: Any) -> Any:
    """Link or copy one file unless the app has one of its own there; return the manifest's entry for it."""
    if not _is_ours(target, former):
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() or source.suffix in _CODE or not source.exists():  # a link that leads nowhere stays one
        return _link(source, target)
    origin = [str(source), *_stamp(source)]
    if former and former.get("source") == origin and target.is_file():
        return former
    fresh = target.with_name(f"{target.name}.{os.getpid()}.new")
    shutil.copyfile(source, fresh)
    os.chmod(fresh, 0o600)
    fresh.replace(target)
    return {"source": origin, "copy": _stamp(target)}


def _link(source: Path, target: Path) -> dict[str, Any]:
    if not (target.is_symlink() and os.readlink(target) == str(source)):
        fresh = target.with_name(f"{target.name}.{os.getpid()}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(source)
        fresh.replace(target)
    return {"link": str(source)}


def _is_ours(target: Path, former: Any) -> bool:
    """True when nothing is there, or what we put there and nobody changed."""
    if not os.path.lexists(target):
        return True
    if not isinstance(former, dict):
        return False
    if "link" in former:
        return target.is_symlink() and os.readlink(target) == former["link"]
    return not target.is_symlink() and target.is_file() and _stamp(target) == former.get("copy")


def _remove_if_ours(target: Path, former: Any) -> None:
    if os.path.lexists(target) and _is_ours(target, former):
        target.unlink()


def _stamp(path: Path) -> _Stamp:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
