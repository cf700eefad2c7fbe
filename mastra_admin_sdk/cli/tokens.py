"""``mastra-admin tokens``: letting programs elsewhere in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import relative_time
from mastra_admin_sdk.models import TokenScope, utc_now

from .group import AdminCommand
from .session import Session
from .tables import Column, render_table

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.models import Token

_COLUMNS = (
    Column("ID"),
    Column("NAME", shrink=True),
    Column("FOR", shrink=True),
    Column("SCOPES", shrink=True),
    Column("STATUS"),
    Column("LAST USED"),
)


@click.group()
def tokens() -> None:
    """Make, list and revoke tokens that programs show."""


@tokens.command("create", cls=AdminCommand)
@click.argument("name")
@click.option("--project", metavar="PROJECT", help="The only project that it is for.")
@click.option("--team", metavar="TEAM", help="The only team that it is for.")
@click.option("--member", metavar="EMAIL", help="The member of the team whom it belongs to.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in TokenScope]),
    multiple=True,
    help="What it is good for; can be repeated.  [default: ingest, or what the member's role allows]",
)
@click.option("--days", type=float, metavar="N", help="Refuse it after so many days; never unless given.")
@click.pass_obj
def create_token(
    session: Session,
    name: str,
    project: str | None,
    team: str | None,
    member: str | None,
    scopes: tuple[str, ...],
    days: float | None,
) -> None:
    """Make a token called NAME and show it this once.

    People sign in to the panel with one that has the scope read. With ingest
    it sends telemetry to the panel; the variables that a Mastra app and
    OpenTelemetry need for that are shown too.
    """
    with session.open_admin() as admin:
        made = admin.tokens.create(name, scopes=scopes or None, project=project, team=team, member=member, expires=days)
        described = _describe(admin, made.token)
        address = f"http://{admin.settings.panel_bind}:{admin.settings.panel_port}"
    output = session.output
    output.done(f"{name} is let in for {described['owner'] or 'all projects'}")
    output.line(f"  token  {made.secret}")
    if TokenScope.INGEST in made.token.scopes:
        output.lines(_list_variables(made.token, made.secret, address))
    output.note("The token isn't shown again.")
    output.result({**described, "secret": made.secret})


@tokens.command("list", cls=AdminCommand)
@click.pass_obj
def list_tokens(session: Session) -> None:
    """List tokens, also those that are refused by now."""
    output = session.output
    with session.open_admin() as admin:
        found = [_describe(admin, token) for token in admin.tokens.list()]
    output.result(found)
    if not found:
        output.line(f"No tokens yet. Make one: {session.suggest('tokens create <name> --project <project>')}")
        return
    now = utc_now()
    rows = [
        (
            item["token_id"][:8],
            item["name"],
            item["owner"] or "all projects",
            item["scopes"],
            item["status"],
            relative_time(item["last_used_at"], now) if item["last_used_at"] else "never",
        )
        for item in found
    ]
    output.lines(render_table(_COLUMNS, rows, width=output.width))


@tokens.command("revoke", cls=AdminCommand)
@click.argument("token")
@click.pass_obj
def revoke_token(session: Session, token: str) -> None:
    """Refuse TOKEN from now on, by its name or the id that `list` shows."""
    with session.open_admin() as admin:
        revoked = admin.tokens.revoke(token)
        described = _describe(admin, revoked)
    session.output.done(f"{revoked.name} is refused from now on")
    session.output.result(described)


def _list_variables(token: Token, secret: str, address: str) -> list[str]:
    project = [f"    MASTRA_PROJECT_ID={token.project_id}"] if token.project_id else []
    return [
        "  A Mastra app with the platform exporter reports here with",
        f"    MASTRA_CLOUD_TRACES_ENDPOINT={address}",
        f"    MASTRA_PLATFORM_ACCESS_TOKEN={secret}",
        *project,
        "  and OpenTelemetry with",
        f"    OTEL_EXPORTER_OTLP_ENDPOINT={address}",
        f"    OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20{secret}",
    ]


def _describe(admin: MastraAdmin, token: Token) -> dict[str, Any]:
    return admin.tokens.describe(token)
