"""``mastra-admin gc``: removing what is no longer kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import click

from mastra_admin_sdk.display.text import format_bytes
from mastra_admin_sdk.models import Removal

from .group import AdminCommand
from .output import shorten_path
from .session import Session
from .tables import Column, render_table

_COLUMNS = (Column("WHAT", shrink=True), Column("FREES", right=True), Column("WHY", shrink=True))


@click.command(cls=AdminCommand)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@click.pass_obj
def gc(session: Session, dry_run: bool) -> None:
    """Remove old builds, old logs and what interrupted work left.

    What a deployment serves or served before always stays, and so do its last
    builds (MASTRA_ADMIN_KEEP_BUILDS). It happens by itself after deploys and
    once an hour while the background process runs.
    """
    output = session.output
    with session.open_admin() as admin:
        found = admin.gc(dry_run=dry_run)
    if found:
        output.lines(render_table(_COLUMNS, list(_list_rows(found)), width=output.width, below=_list_paths(found)))
        output.line()
    output.done(found.title) if not dry_run else output.line(found.title)
    for problem in found.problems:
        output.note(problem)
    output.result(
        {
            "dry_run": dry_run,
            "bytes": found.bytes,
            "removed": [asdict(item) for item in found],
            "problems": list(found.problems),
        }
    )


def _list_rows(found: Iterable[Removal]) -> Iterable[tuple[str, str, str]]:
    return ((item.what, format_bytes(item.bytes), item.reason) for item in found)


def _list_paths(found: Iterable[Removal]) -> list[list[str]]:
    return [[f"  {shorten_path(item.path, 200)}"] for item in found]
