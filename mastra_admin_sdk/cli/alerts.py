"""``mastra-admin alerts``: telling somebody when a deployment fails, is slow, or ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import relative_time
from mastra_admin_sdk.errors import MastraAdminError
from mastra_admin_sdk.models import AlertKind, DeliveryStatus, utc_now

from .frames import iterate_records
from .group import AdminCommand
from .session import Session
from .tables import Column, render_table
from .variables import ask_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.models import AlertRule

_ASK = "-"
_COLUMNS = (
    Column("ALERT", shrink=True),
    Column("KIND"),
    Column("AT", right=True),
    Column("OF", shrink=True),
    Column("STATE", state=True),
)
_STATE_COLUMNS = (
    Column("ALERT", shrink=True),
    Column("DEPLOYMENT", shrink=True),
    Column("STATE", state=True),
    Column("SINCE"),
    Column("VALUE", right=True),
)
_HISTORY_COLUMNS = (
    Column("WHEN"),
    Column("EVENT", state=True),
    Column("ALERT", shrink=True),
    Column("DEPLOYMENT", shrink=True),
    Column("MESSAGE"),
)


@click.group()
def alerts() -> None:
    """List, create, change, test and delete alerts."""


def _add_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What can be said of a new alert and of one that is changed."""
    for option in reversed(
        (
            click.option("--window", metavar="TIME", help="What it looks back on, such as 10m.  [default: 5m]"),
            click.option("--deployment", metavar="DEPLOYMENT", help="The one that it watches; all unless given."),
            click.option("--project", metavar="PROJECT", help="Watch the deployments of a project."),
            click.option("--after", metavar="TIME", help="Fire only when it lasts so long.  [default: 0s]"),
            click.option("--clear", type=float, metavar="N", help="Recover below this.  [default: the threshold]"),
            click.option("--remind", metavar="TIME", help="Tell again while it fires.  [default: never]"),
            click.option("--min-count", type=int, metavar="N", help="Traces that are needed.  [default: 5]"),
            click.option("--percentile", type=int, metavar="N", help="Of latency: 50, 90, 95 or 99.  [default: 95]"),
            click.option(
                "--webhook",
                metavar="[URL]",
                is_flag=False,
                flag_value=_ASK,
                help="Address that is told; without URL it is asked for or read from stdin.",
            ),
            click.option("--sign", is_flag=True, help="Sign messages with a secret; asked for or read from stdin."),
        )
    ):
        command = option(command)
    return command


@alerts.command("create", cls=AdminCommand, short_help="Watch something under NAME.")
@click.argument("name")
@click.option("--kind", type=click.Choice([kind.value for kind in AlertKind]), required=True, help="What it measures.")
@click.option("--threshold", type=float, required=True, metavar="N", help="Fire when this is reached.")
@_add_options
@click.pass_obj
def create_alert(session: Session, /, name: str, kind: str, threshold: float, **options: Any) -> None:
    """Watch something under NAME while a process does the background work.

    \b
    Thresholds by kind:
      error_rate  share of traces that failed, 0 to 1
      latency     milliseconds of a trace, at a percentile
      crash       servers that ended by themselves
      down        servers that should answer and don't
      memory      megabytes of a deployment's servers
      build       builds that failed
      lag         seconds that telemetry waits to be stored
      rejects     lines of telemetry that were refused
    """
    given = _read_options(options)
    with session.open_admin() as admin:
        made = admin.alerts.create(name, kind=kind, threshold=threshold, **given)
        described = admin.alerts.describe(made)
    session.output.done(f"{made.name} watches {_name_subject(described)}")
    session.output.result(described)


@alerts.command("update", cls=AdminCommand)
@click.argument("alert")
@click.option("--name", help="Call it so.")
@click.option("--threshold", type=float, metavar="N", help="Fire when this is reached.")
@_add_options
@click.pass_obj
def update_alert(session: Session, /, alert: str, name: str | None, threshold: float | None, **options: Any) -> None:
    """Change ALERT; what isn't named stays as it is."""
    changes = {key: value for key, value in {"name": name, "threshold": threshold}.items() if value is not None}
    changes |= _read_options(options)
    _change(session, alert, lambda admin, rule: admin.alerts.update(rule, **changes), "is changed")


@alerts.command("list", cls=AdminCommand)
@click.pass_obj
def list_alerts(session: Session) -> None:
    """List alerts, and which of them fire."""
    output = session.output
    with session.open_admin() as admin:
        rows = list(iterate_records(admin.alerts.frame()))
    output.result(rows)
    if not rows:
        example = session.suggest("alerts create errors --kind error_rate --threshold 0.1")
        output.line(f"No alerts yet. Add one: {example}")
        return
    cells = [(row["name"], row["kind"], f"{row['threshold']:g}", _name_subject(row), _say_state(row)) for row in rows]
    output.lines(render_table(_COLUMNS, cells, width=output.width))


