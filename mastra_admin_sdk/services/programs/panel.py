"""The panel as a process of its own: its port, its token, its start."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from mastra_admin_sdk.errors import HomeError, NoFreePort, SecretError, ServerError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.settings import Settings

from .records import Recorded, end_recorded, find_running, write_record
from .spawning import make_environment, make_module_command, read_tail, spawn_detached

if TYPE_CHECKING:
    from filelock import FileLock

PANEL = "panel"
"""Name of the panel among the records."""

READY_SECONDS = 30.0
_PORTS_TRIED = 50
_START_LOCK_SECONDS = 2 * READY_SECONDS
_POLL = 0.1
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not listened on


def ensure_panel(settings: Settings, home: Home) -> tuple[Recorded, bool]:
    """Return the panel's process and whether it was started just now. Its address is among its facts (``url``).

    Raises:
        NoFreePort: neither its port nor those that follow are free.
        ServerError: it ended right after its start or doesn't answer; its last lines are in the evidence.
    """
    with lock_panel(home):
        found = find_running(home, PANEL)
        return (found, False) if found else (_start(settings, home), True)


def lock_panel(home: Home) -> FileLock:
    """Return the lock under which the panel is started: of two starters one starts it."""
    from filelock import FileLock

    return FileLock(home.run / "panel.lock", timeout=_START_LOCK_SECONDS)


def make_panel_command(
    settings: Settings, port: int, *, reload: bool = False
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return arguments and environment of the panel; the port goes the way of all settings.

    Parameters:
        settings: those in force here; the panel gets the same.
        port: where it listens.
        reload: start it anew whenever its code or that of the SDK changes.
    """
    env = {**make_environment(settings, os.getcwd()), "MASTRA_ADMIN_PANEL_PORT": str(port)}
    further = ("--reload",) if reload else ()
    return make_module_command("mastra_admin_panel", "--home", settings.home, *further), env


def find_panel_port(settings: Settings) -> int:
    """Return the panel's port, or the next one that is free; any that is free when the setting is 0.

    Raises:
        NoFreePort: none is, of the fifty that follow.
    """
    wanted = int(settings.panel_port)
    if wanted == 0:
        return _find_any_port(settings.panel_bind)
    last = min(wanted + _PORTS_TRIED, 65535)
    for port in range(wanted, last + 1):
        if is_free(settings.panel_bind, port):
            return port
    raise NoFreePort(
        f"The ports {wanted} to {last} on {settings.panel_bind} are all taken.",
        hint="Choose another for the panel with MASTRA_ADMIN_PANEL_PORT.",
    )


def is_free(address: str, port: int) -> bool:
    """True when nobody listens on a port: it could be bound just now."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        # As servers do: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def make_panel_address(home: Home, record: Recorded) -> str:
    """Return the address that signs a browser in: the panel's own, with the token that it keeps in the home.

    Raises:
        SecretError: the token can't be read.
    """
    path = home.run / "panel-token"
    try:
        token = path.read_text(encoding="ascii").strip()
    except OSError as exc:
        raise SecretError(
            f"The panel's token {path} can't be read: {exc.strerror or exc}.", hint="Start the panel again."
        ) from exc
    return f"{record.facts['url']}/?token={token}"


def make_panel_url(bind: str, port: int) -> str:
    """Return the panel's address as this machine opens it."""
    address = _ANYWHERE.get(bind, bind)
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


def _find_any_port(address: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _start(settings: Settings, home: Home) -> Recorded:
    port = find_panel_port(settings)
    url = make_panel_url(settings.panel_bind, port)
    log = home.logs / "panel.log"
    position = log.stat().st_size if log.exists() else 0
    argv, env = make_panel_command(settings, port)
    process = spawn_detached(argv, env, cwd=home.path, log=log)
    try:
        # Before it answers: if this command is killed now, `down` still finds the panel.
        record = write_record(home, PANEL, process.pid, port=port, url=url)
        if _wait_until_it_answers(process, settings.panel_bind, port):
            return record
        raise HomeError("it doesn't answer")
    except HomeError as exc:
        end_recorded(home, PANEL, grace=5.0)
        evidence = {"exit_code": process.poll(), "log": str(log), "log_tail": read_tail(log, after=position)}
        raise ServerError(
            f"The panel could not be started on port {port}: {exc.message}",
            hint="Read its log; `mastra-admin up --no-panel` goes on without it.",
            evidence=evidence,
        ) from exc


def _wait_until_it_answers(process: subprocess.Popen[bytes], bind: str, port: int) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(bind, port):
            return True
        time.sleep(_POLL)
    return False


def _answers(bind: str, port: int) -> bool:
    """True when the panel answers a request, whatever it says; that it listens doesn't mean that it has loaded."""
    connection = http.client.HTTPConnection(_ANYWHERE.get(bind, bind), port, timeout=5.0)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
