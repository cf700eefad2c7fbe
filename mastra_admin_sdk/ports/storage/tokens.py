"""API tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import Cursor, Token


class TokenRepository(ABC):
    """API tokens, by the digest of what a program shows."""

    @abstractmethod
    def create(self, token: Token) -> Token:
        """Store a new token; `NotFound` without its team, project or member.

        `Conflict` when its digest is known, or a token that is in force, neither revoked nor expired, has its name. Of
        two that are made at once under one name, one is refused. An expired one gives its name up: it counts as revoked
        at the time it expired.
        """

    @abstractmethod
    def get(self, token_id: str) -> Token:
        """Return a token or raise `NotFound`."""

    @abstractmethod
    def get_by_digest(self, digest: str) -> Token:
        """Return a token, also a revoked or expired one, or raise `NotFound`."""

    @abstractmethod
    def list(
        self,
        *,
        team_id: str | None = None,
        member_id: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Token]:
        """Return tokens, also revoked and expired ones: all, those for one team or a project of it, of one member."""

    @abstractmethod
    def update(self, token_id: str, **changes: Any) -> Token:
        """Change fields of a token, but not its digest; `Conflict` when another has its name, as in `create`."""

    @abstractmethod
    def touch(self, token_id: str, at: datetime) -> None:
        """Note when a token was used; ``last_used_at`` only moves forward, and an unknown token is no error."""

    @abstractmethod
    def delete(self, token_id: str) -> None:
        """Remove a token. Those of a team, project or member go with it."""
