"""How much room each part of the home takes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mastra_admin_sdk.home import Home

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 512


def measure_home(home: Home) -> pd.DataFrame:
    """Return a row a part of the home, the largest first.

    A file with several names, as a build cache makes them, is counted with the first part that has it.

    Returns:
        ``part`` and ``path`` (text), ``bytes`` on disk and ``files`` (int64). ``attrs`` has ``free`` and ``total``, the
        bytes of the disk.
    """
    import pandas as pd

    seen: set[tuple[int, int]] = set()
    rows = [(name, str(path), *_measure(path, seen)) for name, path in _list_parts(home)]
    frame = pd.DataFrame(rows, columns=["part", "path", "bytes", "files"]).astype({"bytes": "int64", "files": "int64"})
    frame = frame.sort_values("bytes", ascending=False, kind="stable", ignore_index=True)
    usage = shutil.disk_usage(home.path)
    frame.attrs = {"free": usage.free, "total": usage.total}
    return frame


def _list_parts(home: Home) -> list[tuple[str, Path]]:
    return [
        ("artifacts of builds", home.artifacts),
        ("data of deployments", home.data),
        ("telemetry store", home.clickhouse),
        ("telemetry files", home.telemetry),
        ("logs of builds", home.build_logs),
        ("logs of servers", home.server_logs),
        ("database", home.database),
        ("build cache", home.cache),
    ]


def _measure(path: Path, seen: set[tuple[int, int]]) -> tuple[int, int]:
    total, files = 0, 0
    for found in _walk(path):
        key = (found.st_dev, found.st_ino)
        if found.st_nlink > 1:
            if key in seen:
                continue
            seen.add(key)
        total += found.st_blocks * _BLOCK
        files += 1
    return total, files


def _walk(path: Path) -> Iterator[os.stat_result]:
    """Yield what is known of a file, or of each in a folder; what goes meanwhile is passed over."""
    if not path.is_dir():
        beside = [path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))]
        yield from (each.lstat() for each in beside if each.exists())
        return
    stack = [os.fspath(path)]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    else:
                        yield entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
