"""What processes hold: memory, files, threads, time on the CPU; read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mastra_admin_sdk.models import ServerUsage

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


def measure_processes(pids: Iterable[int]) -> ServerUsage | None:
    """Add up the figures of processes; one that ends meanwhile counts as nothing; ``None`` when none is left."""
    found = [figures for pid in pids if (figures := _measure(pid))]
    if not found:
        return None
    return ServerUsage(
        memory_bytes=sum(item[0] for item in found),
        open_files=sum(item[1] for item in found),
        processes=len(found),
        threads=sum(item[2] for item in found),
        cpu_seconds=sum(item[3] for item in found),
    )


def read_memory(pid: int) -> int:
    """Return the resident bytes of one process; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _measure(pid: int) -> tuple[int, int, int, float] | None:
    """Return resident bytes, open files, threads and CPU seconds of one process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # After the name in brackets, which may hold anything: state is field 3 of proc(5).
            fields = file.read().rsplit(b")", 1)[1].split()
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, IndexError):
        return None
    utime, stime, threads, pages = int(fields[11]), int(fields[12]), int(fields[17]), int(fields[21])
    return pages * _PAGE, files, threads, (utime + stime) / _TICKS
