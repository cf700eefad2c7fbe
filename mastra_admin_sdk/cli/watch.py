"""``mastra-admin watch``: deploying whenever the source changes."""

from __future__ import annotations

import click

from mastra_admin_sdk.services.programs.records import find_running

from .following import BACKGROUND
from .group import AdminCommand
from .session import Session
from .targets import name_deployment
from .views import describe_deployment


@click.command(cls=AdminCommand)
@click.argument("deployment")
@click.option("--off", is_flag=True, help="Watch it no longer.")
@click.pass_obj
def watch(session: Session, deployment: str, off: bool) -> None:
    """Deploy DEPLOYMENT again whenever its source changes.

    A folder is looked at every second, a repository every minute. The
    background process does that while it runs.
    """
    output = session.output
    with session.open_admin() as admin:
        live = admin.watch(deployment, not off)
        name = name_deployment(admin, live.record)
        is_worked_on = find_running(admin.home, BACKGROUND) is not None
    output.done(f"{name} is {'not watched any more' if off else 'watched'}")
    if not off and not is_worked_on:
        output.note(f"Nothing looks until a process does: {session.suggest('up --no-example')}")
    output.result({**describe_deployment(name, live.record), "watch": live.record.watch})
