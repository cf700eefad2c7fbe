"""``mastra-admin example``: an agent to begin with."""

from __future__ import annotations

import shlex

import click

from mastra_admin_sdk.services.projects.example import EXAMPLE, copy_example

from .group import AdminCommand
from .session import Session


@click.command(cls=AdminCommand)
@click.argument("folder", default=EXAMPLE, metavar="[FOLDER]")
@click.pass_obj
def example(session: Session, folder: str) -> None:
    """Write the example agent into a folder, to change and deploy.

    It needs no API key and no network. The folder is `weather-agent` here
    unless given; a copy of it that is there stays as it is.
    """
    path = copy_example(folder)
    session.output.done(f"The example agent is in {path}")
    session.output.line(f"Deploy it: {session.suggest(f'deploy {shlex.quote(str(path))}')}")
    session.output.result({"ok": True, "path": str(path)})
