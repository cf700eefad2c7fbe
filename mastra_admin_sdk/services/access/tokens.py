"""Tokens: made, listed, revoked, and checked when somebody shows one."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import Conflict, InvalidInput, InvalidToken, NotFound, StorageError
from mastra_admin_sdk.models import Cursor, Member, Token, TokenScope, choose, utc_now
from mastra_admin_sdk.services.history.columns import TIME
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.names import check_text
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import ProjectRef, Resolver, TeamRef

from .members import MemberRef, MemberService
from .secrets import digest_secret, has_scope, is_good, is_secret, make_secret

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

TokenRef = Token | str

TOKEN_COLUMNS: Mapping[str, str] = {
    "token_id": "object",
    "name": "object",
    "scopes": "object",
    "owner": "object",
    "member": "object",
    "status": "category",
    "created_at": TIME,
    "last_used_at": TIME,
    "expires_at": TIME,
    "revoked_at": TIME,
}
"""Columns of ``admin.tokens.frame()`` and their dtypes. ``owner`` is ``team`` or ``team/project``, null for a token
that is for all of them; ``member`` the email of the member it belongs to; ``status`` is ``active``, ``expired`` or
``revoked``; ``last_used_at`` is right to a minute."""

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

    def __init__(self, parts: Parts, resolver: Resolver, members: MemberService) -> None:
        self._parts, self._resolver, self._members = parts, resolver, members

    def create(
        self,
        name: str,
        *,
        scopes: Sequence[TokenScope | str] | None = None,
        project: ProjectRef | None = None,
        team: TeamRef | None = None,
        member: MemberRef | None = None,
        expires: timedelta | float | None = None,
    ) -> NewToken:
        """Make a token for a program.

        Parameters:
            name: what it is for, as lists show it.
            scopes: what it is good for: ``ingest`` sends telemetry to the collector, ``read`` opens the panel and
                asks its API, ``deploy`` deploys, restarts and rolls back, ``admin`` does everything. ``ingest``
                unless given; for a member what the role allows.
            project, team: the only one that it is for; without both it is for all of them.
            member: to whom it belongs, a member of ``team`` (or of the project's team): it is good for no more than
                their role is, the audit log names their email, and it goes when they are removed.
            expires: after how long it is refused, a timedelta or days; never unless given.

        Returns:
            The token with its ``secret``, which can't be shown again.

        Raises:
            InvalidInput: a scope is none, or more than the member's role allows; project and team are both given.
            NotFound: there is no such project, team or member.
            Conflict: an active token has the name.

        Example:
            >>> admin.tokens.create("weather app", project="weather-agent").secret
            >>> admin.tokens.create("ana", team="search", member="ana@example.com").secret
        """
        if project is not None and team is not None:
            raise InvalidInput("A token is for a project or for a team, not for both.", hint="Leave one of them out.")
        clean = check_text(name, "token", _LONGEST_NAME)
        owner = self._resolver.team(team).id if team is not None else None
        owned = self._resolver.project(project) if project is not None else None
        holder = self._find_member(member, owned.team_id if owned else owner) if member is not None else None
        secret = make_secret()
        token = Token(
            clean,
            digest_secret(secret),
            _choose_scopes(scopes, holder),
            team_id=owner if holder is None or owned else holder.team_id,
            project_id=owned.id if owned else None,
            member_id=holder.id if holder else None,
            expires_at=utc_now() + _read_lifetime(expires) if expires is not None else None,
        )
        token = self._name_once(lambda: self._parts.storage.tokens.create(token))
        self._record(
            "create",
            token,
            scopes=[scope.value for scope in token.scopes],
            owner=self.name_owner(token),
            **({"member": holder.email} if holder else {}),
        )
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

    def rename(self, token: TokenRef, name: str) -> Token:
        """Call a token something else; what it is good for, and its secret, stay.

        Raises:
            NotFound: there is none.
            Conflict: an active token has the name.
        """
        found, wanted = self.get(token), check_text(name, "token", _LONGEST_NAME)
        if wanted == found.name:
            return found
        renamed = self._name_once(lambda: self._parts.storage.tokens.update(found.id, name=wanted))
        self._record("rename", renamed, before=found.name)
        return renamed

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

        Its ``scopes`` are what it is good for now: those of a member's token are cut to the role.

        Raises:
            InvalidToken: it isn't known, has expired or was revoked; which of these isn't told.
        """
        return self._use(self._find(secret))

    def check(self, token_id: str) -> Token:
        """Return the token behind a session that it opened earlier, and note that it was used; as `authenticate`.

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
            "member": self.name_holder(token) if token.member_id else None,
            "status": _name_status(token),
        }

    def name_holder(self, token: Token) -> str:
        """Return who acts with a token: the email of the member it belongs to, else its name."""
        return self._parts.storage.members.get(token.member_id).email if token.member_id else token.name

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
        return self._hold_to_role(found)

    def _hold_to_role(self, token: Token) -> Token:
        if token.member_id is None:
            return token
        try:
            role = self._parts.storage.members.get(token.member_id).role
        except NotFound as exc:  # removed in this moment, and the token with them
            raise InvalidToken("The token isn't valid.", hint=_MAKE) from exc
        return replace(token, scopes=tuple(scope for scope in role.scopes if has_scope(token, scope)))

    def _find_member(self, member: MemberRef, team_id: str | None) -> Member:
        if team_id is None:
            return self._members.get(member)
        return self._members.get(member, team=team_id)

    def _name_once(self, write: Callable[[], Token]) -> Token:
        try:
            return write()
        except Conflict as exc:
            raise Conflict(exc.message, hint="Choose another name, or revoke that one.") from exc

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


def _choose_scopes(scopes: Sequence[TokenScope | str] | None, holder: Member | None) -> tuple[TokenScope, ...]:
    if scopes is None:
        return holder.role.scopes if holder else (TokenScope.INGEST,)
    chosen = tuple(dict.fromkeys(choose(TokenScope, scope) for scope in scopes))
    if not chosen:
        raise InvalidInput("A token needs a scope.", hint=f"There are: {', '.join(TokenScope)}.")
    beyond = [scope for scope in chosen if holder and scope not in holder.role.scopes]
    if holder and beyond:
        raise InvalidInput(
            f"A token of {holder.email}, who is {holder.role}, can't have the scope {beyond[0]}.",
            hint=f"Of that role: {', '.join(holder.role.scopes)}.",
        )
    return chosen


def _name_status(token: Token) -> str:
    expired = token.expires_at is not None and token.expires_at <= utc_now()
    # One that gave its name up after it expired counts as revoked then: nobody revoked it.
    if token.revoked_at is not None and not (expired and token.revoked_at == token.expires_at):
        return "revoked"
    return "expired" if expired else "active"


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
