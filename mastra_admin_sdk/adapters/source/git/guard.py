"""Runs one command in this process's group, and ends the group when the process that asked for it is gone.

Started as a program of its own: ``python -I -S guard.py <pid of the parent> <command> …``. A kill of the parent would
otherwise leave git and its helpers running, which may wait for a network or write into a folder that others remove.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> int:
    """Run a command and return its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return 1  # it was gone before the kernel knew whom to watch
    child = os.posix_spawn(command[0], command, os.environ, setsigdef=[signal.SIGTERM])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
