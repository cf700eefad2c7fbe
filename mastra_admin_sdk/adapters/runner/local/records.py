"""What is known of each server on disk: one small JSON file, written when it starts and again when it has ended.

``run/servers/<process id>.json``, and ``<process id>.stop`` with the grace period while it is being stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_KEEP_SECONDS = 7 * 24 * 3600


def find_record(run_folder: Path, process_id: str) -> Path:
    """Return the path of a server's record."""
    return run_folder / "servers" / f"{process_id}.json"


def find_stop_request(run_folder: Path, process_id: str) -> Path:
    """Return the path of the file that says how long a server may take to stop."""
    return run_folder / "servers" / f"{process_id}.stop"


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a file whole: readers see the former one or this one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(record, file)
    temporary.replace(path)


def read_record(path: Path) -> dict[str, Any]:
    """Return a record, or an empty one when there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remove_old_records(run_folder: Path, now: float) -> None:
    """Remove records of servers that ended more than a week ago."""
    for path in (run_folder / "servers").glob("*"):
        try:
            if now - path.stat().st_mtime > _KEEP_SECONDS and "reason" in read_record(path):
                path.unlink()
        except FileNotFoundError:
            # Another process was first.
            continue
