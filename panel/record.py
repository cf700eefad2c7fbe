"""The running panel on record: ``run/panel.json`` in the home, for whoever wants to open or end it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import HomeError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.host import boot_id, is_alive, start_ticks
from mastra_admin_sdk.models import utc_now


def write_record(home: Home, pid: int, *, port: int, url: str) -> None:
    """Record the process that carries the panel, unless whoever started it has done so.

    Raises:
        HomeError: the record can't be written.
    """
    known = read_record(home)
    if known and known["pid"] == pid and known["start_ticks"] == start_ticks(pid):
        return
    record = {
        "pid": pid,
        "start_ticks": start_ticks(pid),
        "boot_id": boot_id(),
        "started_at": utc_now().isoformat(),
        "facts": {"port": port, "url": url},
    }
    path = _path(home)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=2)
        temporary.replace(path)
    except OSError as exc:
        raise HomeError(f"The panel's record {path} can't be written: {exc.strerror or exc}.") from exc


def read_record(home: Home) -> dict[str, Any] | None:
    """Return the record of a panel that runs; ``None`` when there is none or it has ended."""
    try:
        record: dict[str, Any] = json.loads(_path(home).read_text(encoding="utf-8"))
        alive = is_alive(int(record["pid"]), int(record["start_ticks"]), str(record["boot_id"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if alive else None


def remove_record(home: Home, pid: int) -> None:
    """Forget the panel if the record is that of ``pid``. Can be repeated."""
    record = read_record(home)
    if record and record["pid"] == pid:
        _path(home).unlink(missing_ok=True)


def _path(home: Home) -> Path:
    return home.run / "panel.json"
