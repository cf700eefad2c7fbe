"""What a running engine says about itself: ``run/engine.json`` in the home, mode 0600, for clients of the same user."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

FILE_NAME = "engine.json"
LIFE_LOCK = "engine.alive"
"""Locked by the engine as long as it lives: two never open the same data. It holds pid, boot id and start ticks."""

START_LOCK = "engine.start"
"""Locked by whoever starts an engine: two starters give one engine."""

TEMPORARY = "tmp"
"""Folder in the engine's data for what a query can't keep in memory; emptied at every start."""


RETIRE = signal.SIGUSR2
"""Asks an engine to end as soon as it answers nothing."""

CONTRACT = 1
"""Counts changes after which a client of an older package can't use an engine any more."""

VERSION_NAME = "engine-version"
"""File in the engine's data that says which chDB opened them last."""


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """Where an engine listens, which process and of which package it is; its passwords are new at every start."""

    pid: int
    boot_id: str
    start_ticks: int
    port: int
    version: str
    started_at: float
    owner_password: str = field(repr=False)
    reader_password: str = field(repr=False)
    package: str = "0"
    """Version of the package that the engine is of."""
    contract: int = 0
    """`CONTRACT` of that package."""


def write_record(folder: Path, record: EngineRecord) -> None:
    """Write the record so that readers see all of it or nothing."""
    temporary = folder / f"{FILE_NAME}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
    temporary.replace(folder / FILE_NAME)


def read_record(folder: Path) -> EngineRecord | None:
    """Return the record of the last engine, which may have ended; ``None`` when there is none that can be read."""
    try:
        values = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        # A newer package may have written more than is known here.
        known = {each.name for each in fields(EngineRecord)}
        return EngineRecord(**{name: value for name, value in values.items() if name in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def write_life(descriptor: int, pid: int, boot: str, ticks: int) -> None:
    """Write into the locked file which process holds it."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps([pid, boot, ticks]).encode(), 0)


def read_life(folder: Path) -> tuple[int, str, int] | None:
    """Return pid, boot id and start ticks of the engine that holds the data or held it last."""
    try:
        pid, boot, ticks = json.loads((folder / LIFE_LOCK).read_text(encoding="utf-8"))
        return int(pid), str(boot), int(ticks)
    except (OSError, ValueError, TypeError):
        return None


def remove_record(folder: Path, pid: int) -> None:
    """Remove the record if it is that of a process."""
    record = read_record(folder)
    if record is not None and record.pid == pid:
        (folder / FILE_NAME).unlink(missing_ok=True)
