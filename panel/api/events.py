"""``/api/events``: the audit log."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from ..context import current_panel
from ..lookup import find_team
from ..openapi import endpoint
from ..paging import cut_page, read_cursor
from ..principals import current_principal
from .schemas.events import Event, EventPage, EventQuery

blueprint = Blueprint("api_events", __name__)


@blueprint.get("/events")
@endpoint(conditional=True, fails=[404])
def list_events(query: EventQuery) -> EventPage:
    """List who did what, newest first.

    A token that is bound to a team sees what is of it; one that is bound to a project, what was done to that itself.
    """
    found = current_panel().admin.events.list(**_choose(query), limit=query.limit + 1, after=read_cursor(query.cursor))
    events, following = cut_page(found, query.limit)
    return EventPage(events=[Event.of(item) for item in events], next=following)


def _choose(query: EventQuery) -> dict[str, Any]:
    principal = current_principal()
    wanted: dict[str, Any] = query.model_dump(exclude={"limit", "cursor", "team"})
    wanted["team"] = find_team(query.team).id if query.team is not None else principal.team_id
    if principal.project_id is not None:
        wanted |= {"object_type": "project", "object_id": principal.project_id}
    return wanted
