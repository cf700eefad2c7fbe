"""The background process: one a home; it builds, supervises and ingests until it is told to end."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mastra_admin_sdk import __version__
from mastra_admin_sdk.errors import Conflict, ServerError
from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.host import owner_is_gone
from mastra_admin_sdk.services.programs.records import Recorded, find_running, read_record, remove_record, write_record
from mastra_admin_sdk.services.programs.spawning import make_environment, make_module_command, read_tail, spawn_detached

from .following import BACKGROUND
from .session import Session

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.ports.storage import AdminStorage

logger = logging.getLogger(__name__)

ROLES = ("supervisor", "ingester")
READY_SECONDS = 60.0

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_START_LOCK_SECONDS = 2 * READY_SECONDS
_POLL = 0.1


def run_background(session: Session) -> None:
    """Do the background work of a home in this process until SIGTERM, SIGINT or SIGHUP; servers then go on.

    Raises:
        Conflict: another process does it already.
    """
    home = open_home(session.settings.home)
    with _only_one(home), _stop_on_signal() as stop:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        with session.open_admin() as admin:
            admin.start()
            write_record(home, BACKGROUND, os.getpid(), version=__version__)
            logger.info("mastra-admin %s does the background work of %s", __version__, home.path)
            try:
                stop.wait()
            finally:
                remove_record(home, BACKGROUND)
        logger.info("Ended; servers go on")


def ensure_background(session: Session, admin: MastraAdmin) -> tuple[Recorded, bool]:
    """Return the background process and whether it was started just now; of two that start it at once one does.

    Raises:
        ServerError: it ended right after its start, or didn't take up its roles; its last lines are in the evidence.
    """
    from filelock import FileLock

    with FileLock(admin.home.run / "start.lock", timeout=_START_LOCK_SECONDS):
        found = find_running(admin.home, BACKGROUND)
        if found:
            return found, False
        log = admin.home.logs / "up.log"
        position = log.stat().st_size if log.exists() else 0
        env = make_environment(session.settings, os.getcwd())
        argv = make_module_command("mastra_admin_sdk.cli", "up", "--foreground")
        process = spawn_detached(argv, env, cwd=admin.home.path, log=log)
        return _wait_until_ready(admin, process, log, position), True


def roles_are_held(storage: AdminStorage) -> bool:
    """True when somebody who lives, as far as this host can tell, supervises and ingests."""
    leases = [storage.leases.get(name) for name in ROLES]
    return all(lease is not None and not owner_is_gone(lease.owner) for lease in leases)


def _wait_until_ready(admin: MastraAdmin, process: subprocess.Popen[bytes], log: Path, position: int) -> Recorded:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        ended = process.poll()
        record = find_running(admin.home, BACKGROUND)
        if record and roles_are_held(admin.storage):
            return record
        if ended is not None and record is None:
            raise _make_error(
                f"The background process ended with exit code {ended} right after its start.", log, position
            )
        if time.monotonic() > deadline:
            raise _make_error(
                f"The background process didn't take up its roles within {READY_SECONDS:.0f} s.", log, position
            )
        time.sleep(_POLL)


def _make_error(message: str, log: Path, position: int) -> ServerError:
    evidence = {"log": str(log), "log_tail": read_tail(log, after=position)}
    return ServerError(message, hint="Run `mastra-admin doctor`; the log says more.", evidence=evidence)


@contextmanager
def _only_one(home: Home) -> Iterator[None]:
    from filelock import FileLock, Timeout

    # Held for as long as this process lives; the system takes it back however that ends.
    lock = FileLock(home.run / "up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as exc:
        found = read_record(home, BACKGROUND)
        raise Conflict(
            f"Another process does the background work of {home.path} already{f' (pid {found.pid})' if found else ''}.",
            hint="`mastra-admin down` ends it.",
        ) from exc
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
