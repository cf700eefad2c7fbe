"""``mastra-admin env``: environment variables of projects and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import relative_time
from mastra_admin_sdk.errors import InvalidInput, MastraAdminError, NotFound
from mastra_admin_sdk.models import utc_now

from .frames import iterate_records
from .group import AdminCommand
from .session import Session
from .tables import Column, render_table
from .variables import ask_secrets, parse_assignments

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.models import Project

_deployment_flag = click.option("--deployment", is_flag=True, help="NAME is a deployment: its overrides are meant.")


@click.group()
def env() -> None:
    """List, set, import and compare variables."""


@env.command("list", cls=AdminCommand)
@click.argument("name")
@_deployment_flag
@click.pass_obj
def list_variables(session: Session, name: str, deployment: bool) -> None:
    """List the variables of project NAME; secret values are hidden."""
    with session.open_admin() as admin:
        variables = _read(admin, name, deployment)
    session.output.result(variables)
    if variables:
        columns = (Column("NAME"), Column("VALUE", shrink=True))
        session.output.lines(render_table(columns, list(variables.items()), width=session.output.width))
    else:
        session.output.line("No variables are set.")


@env.command("set", cls=AdminCommand, short_help="Set variables of project NAME.")
@click.argument("name")
@click.argument("assignments", metavar="[KEY=VALUE]...", nargs=-1)
@click.option(
    "--secret", "secrets", metavar="KEY", multiple=True, help="Set a secret; its value is asked for or read from stdin."
)
@_deployment_flag
@click.pass_obj
def set_variables(
    session: Session, name: str, assignments: tuple[str, ...], secrets: tuple[str, ...], deployment: bool
) -> None:
    """Set variables of project NAME; they apply from the next build or restart."""
    plain = parse_assignments(assignments)
    hidden = ask_secrets(secrets)
    if not plain and not hidden:
        raise InvalidInput("There is nothing to set.", hint="Write KEY=VALUE, or --secret KEY.")
    with session.open_admin() as admin:
        _write(admin, name, deployment, plain, secret=False)
        _write(admin, name, deployment, hidden, secret=True)
        variables = _read(admin, name, deployment)
    _tell(session, name, f"Set {', '.join(sorted({**plain, **hidden}))}", variables)


@env.command("unset", cls=AdminCommand)
@click.argument("name")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@_deployment_flag
@click.pass_obj
def unset_variables(session: Session, name: str, keys: tuple[str, ...], deployment: bool) -> None:
    """Remove variables of project NAME."""
    with session.open_admin() as admin:
        missing = [key for key in keys if key not in _read(admin, name, deployment)]
        if missing:
            raise InvalidInput(f"{name} has no variable {', '.join(missing)}.", hint="`env list` shows what it has.")
        _write(admin, name, deployment, dict.fromkeys(keys), secret=True)
        variables = _read(admin, name, deployment)
    _tell(session, name, f"Removed {', '.join(keys)}", variables)


@env.command("import", cls=AdminCommand)
@click.argument("name")
@click.argument("file", metavar="FILE")
@click.option("--plain", is_flag=True, help="They are no secrets: `mastra build` and everybody may see them.")
@click.option("--only", metavar="KEY", multiple=True, help="Take this one; can be repeated.")
@click.option("--prefix", default="", help="Take those that begin with it.")
@_deployment_flag
@click.pass_obj
def import_variables(
    session: Session, name: str, file: str, plain: bool, only: tuple[str, ...], prefix: str, deployment: bool
) -> None:
    """Set the variables of a .env FILE for project NAME, as secrets.

    A name alone, such as `.env.production`, is looked for in the current
    folder, then in the project's own.
    """
    path = Path(file).absolute() if Path(file).is_file() else Path(file)
    chosen: dict[str, Any] = {"secret": not plain, "only": only or None, "prefix": prefix}
    with session.open_admin() as admin:
        if deployment:
            found = admin.deployments.get(name).import_env(path, **chosen)
        else:
            found = admin.projects.import_env(_get_project(admin, name), path, **chosen)
        variables = _read(admin, name, deployment)
    _tell(session, name, f"Set {', '.join(found.keys)} (from {found.path})", variables)
    for key, reason in found.skipped.items():
        session.output.note(f"{key} was skipped: {reason}.")


@env.command("versions", cls=AdminCommand, short_help="List the versions of the variables of NAME.")
@click.argument("name")
@_deployment_flag
@click.pass_obj
def list_versions(session: Session, name: str, deployment: bool) -> None:
    """List the versions of the variables of project NAME, without values.

    Those of a deployment have two numbers, such as 3.1: of the project's
    variables, and of its overrides.
    """
    with session.open_admin() as admin:
        frame = (
            admin.deployments.get(name).env_versions()
            if deployment
            else admin.projects.env_versions(_get_project(admin, name))
        )
    rows = list(iterate_records(frame))
    session.output.result(rows)
    columns = (Column("VERSION"), Column("WHEN"), Column("WHO", shrink=True), Column("NAMES", shrink=True))
    table = [(row["version"], _tell_age(row["changed_at"]), row["actor"], ", ".join(row["keys"])) for row in rows]
    session.output.lines(render_table(columns, table, width=session.output.width))


@env.command("diff", cls=AdminCommand, short_help="Show which variables differ between two versions.")
@click.argument("name")
@click.argument("before")
@click.argument("after")
@_deployment_flag
@click.pass_obj
def diff_versions(session: Session, name: str, before: str, after: str, deployment: bool) -> None:
    """Show which variables of project NAME differ between two versions.

    Values are never shown.
    """
    with session.open_admin() as admin:
        if deployment:
            frame = admin.deployments.get(name).diff_env(before, after)
        else:
            frame = admin.projects.diff_env(_get_project(admin, name), before, after)
    rows = list(iterate_records(frame))
    session.output.result(rows)
    columns = (Column("NAME"), Column("CHANGE"), Column("KIND"))
    table = [(row["key"], row["change"], "secret" if row["is_secret"] else "plain") for row in rows]
    session.output.lines(render_table(columns, table, width=session.output.width) if rows else ["They are the same."])


def _tell_age(moment: str | None) -> str:
    return relative_time(datetime.fromisoformat(moment) if moment else None, utc_now())


def _get_project(admin: MastraAdmin, name: str) -> Project:
    """A project by its name; a deployment's name is answered with the option that it needs."""
    try:
        return admin.projects.get(name)
    except NotFound as exc:
        try:
            admin.deployments.get(name)
        except MastraAdminError:
            raise exc from None
        hint = "That is a deployment: add --deployment for its own variables, or name its project."
        raise NotFound(exc.message, hint=hint) from exc


def _read(admin: MastraAdmin, name: str, deployment: bool) -> dict[str, str]:
    found = admin.deployments.get(name).list_env() if deployment else admin.projects.list_env(_get_project(admin, name))
    return dict(found)


def _write(
    admin: MastraAdmin, name: str, deployment: bool, variables: Mapping[str, str | None], *, secret: bool
) -> None:
    if variables and deployment:
        admin.deployments.get(name).set_env(variables, secret=secret)
    elif variables:
        admin.projects.set_env(_get_project(admin, name), variables, secret=secret)


def _tell(session: Session, name: str, text: str, variables: Mapping[str, str]) -> None:
    session.output.done(f"{text} of {name}")
    session.output.line(f"  In force from the next build, or now with: {session.suggest(f'restart {name}')}")
    session.output.result(dict(variables))
