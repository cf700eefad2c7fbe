"""``/teams`` and ``/teams/<slug>``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for

from mastra_admin_sdk.models import Deployment, Team

from ..context import current_panel
from ..lookup import find_team, list_scope, visible_projects, visible_teams
from ..paging import cut_page, read_cursor
from ..principals import current_principal
from ..rendering import render_page
from ..viewmodels.projects import describe_projects
from ..viewmodels.teams import describe_teams

blueprint = Blueprint("teams", __name__)

_PAGE = 100


@blueprint.get("/teams")
def list_teams() -> Response:
    """List teams with what they hold."""
    cursor = request.args.get("cursor") or None
    teams, following = _read_page(cursor)
    deployments = _list_deployments(list_scope())
    rows = describe_teams(teams, visible_projects(), deployments)
    return render_page(
        "teams.html",
        rows=rows,
        next_url=url_for(".list_teams", cursor=following) if following else None,
        first_url=url_for(".list_teams") if cursor else None,
    )


@blueprint.get("/teams/<team_slug>")
def show(team_slug: str) -> Response:
    """Show a team with its projects."""
    team = find_team(team_slug)
    projects = visible_projects(team.id)
    deployments = _list_deployments(list_scope() or {"team": team.id})
    (row,) = describe_teams([team], projects, deployments)
    return render_page("team.html", team=row, projects=describe_projects(projects, [team], deployments))


def _list_deployments(scope: Mapping[str, Any]) -> list[Deployment]:
    return [live.record for live in current_panel().admin.deployments.list(**scope)]


def _read_page(cursor: str | None) -> tuple[list[Team], str | None]:
    if current_principal().is_bound:
        return list(visible_teams()), None
    found = current_panel().admin.teams.list(limit=_PAGE + 1, after=read_cursor(cursor))
    teams, following = cut_page(found, _PAGE)
    return list(teams), following
