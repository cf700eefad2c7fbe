"""Whose is the socket that listens on a loopback port?"""

from __future__ import annotations

import os
from pathlib import Path

_LISTENING = "0A"


def owns_listener(pid: int, port: int) -> bool:
    """True when a process of this user listens on 127.0.0.1 at that port, and nobody else does."""
    if not Path("/proc/net/tcp").exists():
        return _owns_listener_elsewhere(pid, port)
    inodes = _list_listeners(port)
    try:
        is_ours = Path(f"/proc/{pid}").stat().st_uid == os.getuid()
        return is_ours and bool(inodes) and inodes <= _list_sockets(pid)
    except OSError:  # it ended meanwhile, or isn't ours to look at
        return False


def _list_listeners(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:  # no IPv6
            continue
        for cells in (row.split() for row in rows):
            if cells[3] == _LISTENING and int(cells[1].rsplit(":", 1)[1], 16) == port:
                found.add(cells[9])
    return found


def _list_sockets(pid: int) -> set[str]:
    links = (_read_link(entry) for entry in Path(f"/proc/{pid}/fd").iterdir())
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


def _read_link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:  # closed meanwhile
        return ""


def _owns_listener_elsewhere(pid: int, port: int) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.uids().real != os.getuid():
            return False
        listening = (entry for entry in process.net_connections("tcp") if entry.status == psutil.CONN_LISTEN)
        return any(entry.laddr.port == port for entry in listening)
    except psutil.Error:
        return False
