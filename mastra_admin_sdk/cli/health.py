"""``mastra-admin health``: how each deployment does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from .frames import iterate_records
from .group import AdminCommand
from .session import Session
from .tables import Column, is_within, render_table

_COLUMNS = (
    Column("DEPLOYMENT"),
    Column("STATUS", state=True),
    Column("SERVERS", right=True),
    Column("MB", right=True),
    Column("CPU", right=True),
    Column("TRACES", right=True),
    Column("ERRORS", right=True),
    Column("P95 MS", right=True),
    Column("ALERTS", right=True),
)


@click.command(cls=AdminCommand)
@click.option("--window", metavar="TIME", default="5m", show_default=True, help="For traces: how far to look back.")
@click.pass_obj
def health(session: Session, window: str) -> None:
    """Show how each deployment does, as observed just now.

    Servers that answer of those there are, memory, cores in use, traces that
    ended lately with the share that failed, and alerts that fire. With --json
    there is more.
    """
    output = session.output
    with session.open_admin() as admin:
        frame = admin.health(window)
    rows = list(iterate_records(frame))
    output.result(rows)
    if not rows:
        output.line(f"Nothing is deployed yet: {session.suggest('deploy <project>')}")
        return
    output.lines(_render(rows, output.width))
    if frame.attrs["lag_s"] >= 1:
        output.note(f"Telemetry waits to be stored since {frame.attrs['lag_s']:,.0f} s.")
    if not frame.attrs["supervised"]:
        output.note(f"No process restarts servers or looks at alerts: {session.suggest('up')}")


def _render(rows: Sequence[dict[str, Any]], width: int) -> list[str]:
    """The table; names are never cut: where there is little room, other columns give way, then they stand below."""
    cells = [_list_cells(row) for row in rows]
    for left_out in (set(), {"CPU", "MB"}, {"CPU", "MB", "P95 MS"}):
        kept = [place for place, column in enumerate(_COLUMNS) if column.title not in left_out]
        few, columns = [[row[place] for place in kept] for row in cells], [_COLUMNS[place] for place in kept]
        if is_within(columns, few, width):
            return render_table(columns, few, width=width)
    below = [[f"  {row[0]}"] for row in cells]
    return render_table(_COLUMNS[1:], [row[1:] for row in cells], width=width, below=below)


def _list_cells(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        f"{row['team']}/{row['project']}/{row['deployment']}",
        row["status"],
        f"{row['healthy']}/{row['servers']}",
        _show(row["memory_mb"], ",.0f"),
        _show(row["cpu"], ".2f"),
        _show(row["traces"], ","),
        _show(row["error_rate"], ".1%"),
        _show(row["p95_ms"], ",.0f"),
        row["alerts"] or None,
    )


def _show(value: Any, form: str) -> str | None:
    return None if value is None else format(value, form)
