"""Members of teams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from mastra_admin_sdk.models import Cursor, Member


class MemberRepository(ABC):
    """People in teams, by email."""

    @abstractmethod
    def create(self, member: Member) -> Member:
        """Store a new member; `Conflict` when the team has one with that email, `NotFound` without the team."""

    @abstractmethod
    def get(self, member_id: str) -> Member:
        """Return a member or raise `NotFound`."""

    @abstractmethod
    def list(
        self,
        team_id: str | None = None,
        *,
        email: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Member]:
        """Return the members of a team, or of all; with ``email`` those that have it."""

    @abstractmethod
    def update(self, member_id: str, **changes: Any) -> Member:
        """Change fields of a member, but not the team."""

    @abstractmethod
    def delete(self, member_id: str) -> None:
        """Remove a member. Their tokens go with them."""
