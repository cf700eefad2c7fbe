"""Ports: which are free, and who listens on one. Read from /proc/net and /proc/<pid>/fd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mastra_admin_sdk.errors import NoFreePort

_LISTEN = "0A"
_IPV6_LOOPBACK = "00000000000000000000000001000000"
_IPV4_IN_IPV6_LOOPBACK = "0000000000000000FFFF00000100007F"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket; ``is_loopback`` is false when other machines could reach it."""

    port: int
    inode: str
    is_loopback: bool


def find_free_port(host: str, ports: range, taken: frozenset[int]) -> int:
    """Return the first port of a range that isn't ``taken`` and on which nobody listens.

    Raises:
        NoFreePort: none is left.
    """
    listening = {listener.port for listener in list_listeners()}
    for port in ports:
        if port not in taken and port not in listening and _can_listen(host, port):
            return port
    ours = sum(port in taken for port in ports)
    raise NoFreePort(
        f"No port is free for a server in {ports.start}-{ports.stop - 1}: deployments hold {ours}, "
        f"other programs {len(ports) - ours}.",
        hint="Stop a deployment, or widen the range with MASTRA_ADMIN_SERVER_PORTS.",
        evidence={"range": f"{ports.start}-{ports.stop - 1}", "deployments": ours, "others": len(ports) - ours},
    )


def list_listeners() -> list[Listener]:
    """Return every listening TCP socket of this network namespace."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        found += [listener for row in rows if (listener := _parse_row(row))]
    return found


def list_sockets(pids: Iterable[int]) -> set[str]:
    """Return the inodes of all sockets that these processes hold."""
    found = set()
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            target = _read_link(f"{folder}/{name}")
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def _parse_row(row: str) -> Listener | None:
    cells = row.split()
    if cells[3] != _LISTEN:
        return None
    address, port = cells[1].rsplit(":", 1)
    loopback = address[-2:] == "7F" if len(address) == 8 else address in {_IPV6_LOOPBACK, _IPV4_IN_IPV6_LOOPBACK}
    return Listener(int(port, 16), cells[9], loopback)


def _can_listen(host: str, port: int) -> bool:
    # As Node does it: with SO_REUSEADDR, so that closed connections that linger don't count, and with listen(),
    # because a bind alone can succeed beside somebody's bound socket.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
