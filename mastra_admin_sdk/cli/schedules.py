"""``mastra-admin schedules``: deploying by the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import relative_time
from mastra_admin_sdk.models import utc_now

from .group import AdminCommand
from .session import Session
from .tables import Column, render_table
from .targets import name_deployment

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.models import Schedule

_COLUMNS = (
    Column("ID"),
    Column("DEPLOYMENT", shrink=True),
    Column("CRON"),
    Column("TIME ZONE", shrink=True),
    Column("NEXT"),
)


@click.group()
def schedules() -> None:
    """List, add and remove schedules."""


@schedules.command("add", cls=AdminCommand)
@click.argument("deployment")
@click.argument("cron")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Whose clock, as Europe/Berlin.")
@click.pass_obj
def add_schedule(session: Session, deployment: str, cron: str, timezone: str) -> None:
    """Deploy DEPLOYMENT again by the clock.

    CRON is minute, hour, day of month, month and day of week in quotes, such
    as "0 3 * * *" for every night at three.
    """
    with session.open_admin() as admin:
        added = admin.schedules.create(deployment, cron=cron, timezone=timezone)
        found = _describe(admin, added)
    session.output.done(f"{found['deployment']} is deployed next {_say_next(added)}")
    session.output.result(found)


@schedules.command("list", cls=AdminCommand)
@click.argument("deployment", required=False)
@click.pass_obj
def list_schedules(session: Session, deployment: str | None) -> None:
    """List the schedules of DEPLOYMENT, or all."""
    output = session.output
    with session.open_admin() as admin:
        listed = list(admin.schedules.list(deployment))
        found = [_describe(admin, item) for item in listed]
    output.result(found)
    if not listed:
        example = session.suggest('schedules add <deployment> "0 3 * * *"')
        output.line(f"No schedules yet. Add one: {example}")
        return
    rows = [
        (item.id[:8], described["deployment"], item.cron, item.timezone, _say_next(item))
        for item, described in zip(listed, found, strict=True)
    ]
    below = [[f"  {item.last_error}"] if item.last_error else [] for item in listed]
    output.lines(render_table(_COLUMNS, rows, width=output.width, below=below))


@schedules.command("remove", cls=AdminCommand)
@click.argument("schedule")
@click.pass_obj
def remove_schedule(session: Session, schedule: str) -> None:
    """Remove SCHEDULE, by its id or the beginning that `list` shows."""
    with session.open_admin() as admin:
        found = admin.schedules.get(schedule)
        described = _describe(admin, found)
        admin.schedules.delete(found)
    session.output.done(f"Removed the schedule {found.cron} of {described['deployment']}")
    session.output.result(described)


def _say_next(schedule: Schedule) -> str:
    return relative_time(schedule.next_at, utc_now()) if schedule.enabled and schedule.next_at else "off"


def _describe(admin: MastraAdmin, schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "deployment": name_deployment(admin, admin.storage.deployments.get(schedule.deployment_id)),
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "enabled": schedule.enabled,
        "next_at": schedule.next_at,
        "last_fired_at": schedule.last_fired_at,
        "last_build_id": schedule.last_build_id,
        "last_error": schedule.last_error,
    }
