"""Keeps the engine inside its folders, where the kernel can (Landlock, Linux 5.13 and newer).

Queries of people are refused anything that reads files (see `statements`). This is the second wall: should a new
function of ClickHouse get past the first, the kernel doesn't let the process open a file that isn't its own.
"""

from __future__ import annotations

import ctypes
import logging
import os
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger(__name__)

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ALL = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/bin", "/sys", "/dev", "/etc/localtime", "/etc/ld.so.cache"),
    *("/proc/self", "/proc/sys", "/proc/meminfo", "/proc/stat", "/proc/cpuinfo", "/proc/loadavg", "/proc/uptime"),
    *("/proc/vmstat", "/proc/diskstats"),
)


def confine(folders: Iterable[Path]) -> bool:
    """Let this process open files in its own folders and, to read, those of Python and the system; nothing else.

    Threads that run already keep their freedom, so this comes before chDB is loaded. Returns whether it is in force;
    where the kernel has no Landlock it isn't, and the log says so.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    # The numbers of these calls are Linux's own: elsewhere they mean something else.
    is_linux = sys.platform.startswith("linux")
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG) if is_linux else 0
    if version < 1:
        logger.info("This system has no Landlock: the engine isn't kept inside its folders by the kernel.")
        return False
    handled = _ALL[min(version, 3)]
    attributes = struct.pack("=Q", handled)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return _give_up("create a ruleset")
    try:
        for path in folders:
            _allow(libc, ruleset, path, handled)
        for path in _list_readable():
            _allow(libc, ruleset, path, _READ | (_WRITE_FILE if str(path) == "/dev" else 0))
        if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.syscall(_RESTRICT_SELF, ruleset, 0):
            return _give_up("restrict itself")
    finally:
        os.close(ruleset)
    return True


def _list_readable() -> list[Path]:
    paths = sysconfig.get_paths()
    python = {sys.prefix, sys.base_prefix, paths["stdlib"], paths["purelib"], paths["platlib"]}
    package = Path(__file__).resolve().parents[4]
    return [package, *(Path(path) for path in (*_SYSTEM, *python))]


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not every system has every one of these folders
        return
    try:
        if not path.is_dir():
            access &= _EXECUTE | _WRITE_FILE | _READ_FILE
        rule = struct.pack("=Qi", access, descriptor)
        if libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0):
            logger.warning("The engine could not be allowed %s: %s", path, os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)


def _give_up(what: str) -> bool:
    logger.warning("The engine could not %s: %s", what, os.strerror(ctypes.get_errno()))
    return False
