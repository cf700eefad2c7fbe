"""``mastra-admin trace``: one trace as a tree, as HTML, as JSON."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mastra_admin_sdk.display.waterfall import MOST_ROWS
from mastra_admin_sdk.errors import InvalidInput

from .group import AdminCommand
from .session import Session

if TYPE_CHECKING:
    from mastra_admin_sdk.services.telemetry.traces import Trace

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Trace {id}</title>
</head>
<body style="font-family: system-ui, sans-serif">
{trace}
</body>
</html>
"""


@click.command(cls=AdminCommand)
@click.argument("trace_id", metavar="ID")
@click.option("--wait", type=float, default=0.0, metavar="SECONDS", help="Wait until it is complete.")
@click.option("--limit", type=click.IntRange(min=1), help="How many spans to show, those that failed and the longest.")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write the waterfall to a file instead."
)
@click.pass_obj
def trace(session: Session, trace_id: str, wait: float, limit: int | None, page: Path | None) -> None:
    """Show the spans of a trace as a tree.

    The first 6 or more characters of an ID will do if no other begins so.
    """
    with session.open_admin() as admin:
        found = admin.trace(trace_id, wait=wait)
        if page is not None:
            _write_page(found, page, limit)
        if session.json_mode:
            session.output.result(json.loads(found.to_json()))
            return
    if page is not None:
        session.output.done(f"Wrote {page}")
        return
    session.output.lines([f"Trace {found.id}", *found.to_text(session.output.width, limit=limit).splitlines()])


def _write_page(found: Trace, path: Path, limit: int | None) -> None:
    text = _PAGE.format(id=html.escape(found.id), trace=found.to_html(limit=limit or MOST_ROWS))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise InvalidInput(
            f"The waterfall can't be written to {path}: {exc.strerror or exc}.", hint="Give another file."
        ) from exc
