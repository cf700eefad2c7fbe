"""``/api/tokens``: what programs and people are let in with."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, url_for

from mastra_admin_sdk import models
from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import TokenScope

from ..context import current_panel
from ..lookup import find_project, find_team
from ..openapi import Located, endpoint
from ..paging import cut_page, read_cursor
from ..principals import Principal, current_principal, needs
from ..problems import Refused
from .schemas.tokens import NewToken, NewTokenItem, Token, TokenChange, TokenItem, TokenPage, TokenQuery

blueprint = Blueprint("api_tokens", __name__)


@blueprint.get("/tokens")
@needs(TokenScope.ADMIN)
@endpoint(conditional=True, fails=[404])
def list_tokens(query: TokenQuery) -> TokenPage:
    """List tokens, newest first, also those that are revoked or expired."""
    principal, service = current_principal(), current_panel().admin.tokens
    team = find_team(query.team).id if query.team is not None else principal.team_id
    found = service.list(team=team, limit=query.limit + 1, after=read_cursor(query.cursor))
    page, following = cut_page(found, query.limit)
    return TokenPage(tokens=[_describe(token) for token in page if _sees(principal, token)], next=following)


@blueprint.post("/tokens")
@needs(TokenScope.ADMIN)
@endpoint(status=201, fails=[404, 409])
def create_token(body: NewToken) -> Located[NewTokenItem]:
    """Make a token and show its secret, this once.

    Nobody makes one that is good for more than their own: who is bound to a team makes tokens for that team.
    """
    days = body.expires_days
    made = current_panel().admin.tokens.create(
        body.name, scopes=body.scopes, member=body.member, expires=days, **_choose_owner(body)
    )
    where = url_for(".show_token", token_id=made.token.id)
    return Located(NewTokenItem(token=_describe(made.token), secret=made.secret), where)


@blueprint.get("/tokens/<token_id>")
@needs(TokenScope.ADMIN)
@endpoint(conditional=True)
def show_token(token_id: str) -> TokenItem:
    """Show a token."""
    return TokenItem(token=_describe(_find_token(token_id)))


@blueprint.patch("/tokens/<token_id>")
@needs(TokenScope.ADMIN)
@endpoint(match=show_token, fails=[409])
def update_token(token_id: str, body: TokenChange) -> TokenItem:
    """Call a token something else."""
    token = _find_token(token_id)
    renamed = token if body.name is None else current_panel().admin.tokens.rename(token, body.name)
    return TokenItem(token=_describe(renamed))


@blueprint.delete("/tokens/<token_id>")
@needs(TokenScope.ADMIN)
@endpoint(status=204, match=show_token, fails=[409])
def revoke_token(token_id: str) -> None:
    """Refuse a token from now on, and end the sessions that it opened; it keeps its row."""
    current_panel().admin.tokens.revoke(_find_token(token_id))


def _choose_owner(body: NewToken) -> dict[str, Any]:
    """Return for what a token is to be: within what its maker is for."""
    principal = current_principal()
    if body.project is not None:
        return {"project": find_project(body.project), **({"team": body.team} if body.team else {})}
    if principal.project_id is not None:
        if body.team is not None or body.member is not None:
            raise Refused(403, "forbidden", f"{principal.name!r} makes tokens for one project alone.")
        return {"project": principal.project_id}
    team = body.team or principal.team_id
    return {"team": find_team(team)} if team is not None else {}


def _find_token(token_id: str) -> models.Token:
    token = current_panel().admin.storage.tokens.get(token_id)
    if not _sees(current_principal(), token):
        raise NotFound(f"There is no token with the id {token_id[:100]!r}.")
    return token


def _sees(principal: Principal, token: models.Token) -> bool:
    if not principal.is_bound:
        return True
    if principal.project_id is not None:
        return token.project_id == principal.project_id
    if token.project_id is None:
        return token.team_id == principal.team_id
    return current_panel().admin.storage.projects.get(token.project_id).team_id == principal.team_id


def _describe(token: models.Token) -> Token:
    return Token.of(token, current_panel().admin.tokens.describe(token))
