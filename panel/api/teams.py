"""``/api/teams``."""

from __future__ import annotations

from flask import Blueprint, url_for

from mastra_admin_sdk.models import TokenScope

from ..context import current_panel
from ..lookup import find_team, visible_teams
from ..openapi import Located, endpoint
from ..paging import cut_page, read_cursor
from ..principals import current_principal, needs
from .schemas.base import PageQuery
from .schemas.teams import NewTeam, Team, TeamChange, TeamItem, TeamPage

blueprint = Blueprint("api_teams", __name__)


@blueprint.get("/teams")
@endpoint(conditional=True)
def list_teams(query: PageQuery) -> TeamPage:
    """List teams, newest first.

    A token that is bound to a team sees that one alone.
    """
    after = read_cursor(query.cursor)
    if current_principal().is_bound:
        return TeamPage(teams=[Team.of(team) for team in visible_teams() if after is None], next=None)
    found = current_panel().admin.teams.list(limit=query.limit + 1, after=after)
    teams, following = cut_page(found, query.limit)
    return TeamPage(teams=[Team.of(team) for team in teams], next=following)


@blueprint.post("/teams")
@endpoint(status=201, fails=[409])
@needs(TokenScope.ADMIN, everywhere=True)
def create_team(body: NewTeam) -> Located[TeamItem]:
    """Create a team."""
    team = current_panel().admin.teams.create(body.name, slug=body.slug)
    return Located(TeamItem.of(team), url_for(".show_team", team_id=team.id))


@blueprint.get("/teams/<team_id>")
@endpoint(conditional=True)
def show_team(team_id: str) -> TeamItem:
    """Show a team."""
    return TeamItem.of(find_team(team_id))


@blueprint.patch("/teams/<team_id>")
@endpoint(match=show_team)
@needs(TokenScope.ADMIN)
def update_team(team_id: str, body: TeamChange) -> TeamItem:
    """Rename a team."""
    team = find_team(team_id)
    return TeamItem.of(team if body.name is None else current_panel().admin.teams.update(team, name=body.name))


@blueprint.delete("/teams/<team_id>")
@endpoint(status=204, match=show_team)
@needs(TokenScope.ADMIN)
def delete_team(team_id: str) -> None:
    """Delete a team with its projects.

    Builds are cancelled, servers stopped, routes, ports and artifacts freed: it may take a minute. Telemetry stays
    until its time to live.
    """
    current_panel().admin.teams.delete(find_team(team_id))
