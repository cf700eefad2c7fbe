"""``mastra-admin spans``, ``metrics``, ``latency``, ``errors``, ``tail`` and the like: questions about telemetry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import format_duration
from mastra_admin_sdk.models import utc_now

from .failures import ExitCode
from .filters import EVERYTHING, OF_LOGS, OF_RECORDS, OF_SPANS, SHAPE, WHOSE, read_filters, take_filters
from .frames import iterate_csv, iterate_records, render_frame, to_json_value, write_csv
from .group import AdminCommand
from .question_views import render_answer
from .session import Session

if TYPE_CHECKING:
    import pandas as pd

    from mastra_admin_sdk.admin import MastraAdmin

TABLE_ROWS = 50
_PROGRAM_ROWS = 1000
_ROWS_AT_ONCE = 20_000
_GROUPS = click.option("--by", metavar="A,B,…", help="Columns to group by, such as name, model, agent or day.")
_BUCKET = click.option("--bucket", metavar="LENGTH", help="Also by time: 30s, 5m, 1h, 1d.")
_TIMEZONE = click.option("--timezone", metavar="NAME", help="Whose days: an IANA name; UTC unless given.")


@click.command(cls=AdminCommand)
@take_filters(*WHOSE, *OF_SPANS, *SHAPE)
@click.pass_obj
def spans(session: Session, /, form: str | None, **options: Any) -> None:
    """List spans, the newest first.

    \b
    mastra-admin spans --type tool_call --status error --since 24h
    mastra-admin spans --since all --limit all --format csv > spans.csv
    """
    answer(session, "spans", form, options)


@click.command(cls=AdminCommand)
@_GROUPS
@_BUCKET
@_TIMEZONE
@take_filters(*WHOSE, *OF_SPANS, *SHAPE)
@click.pass_obj
def latency(session: Session, /, form: str | None, **options: Any) -> None:
    """Show how long spans took: count, errors, percentiles.

    By name and of the last 24 hours unless said otherwise.

    \b
    mastra-admin latency --type agent_run --by agent --bucket 1h
    """
    answer(session, "latency", form, options)


@click.command(cls=AdminCommand)
@_GROUPS
@_BUCKET
@_TIMEZONE
@take_filters(*WHOSE, *OF_SPANS, *SHAPE)
@click.pass_obj
def usage(session: Session, /, form: str | None, **options: Any) -> None:
    """Show tokens and what they cost.

    By model and of the last 24 hours unless said otherwise. The setting
    prices says what tokens cost.

    \b
    mastra-admin usage --by agent,day --since 30d
    """
    answer(session, "usage", form, options)


@click.command(cls=AdminCommand)
@take_filters(*WHOSE, *(name for name in OF_SPANS if name != "status"), *SHAPE)
@click.pass_obj
def errors(session: Session, /, form: str | None, **options: Any) -> None:
    """Show kinds of errors, the most frequent first.

    Messages that differ only in numbers, ids, quoted text and paths are one
    kind. Of the last 24 hours unless said otherwise.
    """
    answer(session, "errors", form, options)


@click.command(cls=AdminCommand)
@take_filters(*WHOSE, *OF_SPANS, *SHAPE)
@click.pass_obj
def threads(session: Session, /, form: str | None, **options: Any) -> None:
    """Show conversations, the one used last first.

    Of the last 24 hours unless said otherwise.
    """
    answer(session, "threads", form, options)


@click.command(cls=AdminCommand)
@take_filters(*WHOSE, "name", "model", *OF_RECORDS, *SHAPE)
@click.pass_obj
def metrics(session: Session, /, form: str | None, **options: Any) -> None:
    """List points of metrics, the newest first.

    \b
    mastra-admin metrics --name mastra_tokens --since 1h
    """
    answer(session, "metrics", form, options)


@click.command(cls=AdminCommand)
@take_filters(*WHOSE, "name", *OF_RECORDS, *SHAPE)
@click.pass_obj
def scores(session: Session, /, form: str | None, **options: Any) -> None:
    """List scores that people and scorers gave, the newest first.

    \b
    mastra-admin scores --name helpful --since 7d
    """
    answer(session, "scores", form, options)


@click.command(cls=AdminCommand)
@take_filters(*WHOSE, "name", *OF_RECORDS, *SHAPE)
@click.pass_obj
def feedback(session: Session, /, form: str | None, **options: Any) -> None:
    """List labels, notes and feedback of users, the newest first.

    \b
    mastra-admin feedback --name topic
    """
    answer(session, "feedback", form, options)


@click.command(cls=AdminCommand)
@click.argument("of", type=click.Choice(["spans", "logs"]), default="spans")
@take_filters(*WHOSE, *dict.fromkeys((*OF_SPANS, *OF_LOGS)), "limit")
@click.pass_obj
def tail(session: Session, /, of: str, **options: Any) -> None:
    """Follow spans as they end, or log lines, until Ctrl-C.

    With --since it begins with what is stored already.

    \b
    mastra-admin tail --status error
    mastra-admin tail logs --level error --project weather-agent
    """
    follow(session, of, options)


def follow(session: Session, of: str, options: Mapping[str, Any]) -> None:
    """Print what arrives until Ctrl-C."""
    given = read_filters(options)
    if given.get("limit") == EVERYTHING:
        del given["limit"]
    try:
        with session.open_admin() as admin:
            complete_traces(admin, given)
            _write_rows(session, of, admin.tail(of, **given))
    except KeyboardInterrupt:
        # The usual way to end following: nothing is wrong, and the reader knows it.
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


def answer(session: Session, question: str, form: str | None, options: Mapping[str, Any]) -> None:
    """Ask a question and print the answer: a table, CSV, JSON or a number; what was left out goes to stderr."""
    form = "json" if session.json_mode else form or "table"
    # Errors of `--format json` are JSON too.
    session.json_mode = form == "json"
    given = read_filters(options)
    if isinstance(given.get("by"), str):
        given["by"] = [name.strip() for name in given["by"].split(",") if name.strip()]
    with session.open_admin() as admin:
        complete_traces(admin, given)
        ask = getattr(admin, question)
        if given.get("count"):
            _write_count(session, ask(**given))
            return
        limit = given.pop("limit", TABLE_ROWS if form == "table" else _PROGRAM_ROWS)
        if limit == EVERYTHING and form != "table":
            parts: Iterable[pd.DataFrame] = ask(**given, chunks=_ROWS_AT_ONCE)
            _write_parts(session, form, parts, lambda: ask(**{**given, "limit": 0}))
            return
        frame = ask(**given, limit=None if limit == EVERYTHING else limit)
    if form == "table":
        _write_table(session, question, frame, is_chosen="columns" in given)
    else:
        _write_parts(session, form, [frame], lambda: frame)
    write_notes(session, frame)


def complete_traces(admin: MastraAdmin, given: dict[str, Any]) -> None:
    """Complete ids of traces that were copied from a table, which shows the first characters."""
    if "trace_id" in given:
        given["trace_id"] = [admin.complete_trace_id(each) for each in given["trace_id"]]


def write_notes(session: Session, frame: pd.DataFrame) -> None:
    """Write to stderr what an answer leaves out."""
    from mastra_admin_sdk.services.telemetry.wording import COMMAND_LINE, list_notes

    for note in list_notes(frame.attrs, len(frame), COMMAND_LINE):
        session.output.note(note)


def _write_count(session: Session, count: int) -> None:
    session.output.result({"count": count})
    session.output.line(f"{count}")


def _write_table(session: Session, question: str, frame: pd.DataFrame, *, is_chosen: bool) -> None:
    output = session.output
    if frame.empty:
        output.line(f"No {question}.")
    elif is_chosen:
        output.lines(render_frame(frame, output.width))
    else:
        rows = list(iterate_records(frame))
        output.lines(render_answer(question, rows, list(frame.columns), utc_now(), output.width))


def _write_parts(
    session: Session, form: str, parts: Iterable[pd.DataFrame], make_empty: Callable[[], pd.DataFrame]
) -> None:
    if form == "json":
        session.output.stream_result(row for part in parts for row in iterate_records(part))
        return
    remaining = iter(parts)
    first = next(remaining, None)
    # Without rows there is no part, but there are names of columns.
    first = make_empty() if first is None else first
    write_csv(chain(iterate_csv(first), *(iterate_csv(part, has_names=False) for part in remaining)))


def _write_rows(session: Session, of: str, rows: Iterator[dict[str, Any]]) -> None:
    if session.json_mode:
        session.output.stream_result({name: to_json_value(value) for name, value in row.items()} for row in rows)
        return
    for row in rows:
        session.output.line(describe_row(of, row))


def describe_row(of: str, row: Mapping[str, Any]) -> str:
    """Return a span or a log line as one line, with local time."""
    if of == "logs":
        moment: datetime = row["timestamp"]
        return f"{moment.astimezone():%H:%M:%S}  {row['level'] or '':5}  {row['message'] or ''}"
    moment = row["start_time"]
    took = "" if row["duration_ms"] is None else format_duration(row["duration_ms"] / 1000)
    error = f"  {row['error']}" if row["error"] else ""
    return f"{moment.astimezone():%H:%M:%S}  {row['status']:5}  {took:>10}  {row['name']}{error}"
