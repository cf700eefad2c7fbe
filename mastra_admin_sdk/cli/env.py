"""``mastra-admin env``: environment variables of projects and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from mastra_admin_sdk.errors import InvalidInput

from .group import AdminCommand
from .session import Session
from .tables import Column, render_table
from .variables import ask_secrets, parse_assignments

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin

_deployment_flag = click.option("--deployment", is_flag=True, help="NAME is a deployment: its overrides are meant.")


@click.group()
def env() -> None:
    """List, set and remove environment variables."""


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


@env.command("set", cls=AdminCommand)
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


def _read(admin: MastraAdmin, name: str, deployment: bool) -> dict[str, str]:
    found = admin.deployments.get(name).list_env() if deployment else admin.projects.list_env(name)
    return dict(found)


def _write(
    admin: MastraAdmin, name: str, deployment: bool, variables: Mapping[str, str | None], *, secret: bool
) -> None:
    if variables and deployment:
        admin.deployments.get(name).set_env(variables, secret=secret)
    elif variables:
        admin.projects.set_env(name, variables, secret=secret)


def _tell(session: Session, name: str, text: str, variables: Mapping[str, str]) -> None:
    session.output.done(f"{text} of {name}")
    session.output.line(f"  In force from the next build, or now with: {session.suggest(f'restart {name}')}")
    session.output.result(dict(variables))
