"""``mastra-admin projects``: what can be deployed, and what is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mastra_admin_sdk.services.projects.sources import name_source

from .group import AdminCommand, HelpfulGroup, make_common_options
from .output import Output, shorten_path, wrap
from .session import Session
from .tables import Column, render_table
from .targets import ensure_owner
from .views import describe_project, describe_source

if TYPE_CHECKING:
    from mastra_admin_sdk.models import Project
    from mastra_admin_sdk.ports.source import SourceListing


_refresh = click.option("--refresh", is_flag=True, help="Search anew instead of using a result of up to 30 s ago.")


@click.group(invoke_without_command=True, cls=HelpfulGroup)
@_refresh
@click.pass_context
def projects(ctx: click.Context, refresh: bool) -> None:
    """List Mastra projects, found and registered, or create one."""
    if ctx.invoked_subcommand is None:
        _list(ctx.ensure_object(Session), refresh)


projects.params += make_common_options()


@projects.command("list", cls=AdminCommand)
@_refresh
@click.pass_context
def list_projects(ctx: click.Context, refresh: bool) -> None:
    """List Mastra projects, found and registered: as `projects` alone."""
    parent = ctx.parent.params if ctx.parent else {}
    _list(ctx.ensure_object(Session), refresh or bool(parent.get("refresh")))


@projects.command(cls=AdminCommand)
@click.argument("source", required=False, metavar="[SOURCE]")
@click.option("--git", metavar="URL", help="A repository, also one in a folder: what is committed is deployed.")
@click.option("--path", metavar="FOLDER", help="The folder of the project in the repository.")
@click.option("--submodules", is_flag=True, help="Fetch the repository's submodules with it.")
@click.option("--team", help="Who owns the project; created when there is none of that name.")
@click.option("--name", help="The name of the project; the source's own unless given.")
@click.option("--branch", help="The default branch; `main`, or the repository's own, unless given.")
@click.pass_obj
def create(
    session: Session,
    source: str | None,
    git: str | None,
    path: str | None,
    submodules: bool,
    team: str | None,
    name: str | None,
    branch: str | None,
) -> None:
    """Create a project from a folder or a repository.

    SOURCE is a folder, a name that `projects` lists, or a repository's URL, such
    as https://host/team/repo.git#main:packages/app.
    """
    with session.open_admin() as admin:
        owner = ensure_owner(admin, team)
        project = admin.projects.create(
            owner, source=source, git=git, path=path, submodules=submodules, name=name, default_branch=branch
        )
    full = f"{owner.slug}/{project.slug}"
    session.output.done(f"Created {full} from {name_source(project)}")
    session.output.line(f"Deploy it: {session.suggest(f'deploy {full}')}")
    session.output.result(describe_project(owner.slug, project))


def _list(session: Session, refresh: bool) -> None:
    with session.open_admin() as admin:
        teams = {team.id: team.slug for team in admin.teams.list()}
        known = {f"{teams[item.team_id]}/{item.slug}": item for item in admin.projects.list()}
        listing = admin.source.scan(refresh=refresh)
    registered: dict[str, list[str]] = {}
    for name, project in known.items():
        registered.setdefault(name_source(project), []).append(name)
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
    elsewhere = {name: item for name, item in known.items() if name_source(item) not in found}
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
    rows = [(name, shorten_path(name_source(item), 200)) for name, item in known.items()]
    return render_table((Column("PROJECT"), Column("SOURCE", shrink=True)), rows, width=output.width)
