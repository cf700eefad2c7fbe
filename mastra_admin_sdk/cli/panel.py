"""``mastra-admin panel``: the panel in the foreground."""

from __future__ import annotations

import os
import sys

import click

from mastra_admin_sdk.errors import Conflict
from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.services.programs.panel import (
    PANEL,
    find_panel_port,
    lock_panel,
    make_panel_command,
    make_panel_url,
)
from mastra_admin_sdk.services.programs.records import find_running, write_record

from .group import AdminCommand
from .session import Session


@click.command(cls=AdminCommand)
@click.option("--reload", is_flag=True, help="For developers: start it anew whenever its code changes.")
@click.pass_obj
def panel(session: Session, reload: bool) -> None:
    """Run the panel here until Ctrl-C.

    It says where it is; `up` runs it in the background. Its port is
    MASTRA_ADMIN_PANEL_PORT, 3001 unless set, or the next that is free.
    """
    home = open_home(session.settings.home)
    with lock_panel(home):
        port = _choose_port(session, home)
        url = make_panel_url(session.settings.panel_bind, port)
        # This process becomes the panel: signals reach it without a middleman, and the record stays true.
        write_record(home, PANEL, os.getpid(), port=port, url=url)
    session.output.result({"url": url, "port": port})
    sys.stdout.flush()
    if session.json_mode:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    argv, env = make_panel_command(session.settings, port, reload=reload)
    os.chdir(home.path)
    os.execve(argv[0], argv, env)  # noqa: S606 - no shell: the arguments are a list


def _choose_port(session: Session, home: Home) -> int:
    settings = session.settings
    running = find_running(home, PANEL)
    if running:
        raise Conflict(
            f"The panel runs already (pid {running.pid}): {running.facts.get('url')}",
            hint=f"Open that, or end it first: {session.suggest('down')}.",
        )
    port = find_panel_port(settings)
    if port != settings.panel_port:
        session.output.note(f"Port {settings.panel_port} is taken; the panel uses {port}.")
    return port
