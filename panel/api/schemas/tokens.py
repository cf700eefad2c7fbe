"""API tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from mastra_admin_sdk import models

from .base import Answer, Body, Moment, Name, Page, PageQuery, Reference


class Token(Answer):
    """A token. Its secret is kept nowhere."""

    id: str
    name: str = Field(examples=["ci"])
    status: str = Field(description="`active`, `expired` or `revoked`.")
    scopes: Sequence[models.TokenScope] = Field(
        description="What it is good for; one of a member for no more than the role."
    )
    team_id: str | None = Field(description="The only team that it is for; null with a project, or for all of them.")
    project_id: str | None = Field(description="The only project that it is for; null for all of them.")
    member_id: str | None = Field(description="The member whom it belongs to.")
    owner: str | None = Field(description="What it is for in words, as `team` or `team/project`; null for everything.")
    member: str | None = Field(description="The email of the member.")
    created_at: Moment
    last_used_at: Moment | None = Field(description="To the minute.")
    expires_at: Moment | None
    revoked_at: Moment | None

    @classmethod
    def of(cls, token: models.Token, described: dict[str, Any]) -> Self:
        """Return a token as the API shows it; ``described`` is its row of ``admin.tokens.describe``."""
        return cls(
            id=token.id,
            name=token.name,
            status=described["status"],
            scopes=token.scopes,
            team_id=token.team_id,
            project_id=token.project_id,
            member_id=token.member_id,
            owner=described["owner"],
            member=described["member"],
            created_at=token.created_at,
            last_used_at=token.last_used_at,
            expires_at=token.expires_at,
            revoked_at=token.revoked_at,
        )


class TokenItem(Answer):
    """One token."""

    token: Token


class NewTokenItem(TokenItem):
    """A token that was just made."""

    secret: str = Field(description="What programs show. It is told this once.")


class TokenPage(Page):
    """A page of tokens."""

    tokens: Sequence[Token]


class TokenQuery(PageQuery):
    """Tokens, also those that are revoked or expired."""

    team: Reference | None = Field(None, description="Only those for this team or a project of it.")


class NewToken(Body):
    """A token to make."""

    name: Name = Field(description="What it is for.", examples=["ci"])
    scopes: list[models.TokenScope] | None = Field(
        None,
        strict=False,
        min_length=1,
        max_length=len(models.TokenScope),
        description="What it is good for; `ingest` unless given, for a member what the role allows.",
    )
    team: Reference | None = Field(None, description="The only team that it is for.")
    project: Reference | None = Field(None, description="The only project that it is for, instead of a team.")
    member: Reference | None = Field(None, description="The member whom it belongs to, by id or email.")
    expires_days: float | None = Field(None, gt=0, le=36_500, description="After how many days it is refused.")


class TokenChange(Body):
    """What of a token can be changed."""

    name: Name | None = Field(None, description="Null or absent: as it is.")