@alerts.command("states", cls=AdminCommand)
@click.option("--firing", is_flag=True, help="Only what fires.")
@click.pass_obj
def show_states(session: Session, firing: bool) -> None:
    """Show what each alert says of each deployment."""
    output = session.output
    with session.open_admin() as admin:
        rows = list(iterate_records(admin.alerts.states(firing=firing)))
    output.result(rows)
    if not rows:
        output.line("Nothing fires." if firing else "Nothing was looked at yet.")
        return
    cells = [
        (row["alert"], row["deployment"], row["status"], _tell_age(row["since"]), _show(row["value"])) for row in rows
    ]
    below = [[f"  Not delivered: {row['last_error']}"] if row["last_error"] else [] for row in rows]
    output.lines(render_table(_STATE_COLUMNS, cells, width=output.width, below=below))


@alerts.command("history", cls=AdminCommand)
@click.argument("alert", required=False)
@click.option("--since", metavar="TIME", help="An age such as 24h or 7d, or a time.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@click.pass_obj
def show_history(session: Session, alert: str | None, since: str | None, limit: int) -> None:
    """Show the messages of ALERT, or all, newest first."""
    output = session.output
    with session.open_admin() as admin:
        frame = admin.alerts.history(alert, since=since, limit=limit)
    rows = list(iterate_records(frame))
    output.result(rows)
    cells = [(_tell_age(row["time"]), row["event"], row["alert"], row["deployment"], row["status"]) for row in rows]
    below = [[f"  {row['error']}"] if row["error"] else [] for row in rows]
    output.lines(
        render_table(_HISTORY_COLUMNS, cells, width=output.width, below=below) if rows else ["There are none."]
    )
    if frame.attrs["truncated"] and not session.json_mode:
        output.note(f"The newest {limit}; there may be more with --limit.")


@alerts.command("test", cls=AdminCommand)
@click.argument("alert")
@click.pass_obj
def test_alert(session: Session, alert: str) -> None:
    """Send a test message to the webhook of ALERT."""
    with session.open_admin() as admin:
        rule = admin.alerts.get(alert)
        sent = admin.alerts.test(rule)
    if sent.status is not DeliveryStatus.DELIVERED:
        raise MastraAdminError(
            f"The test message of {rule.name} didn't arrive. {sent.error}",
            hint="Check the address: `alerts update` sets another.",
        )
    session.output.done(f"The webhook of {rule.name} took a test message")
    session.output.result({"message_id": sent.id, "status": sent.status.value, "alert_id": rule.id})


@alerts.command("enable", cls=AdminCommand)
@click.argument("alert")
@click.pass_obj
def enable_alert(session: Session, alert: str) -> None:
    """Switch ALERT on."""
    _change(session, alert, lambda admin, rule: admin.alerts.enable(rule), "is on")


@alerts.command("disable", cls=AdminCommand)
@click.argument("alert")
@click.pass_obj
def disable_alert(session: Session, alert: str) -> None:
    """Switch ALERT off; nobody is told."""
    _change(session, alert, lambda admin, rule: admin.alerts.disable(rule), "is off")


@alerts.command("delete", cls=AdminCommand)
@click.argument("alert")
@click.pass_obj
def delete_alert(session: Session, alert: str) -> None:
    """Remove ALERT with its history."""

    def delete(admin: MastraAdmin, rule: AlertRule) -> AlertRule:
        admin.alerts.delete(rule)
        return rule

    _change(session, alert, delete, "is removed")


def _change(session: Session, alert: str, change: Callable[[MastraAdmin, AlertRule], AlertRule], words: str) -> None:
    with session.open_admin() as admin:
        rule = change(admin, admin.alerts.get(alert))
        described = admin.alerts.describe(rule)
    session.output.done(f"The alert {rule.name} {words}")
    session.output.result(described)


def _read_options(options: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if value is not None and name != "sign"}
    asked = [name for name in ("webhook",) if given.get(name) == _ASK] + (["secret"] if options["sign"] else [])
    return given | ask_secrets(asked)


def _name_subject(row: dict[str, Any]) -> str:
    if row["kind"] in {"lag", "rejects"}:
        return "the home"
    return row["deployment"] or row["project"] or "all deployments"


def _say_state(row: dict[str, Any]) -> str:
    if not row["enabled"]:
        return "off"
    return f"firing ({row['firing']})" if row["firing"] else "ok"


def _show(value: float | None) -> str | None:
    return None if value is None else f"{value:,.4g}"


def _tell_age(moment: str) -> str:
    from datetime import datetime

    return relative_time(datetime.fromisoformat(moment), utc_now())
