"""``mastra-admin telemetry``: deleting telemetry for good."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.errors import InvalidInput

from .failures import ExitCode
from .group import AdminCommand
from .session import Session

if TYPE_CHECKING:
    from mastra_admin_sdk.services.privacy.deletion import Deletion


@click.group(short_help="Delete telemetry for good.")
def telemetry() -> None:
    """Delete telemetry of a user, a thread, a project, or what is old."""


@telemetry.command(cls=AdminCommand)
@click.option("--user", help="All traces of a user (resource id).")
@click.option("--thread", help="All traces of a thread.")
@click.option("--project", help="Only what is of a project.")
@click.option("--deployment", help="Only what is of a deployment.")
@click.option("--build", help="Only what is of a build, such as weather-agent#3.")
@click.option("--since", help="Only what began then or later: 30m, 24h, 7d, or an ISO time with its zone.")
@click.option("--until", help="Only what began before.")
@click.option("--dry-run", is_flag=True, help="Count what would be deleted, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.pass_obj
def delete(session: Session, /, dry_run: bool, yes: bool, **given: Any) -> None:
    """Delete telemetry for good, in the store and in the files.

    Spans, logs, metrics, scores and feedback go, and items of datasets made from
    traces of the user or thread.

    \b
    mastra-admin telemetry delete --user u-4711 --dry-run
    mastra-admin telemetry delete --until 30d --yes
    """
    with session.open_admin() as admin:
        counted = admin.delete_telemetry(**given, dry_run=True)
        if dry_run:
            _tell(session, counted)
            return
        if not yes:
            session.output.lines(_list_counts(counted))
            if not _ask(session):
                session.output.note("Nothing was deleted.")
                raise click.exceptions.Exit(ExitCode.FAILED)
        _tell(session, admin.delete_telemetry(**given))


def _tell(session: Session, deletion: Deletion) -> None:
    output = session.output
    output.lines(_list_counts(deletion))
    if deletion.dry_run:
        output.line("Nothing was deleted: this was a dry run.")
    else:
        output.done("Deleted for good")
    output.result(asdict(deletion))


def _list_counts(deletion: Deletion) -> list[str]:
    return [f"{count:>12,} {what}" for count, what in deletion.counts()] or ["Nothing matches."]


def _ask(session: Session) -> bool:
    if session.json_mode or not sys.stdin.isatty():
        raise InvalidInput(
            "Nothing was deleted: there is nobody to ask.", hint="Add --yes, or --dry-run to look first."
        )
    return click.confirm("Delete it? This can't be undone.", err=True)
