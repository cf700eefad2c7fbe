"""API tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, update

from mastra_admin_sdk.models import Cursor, Token
from mastra_admin_sdk.ports.storage import TokenRepository

from . import tables
from .repository import Row, SqlRepository
from .rows import Codec
from .scopes import is_for_team

_NO_OWNER = "A token needs a team, project and member that exist, or none."


class SqlTokens(SqlRepository[Token], TokenRepository):
    """Tokens."""

    table = tables.tokens
    codec = Codec(Token, frozen=("id", "digest", "created_at"))

    def create(self, token: Token) -> Token:
        columns = self.table.c
        over = update(self.table).where(
            columns.name == token.name, columns.revoked_at.is_(None), columns.expires_at <= token.created_at
        )
        statement = insert(self.table).values(self.codec.encode(token)).returning(*columns)

        def create(connection: Connection) -> Row:
            connection.execute(over.values(revoked_at=columns.expires_at))
            return connection.execute(statement).mappings().one()

        conflict = f"There is a token {token.name!r} already, or one with that digest."
        return self.codec.decode(self._database.write(create, conflict=conflict, missing=_NO_OWNER))

    def get(self, token_id: str) -> Token:
        return self._get_by_id(token_id)

    def get_by_digest(self, digest: str) -> Token:
        # The digest stays out of the message, as what it was made of would.
        return self._get("that digest", self.table.c.digest == digest)

    def list(
        self,
        *,
        team_id: str | None = None,
        member_id: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Token]:
        statement = self._select_newest_first(after)
        if member_id is not None:
            statement = statement.where(self.table.c.member_id == member_id)
        return self._fetch(statement if team_id is None else statement.where(is_for_team(team_id)), limit)

    def update(self, token_id: str, **changes: Any) -> Token:
        conflict = f"There is a token {changes.get('name')!r} already."
        return self._update(token_id, changes, conflict=conflict, missing=_NO_OWNER)

    def touch(self, token_id: str, at: datetime) -> None:
        columns = self.table.c
        later = or_(columns.last_used_at.is_(None), columns.last_used_at < at)
        statement = update(self.table).where(columns.id == token_id, later).values(last_used_at=at)
        self._database.write(lambda c: c.execute(statement))

    def delete(self, token_id: str) -> None:
        self._delete(token_id)
