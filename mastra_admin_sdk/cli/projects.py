"""``mastra-admin projects``: what can be deployed, and what is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .group import AdminCommand
from .output import Output, shorten_path, wrap
from .session import Session
from .tables import Column, render_table
from .views import describe_project, describe_source

if TYPE_CHECKING:
    from mastra_admin_sdk.models import Project
    from mastra_admin_sdk.ports.source import SourceListing


@click.command(cls=AdminCommand)
@click.option("--refresh", is_flag=True, help="Search anew instead of using a result of up to 30 s ago.")
@click.pass_obj
def projects(session: Session, refresh: bool) -> None:
    """List the Mastra projects found here, and those registered."""
    with session.open_admin() as admin:
        teams = {team.id: team.slug for team in admin.teams.list()}
        known = {f"{teams[item.team_id]}/{item.slug}": item for item in admin.projects.list()}
        listing = admin.source.scan(refresh=refresh)
    registered: dict[str, list[str]] = {}
    for name, project in known.items():
        registered.setdefault(str(project.source_config.get("path")), []).append(name)
    session.output.result(
        {
            "sources": [describe_source(item, registered) for item in listing.projects],
            "projects": [describe_project(name.partition("/")[0], item) for name, item in known.items()],
            "skipped": [{"path": item.path, "reason": item.reason} for item in listing.skipped],
            "searched": list(listing.searched),
        }
    )
    _show(session, listing, known, registered)


def _show(
    session: Session, listing: SourceListing, known: dict[str, Project], registered: dict[str, list[str]]
) -> None:
    output = session.output
    if listing.projects:
        output.lines(_list_sources(output, listing, registered))
    else:
        output.line(f"No Mastra project found below {', '.join(listing.searched)}")
    found = {item.path for item in listing.projects}
    elsewhere = {name: item for name, item in known.items() if item.source_config.get("path") not in found}
    if elsewhere:
        output.lines(["", "Registered, from elsewhere:", *_list_registered(output, elsewhere)])
    for item in listing.skipped:
        output.lines(wrap(f"Skipped {shorten_path(item.path, output.width)}: {item.reason}", output.width))
    output.line()
    if listing.projects or not known:
        example = listing.projects[0].name if listing.projects else "./my-agent"
        output.line(f"Deploy one: {session.suggest(f'deploy {example}')}")


def _list_sources(output: Output, listing: SourceListing, registered: dict[str, list[str]]) -> list[str]:
    columns = (Column("NAME", shrink=True), Column("MASTRA"), Column("WITH"), Column("PROJECT", shrink=True))
    rows = [
        (item.name, item.mastra_version, item.package_manager, ", ".join(registered.get(item.path, [])))
        for item in listing.projects
    ]
    below = [[f"  {shorten_path(item.path, output.width - 2)}"] for item in listing.projects]
    return render_table(columns, rows, width=output.width, below=below)


def _list_registered(output: Output, known: dict[str, Project]) -> list[str]:
    rows = [(name, shorten_path(str(item.source_config.get("path")), 200)) for name, item in known.items()]
    return render_table((Column("PROJECT"), Column("FOLDER", shrink=True)), rows, width=output.width)
