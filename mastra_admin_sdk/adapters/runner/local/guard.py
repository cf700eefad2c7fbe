"""The small process above a build command: ends all of it when the command ends or when the caller goes away.

    guard <nice> command argument …       (started with `commands.make_python_command`)

Its standard input is a pipe that the caller holds open. When it closes, because the caller asks for the end or was
itself killed, everything below is killed. It is a subreaper, so daemons that the command forked stay below it. The
exit code is the command's; 128 + the signal's number when one ended it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

from mastra_admin_sdk.adapters.runner.local.processes import (
    become_subreaper,
    die_with_parent,
    find_descendants,
    kill_until_gone,
)


def main(arguments: list[str]) -> int:
    """Run the command to its end, or until standard input closes."""
    nice, command = int(arguments[0]), arguments[1:]
    become_subreaper()
    # A closed pipe must not end the guard before it has cleaned up, nor a Ctrl-C that was meant for the caller.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    parent = os.getpid()
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _prepare(parent, nice),  # safe: this process has one thread
        )
    except OSError as exc:
        sys.stderr.write(f"{command[0]}: {exc.strerror}\n")
        return 127
    status = _wait(child.pid, wake_read)
    child.returncode = status
    kill_until_gone(lambda: find_descendants(parent), 10, reap=_reap_all)
    _reap_all()
    return status


def _prepare(parent: int, nice: int) -> None:
    die_with_parent(parent)
    os.nice(nice)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _wait(child: int, wake: int) -> int:
    while True:
        ended = _reap_all()
        if child in ended:
            return ended[child]
        ready, _, _ = select.select([0, wake], [], [], 5)
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready and not os.read(0, 4096):
            return 128 + signal.SIGKILL


def _reap_all() -> dict[int, int]:
    """Collect ended children, and return their exit codes."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        code = os.waitstatus_to_exitcode(status)
        ended[pid] = code if code >= 0 else 128 - code
