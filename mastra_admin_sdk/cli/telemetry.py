"""``mastra-admin traces`` and ``sql``: what agents did."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import format_duration, relative_time
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import utc_now

from .frames import iterate_csv, iterate_records, render_frame, to_json_value
from .group import AdminCommand
from .session import Session
from .tables import Column, render_table
from .trace import complete_trace_id

if TYPE_CHECKING:
    import pandas as pd

    from mastra_admin_sdk.services.telemetry.traces import Trace

_ID_LENGTH = 32
_SHORT_ID_LENGTH = 12
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
@click.argument("trace_id", metavar="[ID]", required=False)
@click.option("--project", help="Only those of a project.")
@click.option("--deployment", help="Only those of a deployment.")
@click.option(
    "--since", default="24h", show_default=True, help="How far back: 30m, 24h, 7d, or an ISO time with its zone."
)
@click.option("--status", type=click.Choice(["ok", "error", "running"]), help="Only those that ended so.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@click.option("--wait", type=float, default=0.0, metavar="SECONDS", help="Wait until trace ID is complete.")
@click.pass_obj
def traces(
    session: Session,
    trace_id: str | None,
    project: str | None,
    deployment: str | None,
    since: str,
    status: str | None,
    limit: int,
    wait: float,
) -> None:
    """List traces, or show the spans of trace ID as a tree.

    The beginning of an ID will do if no other trace begins with it.
    """
    with session.open_admin() as admin:
        if trace_id:
            _show_trace(session, admin.trace(complete_trace_id(admin, trace_id, wait), wait=wait))
            return
        found = admin.traces(project=project, deployment=deployment, since=since, status=status, limit=limit)
    session.output.result(list(iterate_records(found)))
    _list_traces(session, found, since)


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
        _write_csv(frame)
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
        found[key.rstrip(":")] = _parse_json(key, value) if key.endswith(":") else value
    return found


def _parse_json(key: str, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as exc:
        raise InvalidInput(
            f"The value of {key.rstrip(':')} is no JSON: {value!r}.", hint="Use KEY=VALUE for text."
        ) from exc


def _write_csv(frame: pd.DataFrame) -> None:
    # Bytes: neither the terminal's encoding nor its line ends may change what is written.
    stream = sys.stdout.buffer
    for part in iterate_csv(frame):
        stream.write(part.encode("utf-8", errors="surrogateescape"))
    stream.flush()


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


def _list_traces(session: Session, frame: pd.DataFrame, since: str) -> None:
    output = session.output
    if frame.empty:
        output.line(f"No traces {_name_range(since)}. Call an agent, or look further back with --since 7d.")
        return
    now = utc_now()
    # As `traces` itself takes the beginning of an id, a narrow terminal has room for names.
    length = _ID_LENGTH if output.width >= _ROOM_FOR_WHOLE_IDS else _SHORT_ID_LENGTH
    rows = [_list_cells(row, now, length) for row in iterate_records(frame)]
    output.lines(render_table(_TRACE_COLUMNS, rows, width=output.width))
    output.line()
    if frame.attrs.get("truncated"):
        output.line(f"The newest {len(frame)} {_name_range(since)}; more with --limit.")
    output.line(f"Look at one: {session.suggest(f'traces {rows[0][0]}')}")


def _name_range(since: str) -> str:
    return (
        f"of the last {since}"
        if since[:1].isdigit() and since[-1:].isalpha() and "T" not in since
        else f"since {since}"
    )


def _list_cells(row: dict[str, Any], now: datetime, id_length: int) -> tuple[object, ...]:
    tokens = (to_json_value(row["input_tokens"]) or 0) + (to_json_value(row["output_tokens"]) or 0)
    took = row["duration_ms"]
    return (
        row["trace_id"][:id_length],
        relative_time(datetime.fromisoformat(row["start_time"]), now),
        row["name"],
        row["status"],
        format_duration(took / 1000) if took is not None else None,
        row["spans"],
        tokens or None,
    )
