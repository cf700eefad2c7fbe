"""``/api/members``: who belongs to a team, and as what."""

from __future__ import annotations

from flask import Blueprint, url_for

from mastra_admin_sdk.models import TokenScope

from ..context import current_panel
from ..lookup import find_member, find_team
from ..openapi import Located, endpoint
from ..paging import cut_page, read_cursor
from ..principals import current_principal, needs
from .schemas.members import Member, MemberChange, MemberItem, MemberPage, MemberQuery, MemberRemoval, NewMember

blueprint = Blueprint("api_members", __name__)


@blueprint.get("/members")
@needs(TokenScope.READ)
@endpoint(conditional=True, fails=[404])
def list_members(query: MemberQuery) -> MemberPage:
    """List members of a team, or of all, newest first."""
    team = find_team(query.team).id if query.team is not None else _find_own_team()
    found = current_panel().admin.members.list(team, limit=query.limit + 1, after=read_cursor(query.cursor))
    members, following = cut_page(found, query.limit)
    return MemberPage(members=[Member.of(member) for member in members], next=following)


@blueprint.post("/members")
@needs(TokenScope.ADMIN)
@endpoint(status=201, fails=[404, 409])
def add_member(body: NewMember) -> Located[MemberItem]:
    """Add a person to a team."""
    member = current_panel().admin.members.add(find_team(body.team), body.email, role=body.role)
    return Located(MemberItem.of(member), url_for(".show_member", member_id=member.id))


@blueprint.get("/members/<member_id>")
@needs(TokenScope.READ)
@endpoint(conditional=True)
def show_member(member_id: str) -> MemberItem:
    """Show a member."""
    return MemberItem.of(find_member(member_id))


@blueprint.patch("/members/<member_id>")
@needs(TokenScope.ADMIN)
@endpoint(match=show_member, fails=[409])
def update_member(member_id: str, body: MemberChange) -> MemberItem:
    """Give a member another role; their tokens are held to it at once."""
    members = current_panel().admin.members
    return MemberItem.of(members.change_role(find_member(member_id), body.role, force=body.force))


@blueprint.delete("/members/<member_id>")
@needs(TokenScope.ADMIN)
@endpoint(status=204, match=show_member, fails=[409])
def remove_member(member_id: str, query: MemberRemoval) -> None:
    """Remove a member; their tokens go with them."""
    current_panel().admin.members.remove(find_member(member_id), force=query.force)


def _find_own_team() -> str | None:
    return current_principal().team_id
