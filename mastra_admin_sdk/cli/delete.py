"""``mastra-admin delete``: removing a deployment, a project or a team with all that is kept of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.errors import InvalidInput

from .failures import ExitCode
from .group import AdminCommand
from .session import Session
from .targets import name_deployment, name_project

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.services.objects import LiveDeployment

_yes = click.option("--yes", "-y", is_flag=True, help="Don't ask.")


class KindGroup(click.Group):
    """The kinds of things that can be deleted; a name alone might be that of several."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; a name without a kind is refused with the kinds there are."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            kinds = " or ".join(f"`{ctx.command_path} {kind} {args[0]}`" for kind in self.commands)
            raise click.UsageError(f"What is {args[0]!r}? Write {kinds}.", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=KindGroup)
def delete() -> None:
    """Delete a deployment, a project or a team, with its data."""


@delete.command("deployment", cls=AdminCommand)
@click.argument("name")
@_yes
@click.pass_obj
def delete_deployment(session: Session, name: str, yes: bool) -> None:
    """Stop deployment NAME and remove all of it.

    That is its builds, logs, variables and data. Telemetry stays. `stop` only
    stops it.
    """
    with session.open_admin() as admin:
        live = admin.deployments.get(name)
        full = name_deployment(admin, live.record)
        _delete(session, admin, f"deployment {full}", [live], yes, lambda: admin.deployments.delete(live.record))


@delete.command("project", cls=AdminCommand)
@click.argument("name")
@_yes
@click.pass_obj
def delete_project(session: Session, name: str, yes: bool) -> None:
    """Remove project NAME and its deployments.

    All of their data goes. The folder or repository that it is made from stays as it is, and so does
    telemetry.
    """
    with session.open_admin() as admin:
        project = admin.projects.get(name)
        full = name_project(admin, project)
        deployments = admin.deployments.list(project)
        _delete(session, admin, f"project {full}", deployments, yes, lambda: admin.projects.delete(project))


@delete.command("team", cls=AdminCommand)
@click.argument("name")
@_yes
@click.pass_obj
def delete_team(session: Session, name: str, yes: bool) -> None:
    """Remove team NAME and its projects.

    All deployments of them go, with their data. The folders and repositories
    stay, and so does telemetry.
    """
    with session.open_admin() as admin:
        team = admin.teams.get(name)
        projects = admin.projects.list(team)
        deployments = [live for project in projects for live in admin.deployments.list(project)]
        names = ", ".join(f"{team.slug}/{project.slug}" for project in projects)
        what = f"team {team.slug}" + (f" with {names}" if names else "")
        _delete(session, admin, what, deployments, yes, lambda: admin.teams.delete(team))


def _delete(
    session: Session,
    admin: MastraAdmin,
    what: str,
    deployments: Sequence[LiveDeployment],
    yes: bool,
    act: Callable[[], object],
) -> None:
    output = session.output
    found = [_describe(admin, live) for live in deployments]
    output.line(f"This deletes the {what}:")
    output.lines([f"  {_tell(item)}" for item in found] or ["  it has no deployments"])
    if not yes and not _ask(session, what):
        output.note("Nothing was deleted.")
        raise click.exceptions.Exit(ExitCode.FAILED)
    act()
    output.done(f"Deleted the {what}")
    output.result({"deleted": what, "deployments": found})


def _describe(admin: MastraAdmin, live: LiveDeployment) -> dict[str, Any]:
    name = name_deployment(admin, live.record)
    return {"name": name, "status": live.record.status.value, "url": live.record.public_url, "builds": len(live.builds)}


def _tell(item: dict[str, Any]) -> str:
    builds = f"{item['builds']} build{'' if item['builds'] == 1 else 's'}"
    return f"{item['name']}, {item['status']}: {builds} with logs, variables, the data of its servers"


def _ask(session: Session, what: str) -> bool:
    if session.json_mode or not sys.stdin.isatty():
        raise InvalidInput(f"The {what} isn't deleted: there is nobody to ask.", hint="Add --yes to delete it.")
    return click.confirm("Delete it? This can't be undone.", err=True)
