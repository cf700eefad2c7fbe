"""``mastra-admin compare`` and ``replay``: what differs, and recorded inputs sent again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.replaying import ReplayPrinter
from mastra_admin_sdk.display.text import format_duration
from mastra_admin_sdk.errors import InvalidInput

from .failures import ExitCode
from .frames import iterate_records
from .group import AdminCommand
from .session import Session
from .tables import Column, render_table

if TYPE_CHECKING:
    import pandas as pd

    from mastra_admin_sdk.admin import MastraAdmin

_REPLAY_COLUMNS = (
    Column("INPUT", shrink=True),
    Column("STATUS", state=True),
    Column("OUTPUT"),
    Column("TOOK", right=True),
    Column("BEFORE", right=True),
    Column("NEW TRACE"),
)
_SHORT_ID = 12
_MOST_NAMED = 4


@click.command(cls=AdminCommand)
@click.argument("a")
@click.argument("b")
@click.option("--project", help="Only spans of a project.")
@click.option("--since", metavar="TIME", help="An age such as 24h or 7d, or a time.")
@click.option("--until", metavar="TIME", help="As --since; not included.")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Of the intervals.")
@click.option("--min-traces", type=click.IntRange(min=1), default=10, show_default=True, help="Needed for an interval.")
@click.option("--limit", type=click.IntRange(min=1), default=200_000, show_default=True, help="Spans read of a side.")
@click.option("--all", "everything", is_flag=True, help="List all figures.")
@click.pass_obj
def compare(
    session: Session,
    /,
    a: str,
    b: str,
    project: str | None,
    since: str | None,
    until: str | None,
    everything: bool,
    **options: Any,
) -> None:
    """Compare what two builds or deployments did.

    A and B are `<deployment>#<number>`, deployments, or ids: latency, errors, tokens,
    cost and the order of tools, per agent, workflow, tool and model.
    """
    filters: dict[str, Any] = {
        name: value for name, value in (("project", project), ("since", since), ("until", until)) if value
    }
    with session.open_admin() as admin:
        found = admin.compare(a, b, **options, **filters)
    session.output.result(found.to_dict())
    session.output.lines(found.text(session.output.width, everything=everything).splitlines())


@click.command(cls=AdminCommand)
@click.argument("what", metavar="[TRACE|DATASET]...", nargs=-1)
@click.option("--to", "deployment", required=True, help="The deployment to send them to.")
@click.option("--from", "source", help="Send what a deployment was asked.")
@click.option("--since", default="24h", show_default=True, metavar="TIME", help="With --from: how far back.")
@click.option("--status", type=click.Choice(["ok", "error"]), help="With --from: only those that ended so.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="With --from: how many.")
@click.option("--target", metavar="KIND:ID", help="Send all of them to agent:<id> or workflow:<id>.")
@click.option("--concurrency", type=click.IntRange(min=1), default=2, show_default=True, help="How many at a time.")
@click.option("--rate", type=float, help="How many are begun in a second at most.")
@click.option("--timeout", type=float, default=300.0, show_default=True, help="Seconds to wait for an answer.")
@click.option("--wait", type=float, default=30.0, show_default=True, help="Seconds to wait for the new traces.")
@click.option("--dry-run", is_flag=True, help="Send nothing; show what would be sent.")
@click.pass_obj
def replay(
    session: Session,
    /,
    what: tuple[str, ...],
    source: str | None,
    since: str,
    status: str | None,
    limit: int,
    **options: Any,
) -> None:
    """Send recorded inputs to a deployment again.

    Whatever its agents and workflows do in the world, they do again. Give ids of
    traces, names of datasets, or --from a deployment.

    \b
    mastra-admin replay --from weather-agent --to weather-agent/staging --dry-run
    """
    if not what and not source:
        raise InvalidInput("There is nothing to replay.", hint="Give ids of traces, a dataset, or --from a deployment.")
    printer = ReplayPrinter.for_this_output() if session.output.is_terminal else None
    with session.open_admin() as admin:
        wanted = [*what, *_list_recorded(admin, source, since, status, limit)]
        found = admin.replay(wanted, on_progress=printer or (lambda _: None), **options)
    rows = list(iterate_records(found))
    session.output.result(rows)
    _show(session, found, rows)
    if found.attrs.get("interrupted"):
        raise SystemExit(ExitCode.INTERRUPTED)
    if any(row["status"] == "failed" for row in rows):
        raise SystemExit(ExitCode.FAILED)


def _list_recorded(admin: MastraAdmin, source: str | None, since: str, status: str | None, limit: int) -> list[str]:
    """The ids of runs of a deployment's agents and workflows, those that came first at the top."""
    if source is None:
        return []
    filters = {"deployment": source, "since": since, "status": status, "limit": limit}
    found = admin.traces(**filters, type=("agent_run", "workflow_run"), columns=("trace_id",))
    return [str(each) for each in found["trace_id"]][::-1]


def _show(session: Session, frame: pd.DataFrame, rows: list[dict[str, Any]]) -> None:
    output = session.output
    if not rows:
        output.line("No run of an agent or a workflow was recorded there.")
        return
    output.lines(render_table(_REPLAY_COLUMNS, [_list_cells(row) for row in rows], width=output.width))
    output.line()
    counts = frame["status"].value_counts()
    parts = [f"{count} {status}" for status, count in counts[counts > 0].items()]
    compared = frame["equal"].dropna()
    parts += [f"{int(compared.sum())} of {len(compared)} answered as before"] if len(compared) else []
    expected = frame["as_expected"].dropna()
    parts += [f"{int(expected.sum())} of {len(expected)} as expected"] if len(expected) else []
    output.line(f"{', '.join(parts)}.")
    for reason, cases in _group_reasons(rows).items():
        more = f" and {len(cases) - _MOST_NAMED} more" if len(cases) > _MOST_NAMED else ""
        output.lines(["", reason, f"  {', '.join(cases[:_MOST_NAMED])}{more}"])
    for row in rows:
        if row["diff"]:
            lines = [f"  {line}" for line in row["diff"].splitlines() if not line.startswith("@@")]
            output.lines(["", row["case"][:_SHORT_ID], *lines])


def _group_reasons(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the cases by what is said of them."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            found.setdefault(row["reason"], []).append(row["case"][:_SHORT_ID])
    return found


def _list_cells(row: dict[str, Any]) -> tuple[object, ...]:
    times = [_tell_time(row[name]) for name in ("new_duration_ms", "old_duration_ms")]
    trace = (row["new_trace_id"] or "")[:_SHORT_ID] or None
    return (_shorten_input(row["input"]), row["status"], _name_output(row), *times, trace)


def _shorten_input(text: str | None) -> str | None:
    """The last message of an agent's input; any other input as it is."""
    try:
        value = json.loads(text or "")
        content = value[-1]["content"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return text
    return content if isinstance(content, str) else text


def _name_output(row: dict[str, Any]) -> str | None:
    known = row["as_expected"] if row["as_expected"] is not None else row["equal"]
    if known is None:
        return None
    return ("as expected" if row["as_expected"] is not None else "equal") if known else "differs"


def _tell_time(ms: float | None) -> str | None:
    return None if ms is None else format_duration(ms / 1000)
