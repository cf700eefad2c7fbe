"""Finds and ends processes by descent and by what their environment says; Linux only, standard library only.

Every server and all that it starts carry ``MASTRA_ADMIN_SERVER_ID=<process id>`` in the environment they were started
with, which the kernel keeps in /proc also when a process leaves its group, its session and its parent. The tracing
module takes its own settings out of the environment before the app sees it; this marker it leaves for the children.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mastra_admin_sdk.host import start_ticks

HOME_MARKER = "MASTRA_ADMIN_HOME"
SERVER_MARKER = "MASTRA_ADMIN_SERVER_ID"
SHIM_MARKER = "MASTRA_ADMIN_SHIM_OF"
BUILD_MARKER = "MASTRA_ADMIN_BUILD_OF"
COMMAND_MARKER = "MASTRA_ADMIN_COMMAND"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Make orphans among this process's descendants its children, so that none gets away."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends. Called in a child between fork and exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # The parent ended before the kernel could be asked.
        os._exit(127)


def find_marked(name: str, value: str) -> set[int]:
    """Return pids of all living processes that were started with ``name=value``."""
    wanted = f"{name}={value}".encode()
    return {pid for pid in list_pids() if wanted in read_environment(pid) and is_living(pid)}


def find_descendants(pid: int) -> set[int]:
    """Return pids of all living processes below a process, without itself."""
    children: dict[int, list[int]] = {}
    for child in list_pids():
        if (parent := _read_parent(child)) is not None:
            children.setdefault(parent, []).append(child)
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        fresh = [child for child in children.get(waiting.pop(), ()) if child not in found]
        found.update(fresh)
        waiting += fresh
    return {child for child in found if is_living(child)}


def list_tree(root: int) -> set[int]:
    """Return pids of all processes below one, as the kernel lists them: cheap, but one just forked may be missed."""
    if not Path(f"/proc/{root}/task/{root}/children").exists():
        return find_descendants(root)
    found: set[int] = set()
    waiting = [root]
    while waiting:
        fresh = _list_children(waiting.pop()) - found
        found |= fresh
        waiting += fresh
    return found


def kill_until_gone(
    find: Callable[[], Iterable[int]], timeout: float, *, reap: Callable[[], object] | None = None
) -> set[int]:
    """Send SIGKILL to what ``find`` returns until it returns nothing, and return what is left after ``timeout``.

    ``reap`` is called in between by a parent that has to collect its children.
    """
    deadline = time.monotonic() + timeout
    pause = 0.005
    while left := set(find()):
        for pid in left:
            send_signal(pid, start_ticks(pid), signal.SIGKILL)
        if reap:
            reap()
        if time.monotonic() > deadline:
            return {pid for pid in left if is_living(pid)}
        time.sleep(pause)
        pause = min(0.1, pause * 2)
    return set()


def send_signal(pid: int, ticks: int | None, number: signal.Signals) -> bool:
    """Send a signal to exactly this process; False when it is gone. A later process with its pid is never hit."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if ticks is None or start_ticks(pid) != ticks:
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def is_living(pid: int) -> bool:
    """True while a process exists and isn't a zombie."""
    return start_ticks(pid) is not None


def list_pids() -> list[int]:
    """Return the pids of all processes that can be seen."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read_environment(pid: int) -> frozenset[bytes]:
    """Return the ``NAME=value`` entries that a process was started with; empty when they can't be read."""
    try:
        return frozenset(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return frozenset()


def find_servers(home: Path) -> dict[str, tuple[int, ...]]:
    """Return the pids of every server of a home, and of the small process above it, by the server's process id."""
    mark = f"{HOME_MARKER}={home}".encode()
    found: dict[str, list[int]] = {}
    for pid in list_pids():
        environment = read_environment(pid)
        if mark in environment and is_living(pid):
            owner = _value_of(environment, SERVER_MARKER) or _value_of(environment, SHIM_MARKER)
            if owner:
                found.setdefault(owner.decode(errors="replace"), []).append(pid)
    return {owner: tuple(sorted(pids)) for owner, pids in found.items()}


def _value_of(environment: frozenset[bytes], name: str) -> bytes | None:
    prefix = f"{name}=".encode()
    return next((entry[len(prefix) :] for entry in environment if entry.startswith(prefix)), None)


def _list_children(pid: int) -> set[int]:
    found: set[int] = set()
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            found.update(map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii").split()))
        except OSError:  # the thread has just ended
            continue
    return found


def _read_parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return int(stat.rsplit(b")", 1)[-1].split()[1])
