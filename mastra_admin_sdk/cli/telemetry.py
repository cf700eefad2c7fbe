"""``mastra-admin traces`` and ``sql``: what agents did."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import format_duration, relative_time
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import utc_now

from .filters import EVERYTHING, OF_SPANS, SHAPE, WHOSE, read_filters, read_json, take_filters
from .frames import iterate_csv, iterate_records, render_frame, to_json_value, write_csv
from .group import AdminCommand
from .questions import answer, complete_traces, write_notes
from .session import Session
from .tables import Column, render_table

if TYPE_CHECKING:
    import pandas as pd

    from mastra_admin_sdk.services.telemetry.traces import Trace

_ID_LENGTH = 32
_SHORT_ID_LENGTH = 12
_ROWS = 20
_ROOM_FOR_WHOLE_IDS = 110
_TRACE_COLUMNS = (
    Column("TRACE"),
    Column("WHEN"),
    Column("NAME", shrink=True),
    Column("STATUS", state=True),
    Column("TOOK", right=True),
    Column("SPANS", right=True),
    Column("TOKENS", right=True),
)


@click.command(cls=AdminCommand)
@click.argument("shown", metavar="[ID]", required=False)
@click.option("--wait", type=float, default=0.0, metavar="SECONDS", help="Wait until trace ID is complete.")
@take_filters(*WHOSE, *OF_SPANS, *SHAPE)
@click.pass_obj
def traces(session: Session, /, shown: str | None, wait: float, form: str | None, **options: Any) -> None:
    """List traces, or show the spans of trace ID as a tree.

    The 20 newest unless said otherwise. The first 6 or more characters of an
    ID will do if no other begins so.
    """
    if shown:
        with session.open_admin() as admin:
            _show_trace(session, admin.trace(shown, wait=wait))
        return
    given = dict(options, limit=options["limit"] or _ROWS)
    if form not in {None, "table"} or session.json_mode or given["columns"] or given["count"]:
        answer(session, "traces", form, given)
        return
    given = read_filters(given)
    limit = given.pop("limit")
    with session.open_admin() as admin:
        complete_traces(admin, given)
        found = admin.traces(**given, limit=None if limit == EVERYTHING else limit)
    _list_traces(session, found, is_filtered=bool(given))
    write_notes(session, found)


@click.command(cls=AdminCommand)
@click.argument("query")
@click.option(
    "--param",
    "params",
    metavar="KEY=VALUE",
    multiple=True,
    help="Bind %(KEY)s in the query as text; KEY:=VALUE binds a number or another JSON value.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    help="How to print the result; a table unless given.",
)
@click.pass_obj
def sql(session: Session, query: str, params: tuple[str, ...], form: str | None) -> None:
    """Run a read-only SQL query on the telemetry.

    `-` reads it from stdin.

    \b
    mastra-admin sql "SELECT type, count() FROM mastra_admin_spans GROUP BY type"
    mastra-admin sql "SELECT * FROM mastra_admin_spans" --format csv > spans.csv
    """
    form = "json" if session.json_mode else form or "table"
    # Errors of `--format json` are JSON too.
    session.json_mode = form == "json"
    text = sys.stdin.read() if query == "-" else query
    with session.open_admin() as admin:
        frame = admin.sql(text, parse_params(params))
    if form == "json":
        session.output.stream_result(iterate_records(frame))
    elif form == "csv":
        write_csv(iterate_csv(frame))
    else:
        session.output.lines(render_frame(frame, session.output.width))


def parse_params(texts: Sequence[str]) -> dict[str, Any]:
    """Return the values to bind: ``KEY=VALUE`` binds text, ``KEY:=VALUE`` what VALUE means as JSON.

    Raises:
        InvalidInput: one is neither.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.rstrip(":").isidentifier():
            raise InvalidInput(f"{text!r} binds nothing.", hint="Write KEY=VALUE, or KEY:=VALUE for a number.")
        found[key.rstrip(":")] = read_json(key, value) if key.endswith(":") else value
    return found


def _show_trace(session: Session, trace: Trace) -> None:
    session.output.result(
        {
            "trace_id": trace.id,
            "status": trace.status,
            "duration_ms": trace.duration_ms,
            "spans": list(iterate_records(trace.frame)) if session.json_mode else [],
        }
    )
    session.output.lines([f"Trace {trace.id}", *trace.to_text(session.output.width).splitlines()])


def _list_traces(session: Session, frame: pd.DataFrame, *, is_filtered: bool) -> None:
    output = session.output
    if frame.empty:
        output.line("No traces match." if is_filtered else "There are no traces yet: call an agent.")
        return
    now = utc_now()
    # As `traces` itself takes the beginning of an id, a narrow terminal has room for names.
    length = _ID_LENGTH if output.width >= _ROOM_FOR_WHOLE_IDS else _SHORT_ID_LENGTH
    rows = [_list_cells(row, now, length) for row in iterate_records(frame)]
    output.lines(render_table(_TRACE_COLUMNS, rows, width=output.width))
    output.line()
    output.line(f"Look at one: {session.suggest(f'traces {rows[0][0]}')}")


def _list_cells(row: dict[str, Any], now: datetime, id_length: int) -> tuple[object, ...]:
    tokens = (to_json_value(row["input_tokens"]) or 0) + (to_json_value(row["output_tokens"]) or 0)
    took = row["duration_ms"]
    return (
        row["trace_id"][:id_length],
        relative_time(datetime.fromisoformat(row["start_time"]), now),
        row["name"],
        row["status"],
        format_duration(took / 1000) if took is not None else None,
        f"{row['spans']:,}",
        f"{tokens:,}" if tokens else None,
    )
