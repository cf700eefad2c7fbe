"""Tokens: made, listed, revoked, and checked when somebody shows one."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import Conflict, InvalidInput, InvalidToken, NotFound, StorageError
from mastra_admin_sdk.models import Cursor, Token, TokenScope, choose, utc_now
from mastra_admin_sdk.services.history.columns import TIME
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import ProjectRef, Resolver, TeamRef

from .secrets import digest_secret, is_good, is_secret, make_secret

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

TokenRef = Token | str

TOKEN_COLUMNS: Mapping[str, str] = {
    "token_id": "object",
    "name": "object",
    "scopes": "object",
    "owner": "object",
    "status": "category",
    "created_at": TIME,
    "last_used_at": TIME,
    "expires_at": TIME,
    "revoked_at": TIME,
}
"""Columns of ``admin.tokens.frame()`` and their dtypes. ``owner`` is ``team`` or ``team/project``, null for a token
that is for all of them; ``status`` is ``active``, ``expired`` or ``revoked``; ``last_used_at`` is right to a minute."""

_USE_SECONDS = 60.0
_SHORTEST_ID = 8
_LONGEST_NAME = 200
_MAKE = "Make one: `mastra-admin tokens create <name>`, or admin.tokens.create(…)."


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made. ``secret`` is what programs show; it is told this once and kept nowhere."""

    token: Token
    secret: str = field(repr=False)


