"""Members of teams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from mastra_admin_sdk import models

from .base import Answer, Body, Moment, Page, PageQuery, Query, Reference


class Member(Answer):
    """A person in a team."""

    id: str
    team_id: str
    email: str = Field(examples=["ana@example.com"])
    role: models.MemberRole
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, member: models.Member) -> Self:
        """Return a member as the API shows them."""
        return cls(
            id=member.id,
            team_id=member.team_id,
            email=member.email,
            role=member.role,
            created_at=member.created_at,
            updated_at=member.updated_at,
        )


class MemberItem(Answer):
    """One member."""

    member: Member

    @classmethod
    def of(cls, member: models.Member) -> Self:
        """Return the answer for one member."""
        return cls(member=Member.of(member))


class MemberPage(Page):
    """A page of members."""

    members: Sequence[Member]


class MemberQuery(PageQuery):
    """Members of a team, or of all."""

    team: Reference | None = Field(None, description="Only those of this team.")


class NewMember(Body):
    """A member to add."""

    email: str = Field(min_length=3, max_length=254, examples=["ana@example.com"])
    team: Reference = Field(description="To which team.")
    role: models.MemberRole = Field(
        models.MemberRole.MEMBER,
        strict=False,
        description="`owner` may do everything with what the team has, `member` deploy and read, `viewer` read.",
    )


class MemberChange(Body):
    """What of a member can be changed."""

    role: models.MemberRole = Field(strict=False)
    force: bool = Field(False, description="Take the role from the last owner too.")


class MemberRemoval(Query):
    """How a member is removed."""

    force: bool = Field(False, strict=False, description="Remove the last owner too.")
