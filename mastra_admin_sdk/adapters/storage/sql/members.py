"""Members of teams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra_admin_sdk.models import Cursor, Member
from mastra_admin_sdk.ports.storage import MemberRepository

from . import tables
from .repository import SqlRepository
from .rows import Codec


class SqlMembers(SqlRepository[Member], MemberRepository):
    """Members."""

    table = tables.members
    codec = Codec(Member, frozen=("id", "team_id", "created_at", "updated_at"))

    def create(self, member: Member) -> Member:
        return self._insert(
            member, conflict=_name_conflict(member.email), missing=f"There is no team with the id {member.team_id!r}."
        )

    def get(self, member_id: str) -> Member:
        return self._get_by_id(member_id)

    def list(
        self,
        team_id: str | None = None,
        *,
        email: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Member]:
        statement = self._select_newest_first(after)
        columns = self.table.c
        for column, wanted in ((columns.team_id, team_id), (columns.email, email)):
            if wanted is not None:
                statement = statement.where(column == wanted)
        return self._fetch(statement, limit)

    def update(self, member_id: str, **changes: Any) -> Member:
        return self._update(member_id, changes, conflict=_name_conflict(changes.get("email")))

    def delete(self, member_id: str) -> None:
        self._delete(member_id)


def _name_conflict(email: Any) -> str:
    return f"The team has a member {email!r} already."
