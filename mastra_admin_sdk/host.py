"""Facts about this machine's processes, read from /proc: who is who, and who is still there.

A process is named by pid, boot id and start ticks, so that neither a pid that was given out again nor a reboot can
make a stranger look like ours. Everything here answers "gone" for what can't be read.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from functools import cache
from pathlib import Path


@cache
def boot_id() -> str:
    """Return the id of the running boot; another one means that every recorded process is gone."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import psutil

        return f"booted-{int(psutil.boot_time())}"


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot, or ``None`` when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return _start_ticks_elsewhere(pid)
    # The program's name stands in parentheses and may itself hold spaces and parentheses.
    fields = stat.rsplit(")", 1)[-1].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def is_alive(pid: int | None, ticks: int | None, boot: str | None) -> bool:
    """True when exactly this process still runs: same pid, same start, same boot."""
    return bool(pid) and boot == boot_id() and ticks is not None and start_ticks(pid or 0) == ticks


def user_name() -> str:
    """Return the name of the user this process runs as; the number of one that has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def make_owner_id() -> str:
    """Return a name for this process as the owner of claims and leases: ``host/boot/pid/ticks/nonce``.

    Others on this host can tell from it whether the owner still runs (see `owner_is_gone`).
    """
    pid = os.getpid()
    return "/".join([socket.gethostname(), boot_id(), str(pid), str(start_ticks(pid)), secrets.token_hex(4)])


def owner_is_gone(owner: str) -> bool | None:
    """True when an owner of this host has ended, False when it runs, ``None`` when only its host could tell."""
    try:
        host, boot, pid, ticks, _ = owner.split("/")
        pid_number, tick_number = int(pid), int(ticks)
    except ValueError:
        return None
    if host != socket.gethostname():
        return None
    return not is_alive(pid_number, tick_number, boot)


def _start_ticks_elsewhere(pid: int) -> int | None:
    if Path("/proc/self/stat").exists():
        return None
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 100)
    except psutil.Error:
        return None
