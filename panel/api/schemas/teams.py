"""Teams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from mastra_admin_sdk import models

from .base import Answer, Body, Moment, Name, Page


class Team(Answer):
    """Owns projects."""

    id: str
    name: str = Field(examples=["Search"])
    slug: str = Field(description="Part of every address.", examples=["search"])
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, team: models.Team) -> Self:
        """Return a team as the API shows it."""
        return cls(id=team.id, name=team.name, slug=team.slug, created_at=team.created_at, updated_at=team.updated_at)


class TeamItem(Answer):
    """One team."""

    team: Team

    @classmethod
    def of(cls, team: models.Team) -> Self:
        """Return the answer for one team."""
        return cls(team=Team.of(team))


class TeamPage(Page):
    """A page of teams."""

    teams: Sequence[Team]


class NewTeam(Body):
    """A team to create."""

    name: Name = Field(description="For people.", examples=["Search"])
    slug: Name | None = Field(None, description="Made from the name unless given.", examples=["search"])


class TeamChange(Body):
    """What of a team can be changed: its slug, and with it every address, stays."""

    name: Name | None = Field(None, description="For people; null or absent: as it is.")
