"""``mastra-admin webhooks``: deploying when somebody pushes."""

from __future__ import annotations

import click

from mastra_admin_sdk.services.triggers.webhooks import Webhook

from .group import AdminCommand
from .session import Session
from .targets import name_project


@click.group()
def webhooks() -> None:
    """Create and remove webhooks of projects."""


@webhooks.command("create", cls=AdminCommand)
@click.argument("project")
@click.option("--rotate", is_flag=True, help="Replace the secret of the webhook that it has.")
@click.pass_obj
def create_webhook(session: Session, project: str, rotate: bool) -> None:
    """Let pushes deploy PROJECT, and tell the secret this once.

    Enter both in the settings of the repository, with the address under which
    it reaches the panel in front of the path, and JSON as the content type.
    """
    with session.open_admin() as admin:
        made = admin.webhooks.rotate(project) if rotate else admin.webhooks.create(project)
        name = name_project(admin, admin.projects.get(project))
        port = int(admin.settings.panel_port)
    output = session.output
    output.done(f"Pushes to the repository of {name} deploy what is on their branch")
    output.lines(
        [f"  path    {made.path}", f"  here    http://127.0.0.1:{port}{made.path}", f"  secret  {made.secret}"]
    )
    output.note("The secret isn't shown again.")
    output.result(_describe(made))


@webhooks.command("remove", cls=AdminCommand)
@click.argument("project")
@click.pass_obj
def remove_webhook(session: Session, project: str) -> None:
    """Refuse webhooks of PROJECT from now on."""
    with session.open_admin() as admin:
        found = admin.projects.get(project)
        admin.webhooks.remove(found)
        name = name_project(admin, found)
    session.output.done(f"{name} has no webhook any more")
    session.output.result({"project_id": found.id})


def _describe(made: Webhook) -> dict[str, str]:
    return {"project_id": made.project_id, "path": made.path, "secret": made.secret}
