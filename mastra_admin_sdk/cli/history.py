"""``mastra-admin builds``, ``events`` and ``diff``: what happened, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import format_duration, relative_time
from mastra_admin_sdk.models import BuildStatus, utc_now

from .frames import iterate_records
from .group import AdminCommand
from .session import Session
from .tables import Column, is_within, render_table

if TYPE_CHECKING:
    import pandas as pd

_BUILD_COLUMNS = (
    Column("DEPLOYMENT"),
    Column("BUILD"),
    Column("KIND"),
    Column("TRIGGER"),
    Column("STATUS", state=True),
    Column("TOOK", right=True),
    Column("CACHE"),
    Column("QUEUED"),
)
_WIDE_ONLY = {"TRIGGER", "CACHE"}
_EVENT_COLUMNS = (
    Column("WHEN"),
    Column("WHO", shrink=True),
    Column("FROM"),
    Column("WHAT"),
    Column("OBJECT", shrink=True),
)

_since = click.option("--since", metavar="TIME", help="An age such as 24h or 7d, or a time.")


@click.command(cls=AdminCommand)
@click.argument("deployment", required=False)
@click.option("--project", help="Those of all its deployments.")
@click.option(
    "--status", type=click.Choice([item.value for item in BuildStatus]), help="Those that ended so, or are so."
)
@_since
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@click.pass_obj
def builds(
    session: Session, deployment: str | None, project: str | None, status: str | None, since: str | None, limit: int
) -> None:
    """List builds, newest first: of DEPLOYMENT, of a project, or all.

    With --json each has its seconds per phase, sizes and cache hits.
    """
    with session.open_admin() as admin:
        frame = admin.builds.frame(project=project, deployment=deployment, status=status, since=since, limit=limit)
    rows = _tell(session, frame)
    _show(session, frame, _list_builds(rows, session.output.width, is_named=deployment is not None))


@click.command(cls=AdminCommand)
@click.option("--actor", help="What they did.")
@click.option("--action", help="Such as `set_env` or `live`.")
@click.option("--type", "object_type", help="What it was done to: team, project, deployment, build.")
@_since
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@click.pass_obj
def events(
    session: Session, actor: str | None, action: str | None, object_type: str | None, since: str | None, limit: int
) -> None:
    """Show who did what, when, and from where.

    This is the audit log, newest first.
    """
    with session.open_admin() as admin:
        frame = admin.events.frame(actor=actor, action=action, object_type=object_type, since=since, limit=limit)
    rows = [
        (
            _tell_age(row["time"]),
            row["actor"],
            row["origin"],
            row["action"],
            f"{row['object_type']} {row['object'] or row['object_id']}",
        )
        for row in _tell(session, frame)
    ]
    _show(session, frame, render_table(_EVENT_COLUMNS, rows, width=session.output.width) if rows else [])


@click.command(cls=AdminCommand)
@click.argument("before")
@click.argument("after")
@click.option("--all", "everything", is_flag=True, help="List all that differs, however much.")
@click.pass_obj
def diff(session: Session, before: str, after: str, everything: bool) -> None:
    """Show what differs between two builds.

    BEFORE and AFTER are `<deployment>#<number>`, or ids: source files, installed
    packages, variables (never their values), agents, tools and workflows.
    """
    with session.open_admin() as admin:
        found = admin.diff(before, after)
        session.output.result(found.to_dict())
        most = 10**9 if everything else 20
        session.output.lines(found.text(session.output.width, most).splitlines())


def _list_builds(rows: Sequence[dict[str, Any]], width: int, *, is_named: bool) -> list[str]:
    """The table; deployments that were not named are told apart by names that are never cut."""
    if not rows:
        return []
    cells = [_list_cells(row) for row in rows]
    if is_named:
        return render_table(_BUILD_COLUMNS[1:], [row[1:] for row in cells], width=width)
    if is_within(_BUILD_COLUMNS, cells, width):
        return render_table(_BUILD_COLUMNS, cells, width=width)
    kept = [place for place, column in enumerate(_BUILD_COLUMNS) if column.title not in _WIDE_ONLY]
    few, columns = [[row[place] for place in kept] for row in cells], [_BUILD_COLUMNS[place] for place in kept]
    if is_within(columns, few, width):
        return render_table(columns, few, width=width)
    below = [[f"  {row[0]}"] for row in cells]
    return render_table(_BUILD_COLUMNS[1:], [row[1:] for row in cells], width=width, below=below)


def _list_cells(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        f"{row['team']}/{row['project']}/{row['deployment']}",
        f"#{row['number']}",
        row["kind"],
        row["trigger"],
        row["status"],
        format_duration(row["total_s"]) if row["total_s"] is not None else None,
        _name_cache(row),
        _tell_age(row["queued_at"]),
    )


def _tell(session: Session, frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON values, which are the result with ``--json``."""
    rows = list(iterate_records(frame))
    session.output.result(rows)
    return rows


def _show(session: Session, frame: pd.DataFrame, lines: list[str]) -> None:
    session.output.lines(lines or ["There are none."])
    if frame.attrs["truncated"] and not session.json_mode:
        session.output.note(f"The newest {frame.attrs['limit']}; there may be more with --limit.")


def _name_cache(row: dict[str, Any]) -> str | None:
    """The largest thing that the cache had."""
    for name in ("artifact", "output", "dependencies"):
        if row[f"{name}_cache"] in {"hit", "reused"}:
            return name
    return None


def _tell_age(moment: str) -> str:
    from datetime import datetime

    return relative_time(datetime.fromisoformat(moment), utc_now())
