"""What a home has left running, seen from outside: /proc only, no record is asked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Processes by pid with their command, and ports that are listened on."""

    processes: Mapping[int, str]
    ports: tuple[int, ...]


def find_leftovers(home: str, ports: Iterable[int] = (), *, known: frozenset[int] = frozenset()) -> Leftovers:
    """Look for processes that carry ``MASTRA_ADMIN_HOME=<home>``, and for listeners.

    Parameters:
        home: the home, as a real path.
        ports: ports that count when anybody listens there: those that ours listened on.
        known: pids that don't count; this process and those above it never do.
    """
    ignored = known | _list_ancestors()
    found = {pid: _read_command(pid) for pid in _list_pids() if pid not in ignored and _is_marked(pid, home)}
    listening = _list_listeners()
    inodes = {inode for pid in found for inode in _list_sockets(pid)}
    left = {port for inode, port in listening.items() if inode in inodes} | (set(ports) & set(listening.values()))
    return Leftovers(found, tuple(sorted(left)))


def _list_pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _is_marked(pid: int, home: str) -> bool:
    if _read(_PROC / str(pid) / "stat").rsplit(b")", 1)[-1].split()[:1] == [b"Z"]:
        return False
    return f"MASTRA_ADMIN_HOME={home}".encode() in _read(_PROC / str(pid) / "environ").split(b"\0")


def _list_ancestors() -> frozenset[int]:
    """A shell that exported MASTRA_ADMIN_HOME carries the marker and is no leftover, nor are we."""
    found = set()
    pid = os.getpid()
    while pid > 1 and pid not in found:
        found.add(pid)
        fields = _read(_PROC / str(pid) / "stat").rsplit(b")", 1)[-1].split()
        pid = int(fields[1]) if len(fields) > 1 else 0
    return frozenset(found)


def _list_listeners() -> dict[str, int]:
    """Return inode and port of every listening TCP socket."""
    found = {}
    for table in ("tcp", "tcp6"):
        for row in _read(_PROC / "net" / table).decode().splitlines()[1:]:
            cells = row.split()
            if cells[3] == _LISTENING:
                found[cells[9]] = int(cells[1].rsplit(":", 1)[1], 16)
    return found


def _list_sockets(pid: int) -> list[str]:
    try:
        links = [os.readlink(each) for each in (_PROC / str(pid) / "fd").iterdir()]
    except OSError:  # it has just ended
        return []
    return [link[8:-1] for link in links if link.startswith("socket:[")]


def _read_command(pid: int) -> str:
    return _read(_PROC / str(pid) / "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has just ended, or belongs to somebody else
        return b""
