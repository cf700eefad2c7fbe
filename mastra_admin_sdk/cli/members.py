"""``mastra-admin members``: who belongs to a team, and as what."""

from __future__ import annotations

from typing import Any

import click

from mastra_admin_sdk.display.text import relative_time
from mastra_admin_sdk.models import MemberRole, utc_now

from .group import AdminCommand
from .session import Session
from .tables import Column, render_table

_COLUMNS = (
    Column("EMAIL", shrink=True),
    Column("TEAM", shrink=True),
    Column("ROLE"),
    Column("TOKENS"),
    Column("ADDED"),
)
_ROLES = click.Choice([role.value for role in MemberRole])


@click.group()
def members() -> None:
    """Add, list and remove members of teams."""


@members.command("add", cls=AdminCommand)
@click.argument("team")
@click.argument("email")
@click.option("--role", type=_ROLES, default="member", show_default=True, help="What they may do.")
@click.pass_obj
def add_member(session: Session, team: str, email: str, role: str) -> None:
    """Add EMAIL to TEAM.

    An owner may do everything with what the team has, a member deploys and
    reads, a viewer reads.
    """
    with session.open_admin() as admin:
        found = admin.members.describe(admin.members.add(team, email, role=role))
    session.output.done(f"{found['email']} is {_name_role(found['role'])} of {found['team']}")
    made = session.suggest(f"tokens create <name> --team {found['team']} --member {found['email']}")
    session.output.note(f"They sign in with a token: {made}")
    session.output.result(found)


@members.command("list", cls=AdminCommand)
@click.argument("team", required=False)
@click.pass_obj
def list_members(session: Session, team: str | None) -> None:
    """List the members of TEAM, or of all."""
    output = session.output
    with session.open_admin() as admin:
        found = [admin.members.describe(member) for member in admin.members.list(team)]
    output.result(found)
    if not found:
        output.line(f"No members yet. Add one: {session.suggest('members add <team> <email>')}")
        return
    output.lines(render_table(_COLUMNS, [_make_row(item) for item in found], width=output.width))


@members.command("role", cls=AdminCommand)
@click.argument("email")
@click.argument("role", type=_ROLES)
@click.option("--team", metavar="TEAM", help="In which team, where an email is in several.")
@click.option("--force", is_flag=True, help="Take it from the last owner too.")
@click.pass_obj
def change_role(session: Session, email: str, role: str, team: str | None, force: bool) -> None:
    """Give EMAIL another ROLE; their tokens are held to it at once."""
    with session.open_admin() as admin:
        found = admin.members.describe(admin.members.change_role(email, role, team=team, force=force))
    session.output.done(f"{found['email']} is {_name_role(found['role'])} of {found['team']}")
    session.output.result(found)


@members.command("remove", cls=AdminCommand)
@click.argument("email")
@click.option("--team", metavar="TEAM", help="From which team, where an email is in several.")
@click.option("--force", is_flag=True, help="Remove the last owner too.")
@click.pass_obj
def remove_member(session: Session, email: str, team: str | None, force: bool) -> None:
    """Remove EMAIL from the team; their tokens are refused from then on."""
    with session.open_admin() as admin:
        found = admin.members.describe(admin.members.get(email, team=team))
        admin.members.remove(found["member_id"], force=force)
    session.output.done(f"{found['email']} is no longer in {found['team']}")
    session.output.result(found)


def _make_row(item: dict[str, Any]) -> tuple[str, ...]:
    added = relative_time(item["created_at"], utc_now())
    return item["email"], item["team"], item["role"], str(item["tokens"]), added


def _name_role(role: str) -> str:
    return f"an {role}" if role == "owner" else f"a {role}"
