"""Carries the panel: gunicorn with one worker process and a thread for each request or websocket.

gunicorn forks, and objects of the SDK must not be used after a fork: `MastraAdmin` is made in the worker.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from filelock import FileLock, Timeout
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import Conflict, MastraAdminError, NoFreePort
from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.services.actors import Origin
from mastra_admin_sdk.settings import Settings, load_settings

from .app import create_app
from .context import EXTENSION, MOST_VIEWERS, Panel
from .pace import Pacer
from .record import read_record, remove_record, write_record
from .tokens import load_token

_THREADS = MOST_VIEWERS + 32
_GRACE_SECONDS = 10
_LOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How `serve` runs. ``settings`` are arguments for `MastraAdmin`; ``port`` 0 takes any free one."""

    settings: Mapping[str, Any]
    hosts: tuple[str, ...] = ()
    ping_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, and the address it gives the panel."""

    descriptor: int
    port: int
    url: str


def serve(options: ServeOptions) -> None:
    """Run the panel of a home until SIGTERM or SIGINT.

    Raises:
        Conflict: a panel of this home runs already.
        NoFreePort: the port belongs to somebody else.
        SystemExit: the server has ended.
    """
    settings = load_settings(options.settings)
    home = open_home(settings.home)
    with _hold_home(home):
        listener = _listen(str(settings.panel_bind), int(settings.panel_port))
        port = listener.getsockname()[1]
        url = make_url(str(settings.panel_bind), port)
        _announce(home, url)
        try:
            # gunicorn takes the descriptor over and closes it.
            PanelServer(options, settings, home, Listener(listener.detach(), port, url)).run()
        finally:
            remove_record(home, os.getpid())


def make_url(bind: str, port: int) -> str:
    """Return the address of a panel that listens on ``bind``, as this machine opens it."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 - not listened on, looked up
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


class PanelServer(BaseApplication):  # type: ignore[misc]
    """gunicorn, set up for one panel."""

    def __init__(self, options: ServeOptions, settings: Settings, home: Home, listener: Listener) -> None:
        self._options, self._settings, self._home, self._listener = options, settings, home, listener
        self._panel: Panel | None = None
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        values = {
            "bind": [f"fd://{self._listener.descriptor}"],
            "workers": 1,
            "worker_class": PanelWorker,
            "threads": _THREADS,
            "worker_connections": 4 * _THREADS,
            "timeout": 60,
            "graceful_timeout": _GRACE_SECONDS,
            "keepalive": 5,
            "loglevel": "warning",
            "proc_name": "mastra-admin-panel",
            "post_worker_init": self._record,
            "worker_exit": self._close,
            # Newer gunicorns open a socket for remote control; a panel has no use for it.
            "control_socket_disable": True,
            # SCRIPT_NAME and PATH_INFO would be taken from whoever comes by loopback, and lead its sign-in elsewhere.
            "forwarder_headers": "",
        }
        for name, value in values.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Called by gunicorn in the worker: make the app, or say why not and end."""
        try:
            admin = MastraAdmin(origin=Origin.PANEL, **self._options.settings)
            app = create_app(
                admin,
                token=load_token(self._home),
                bind=str(self._settings.panel_bind),
                port=self._listener.port,
                hosts=self._options.hosts,
                ping_seconds=self._options.ping_seconds,
            )
        except MastraAdminError as exc:
            sys.stderr.write(f"The panel can't start. {exc}\n")
            raise SystemExit(Arbiter.APP_LOAD_ERROR) from exc
        self._panel = app.extensions[EXTENSION]
        return app

    @property
    def pacer(self) -> Pacer:
        """What ends requests that come too slowly."""
        if self._panel is None:
            raise RuntimeError("The panel isn't loaded yet.")
        return self._panel.pacer

    def stop_streams(self) -> None:
        """Tell websockets to end: the server waits for them."""
        if self._panel:
            self._panel.stopping.set()

    def _record(self, _: Any) -> None:
        write_record(self._home, os.getppid(), port=self._listener.port, url=self._listener.url)

    def _close(self, _server: Any, _worker: Any) -> None:
        self.stop_streams()
        if self._panel:
            self._panel.pacer.close()
            self._panel.admin.close()


class PanelWorker(ThreadWorker):  # type: ignore[misc]
    """A worker that ends its websockets when it is asked to stop: they would else last until the grace time ends."""

    def handle(self, conn: Any) -> Any:
        """Called for each request: its head has to be there in time."""
        pacer = self.app.pacer
        pacer.expect_head(conn.sock)
        try:
            return super().handle(conn)
        finally:
            pacer.release(conn.sock)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Called when the head is there."""
        self.app.pacer.release(conn.sock)
        return super().handle_request(req, conn)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Called on SIGTERM."""
        self.app.stop_streams()
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Called on SIGINT and SIGQUIT."""
        self.app.stop_streams()
        super().handle_quit(sig, frame)


def _hold_home(home: Home) -> FileLock:
    lock = FileLock(home.run / "panel-server.lock", mode=0o600)
    try:
        # A worker whose master was killed holds it for a moment longer.
        lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout as exc:
        running = read_record(home)
        raise Conflict(
            f"A panel of the home {home.path} runs already" + (f": {running['facts']['url']}." if running else "."),
            hint="Open that one, or end it first.",
            evidence={"pid": running["pid"]} if running else {},
        ) from exc
    return lock


def _listen(bind: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((bind, port))
    except OSError as exc:
        listener.close()
        raise NoFreePort(
            f"The panel can't listen on {bind}, port {port}: {exc.strerror or exc}.",
            hint="Choose another with --port or MASTRA_ADMIN_PANEL_PORT, or end what listens there.",
        ) from exc
    return listener


def _announce(home: Home, url: str) -> None:
    """Print where the panel is; the link that signs in only to a person, since it would stay in a log file."""
    if sys.stdout.isatty():
        print(f"The panel is at {url}/?token={load_token(home)}", flush=True)  # noqa: T201
    else:
        load_token(home)
        print(f"The panel is at {url} (its token: {home.run / 'panel-token'})", flush=True)  # noqa: T201
    logging.captureWarnings(True)