class TokenService:
    """Tokens, as ``admin.tokens``."""

    def __init__(self, parts: Parts, resolver: Resolver) -> None:
        self._parts, self._resolver = parts, resolver

    def create(
        self,
        name: str,
        *,
        scopes: Sequence[TokenScope | str] = (TokenScope.INGEST,),
        project: ProjectRef | None = None,
        team: TeamRef | None = None,
        expires: timedelta | float | None = None,
    ) -> NewToken:
        """Make a token for a program.

        Parameters:
            name: what it is for, as lists show it.
            scopes: what it is good for: ``ingest`` sends telemetry to the collector, ``read`` collects the panel's
                ``/metrics`` (a token for the whole home), ``admin`` does both. Nothing asks for ``deploy`` alone.
            project, team: the only one that it is for; without both it is for all of them.
            expires: after how long it is refused, a timedelta or days; never unless given.

        Returns:
            The token with its ``secret``, which can't be shown again.

        Raises:
            InvalidInput: a scope is none, or project and team are both given.
            Conflict: an active token has the name.

        Example:
            >>> admin.tokens.create("weather app", project="weather-agent").secret
        """
        if project is not None and team is not None:
            raise InvalidInput("A token is for a project or for a team, not for both.", hint="Leave one of them out.")
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            raise InvalidInput(
                f"{name[:40]!r} is no name for a token.", hint="Say what it is for: up to 200 characters."
            )
        secret = make_secret()
        token = Token(
            name.strip(),
            digest_secret(secret),
            tuple(dict.fromkeys(choose(TokenScope, scope) for scope in scopes)),
            team_id=self._resolver.team(team).id if team is not None else None,
            project_id=self._resolver.project(project).id if project is not None else None,
            expires_at=utc_now() + _read_lifetime(expires) if expires is not None else None,
        )
        if not token.scopes:
            raise InvalidInput("A token needs a scope.", hint=f"There are: {', '.join(TokenScope)}.")
        if any(item.name == token.name and is_good(item, utc_now()) for item in self.list()):
            raise Conflict(f"There is a token {token.name!r} already.", hint="Choose another name, or revoke that one.")
        token = self._parts.storage.tokens.create(token)
        self._record("create", token, scopes=[scope.value for scope in token.scopes], owner=self.name_owner(token))
        return NewToken(token, secret)

    def list(
        self, *, team: TeamRef | None = None, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Token]:
        """Return tokens, newest first, also revoked and expired ones.

        Parameters:
            team: those for a team or one of its projects; all unless given.
            limit: how many at most; all unless given.
            after: only those after a place in that order, such as ``Cursor.of(page[-1])``.
        """
        team_id = self._resolver.team(team).id if team is not None else None
        return self._parts.storage.tokens.list(team_id=team_id, limit=limit, after=after)

    def frame(self) -> pd.DataFrame:
        """Return a row a token, newest first (`TOKEN_COLUMNS`)."""
        return make_frame(TOKEN_COLUMNS, [self.describe(token) for token in self.list()])

    def get(self, token: TokenRef) -> Token:
        """Return a token by its id or the beginning of that (eight characters or more), or by its name.

        Raises:
            NotFound: there is none.
            InvalidInput: there are several, such as of one name.
        """
        wanted = token if isinstance(token, str) else token.id
        known = self.list()
        found = [item for item in known if _goes_by(item, wanted)] or [item for item in known if item.name == wanted]
        if len(found) > 1:
            raise InvalidInput(
                f"{wanted!r} goes for {len(found)} tokens.", hint="Give the id that admin.tokens.list() shows."
            )
        if not found:
            raise NotFound(f"There is no token {wanted!r}.", hint="admin.tokens.list() returns all there are.")
        return found[0]

    def revoke(self, token: TokenRef) -> Token:
        """Refuse a token from now on; it keeps its row.

        Raises:
            Conflict: it was revoked before.
        """
        found = self.get(token)
        if found.revoked_at is not None:
            raise Conflict(f"The token {found.name!r} was revoked already.")
        revoked = self._parts.storage.tokens.update(found.id, revoked_at=utc_now())
        self._record("revoke", revoked)
        return revoked

    def authenticate(self, secret: str) -> Token:
        """Return the token that a program shows, and note that it was used.

        Raises:
            InvalidToken: it isn't known, has expired or was revoked; which of these isn't told.
        """
        return self._use(self._find(secret))

    def check(self, token_id: str) -> Token:
        """Return the token behind a session that it opened earlier, and note that it was used.

        Raises:
            InvalidToken: it isn't there any more, has expired or was revoked since.
        """
        try:
            return self._use(self._parts.storage.tokens.get(token_id))
        except NotFound:
            return self._use(None)

    def describe(self, token: Token) -> dict[str, Any]:
        """Return a token's row in `frame`."""
        fields = {name: getattr(token, name, None) for name in TOKEN_COLUMNS}
        return {
            **fields,
            "token_id": token.id,
            "scopes": ", ".join(token.scopes),
            "owner": self.name_owner(token),
            "status": "revoked" if token.revoked_at else "active" if is_good(token, utc_now()) else "expired",
        }

    def name_owner(self, token: Token) -> str | None:
        """Return for which team or project a token is, ``None`` for all of them."""
        storage = self._parts.storage
        if token.team_id:
            return storage.teams.get(token.team_id).slug
        if token.project_id:
            project = storage.projects.get(token.project_id)
            return f"{storage.teams.get(project.team_id).slug}/{project.slug}"
        return None

    def _use(self, found: Token | None) -> Token:
        now = utc_now()
        if found is None or not is_good(found, now):
            raise InvalidToken("The token isn't valid.", hint=_MAKE)
        if found.last_used_at is None or (now - found.last_used_at).total_seconds() >= _USE_SECONDS:
            self._touch(found)
        return found

    def _find(self, secret: str) -> Token | None:
        if not is_secret(secret):
            return None
        digest = digest_secret(secret)
        try:
            found = self._parts.storage.tokens.get_by_digest(digest)
        except NotFound:
            return None
        # The database has compared already, in its own time; what it took for equal must be so.
        return found if hmac.compare_digest(found.digest, digest) else None

    def _touch(self, token: Token) -> None:
        try:
            self._parts.storage.tokens.touch(token.id, utc_now())
        except StorageError as exc:  # what its bearer wants may still succeed
            logger.warning("The use of the token %s can't be noted: %s", token.id, exc)

    def _record(self, action: str, token: Token, **details: Any) -> None:
        self._parts.record(action, "token", token.id, object=token.name, **details)


def _goes_by(token: Token, wanted: str) -> bool:
    return token.id == wanted or (len(wanted) >= _SHORTEST_ID and token.id.startswith(wanted))


def _read_lifetime(expires: timedelta | float) -> timedelta:
    try:
        lifetime = expires if isinstance(expires, timedelta) else timedelta(days=expires)
        if lifetime <= timedelta(0):
            raise ValueError("not in the future")
        _ = utc_now() + lifetime
    except (ValueError, OverflowError, TypeError) as exc:
        raise InvalidInput(f"A token can't expire after {expires!r}.", hint="Give days, or a timedelta.") from exc
    return lifetime
