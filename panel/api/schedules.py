"""``/api/schedules``: deploying again by the clock."""

from __future__ import annotations

from flask import Blueprint, url_for

from mastra_admin_sdk.models import TokenScope

from ..context import current_panel
from ..lookup import find_deployment, find_schedule
from ..openapi import Located, endpoint
from ..paging import cut_page, read_cursor
from ..principals import needs
from .schemas.schedules import NewSchedule, Schedule, ScheduleChange, ScheduleItem, SchedulePage, ScheduleQuery
from .scopes import narrow

blueprint = Blueprint("api_schedules", __name__)


@blueprint.get("/schedules")
@endpoint(conditional=True, fails=[404])
def list_schedules(query: ScheduleQuery) -> SchedulePage:
    """List schedules, newest first."""
    found = current_panel().admin.schedules.list(
        **narrow(query.team, query.project, query.deployment), limit=query.limit + 1, after=read_cursor(query.cursor)
    )
    schedules, following = cut_page(found, query.limit)
    return SchedulePage(schedules=[Schedule.of(item) for item in schedules], next=following)


@blueprint.post("/schedules")
@endpoint(status=201, fails=[404])
@needs(TokenScope.DEPLOY)
def create_schedule(body: NewSchedule) -> Located[ScheduleItem]:
    """Deploy a deployment again by the clock, while some process does the background work."""
    live = find_deployment(body.deployment)
    made = current_panel().admin.schedules.create(live.record, cron=body.cron, timezone=body.timezone)
    return Located(ScheduleItem.of(made), url_for(".show_schedule", schedule_id=made.id))


@blueprint.get("/schedules/<schedule_id>")
@endpoint(conditional=True)
def show_schedule(schedule_id: str) -> ScheduleItem:
    """Show a schedule."""
    return ScheduleItem.of(find_schedule(schedule_id))


@blueprint.patch("/schedules/<schedule_id>")
@endpoint(match=show_schedule)
@needs(TokenScope.DEPLOY)
def update_schedule(schedule_id: str, body: ScheduleChange) -> ScheduleItem:
    """Switch a schedule on or off."""
    schedules, found = current_panel().admin.schedules, find_schedule(schedule_id)
    if body.enabled is not None and body.enabled != found.enabled:
        found = schedules.enable(found) if body.enabled else schedules.disable(found)
    return ScheduleItem.of(found)


@blueprint.delete("/schedules/<schedule_id>")
@endpoint(status=204, match=show_schedule)
@needs(TokenScope.DEPLOY)
def delete_schedule(schedule_id: str) -> None:
    """Remove a schedule; builds that it queued go on."""
    current_panel().admin.schedules.delete(find_schedule(schedule_id))
