"""Members of teams: added, listed, given a role, and removed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound
from mastra_admin_sdk.models import Cursor, Member, MemberRole, choose, utc_now
from mastra_admin_sdk.services.history.columns import TIME
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.names import check_text
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import Resolver, TeamRef

from .secrets import is_good

if TYPE_CHECKING:
    import pandas as pd

MemberRef = Member | str

MEMBER_COLUMNS: Mapping[str, str] = {
    "member_id": "object",
    "team": "category",
    "email": "object",
    "role": "category",
    "tokens": "int64",
    "created_at": TIME,
    "updated_at": TIME,
}
"""Columns of ``admin.members.frame()`` and their dtypes. ``tokens`` counts those that are in force."""

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_LONGEST_EMAIL = 254
_LOCK_SECONDS = 10


class MemberService:
    """Members of teams, as ``admin.members``."""

    def __init__(self, parts: Parts, resolver: Resolver) -> None:
        self._parts, self._resolver = parts, resolver

    def add(self, team: TeamRef, email: str, *, role: MemberRole | str = MemberRole.MEMBER) -> Member:
        """Add a person to a team.

        Parameters:
            team: to which one.
            email: by which the audit log names them; case doesn't count.
            role: ``owner`` may do everything with what the team has, ``member`` deploy and read, ``viewer`` read.

        Raises:
            NotFound: there is no such team.
            InvalidInput: that is no email, or no role.
            Conflict: the team has a member with that email.

        Example:
            >>> admin.members.add("search", "ana@example.com", role="owner")
            >>> admin.tokens.create("ana", team="search", member="ana@example.com").secret
        """
        owner = self._resolver.team(team)
        added = self._parts.storage.members.create(Member(owner.id, _read_email(email), choose(MemberRole, role)))
        self._record("add", added, role=added.role.value)
        return added

    def list(
        self, team: TeamRef | None = None, *, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Member]:
        """Return the members of a team, or of all, newest first; ``limit`` of them, ``after`` a place in the list."""
        team_id = self._resolver.team(team).id if team is not None else None
        return self._parts.storage.members.list(team_id, limit=limit, after=after)

    def frame(self, team: TeamRef | None = None) -> pd.DataFrame:
        """Return a row a member, newest first (`MEMBER_COLUMNS`)."""
        return make_frame(MEMBER_COLUMNS, [self.describe(member) for member in self.list(team)])

    def get(self, member: MemberRef, *, team: TeamRef | None = None) -> Member:
        """Return a member by id, or by email where that is clear; with ``team`` in that one.

        Raises:
            NotFound: there is none.
            InvalidInput: several teams have a member with that email.
        """
        wanted = member if isinstance(member, str) else member.id
        team_id = self._resolver.team(team).id if team is not None else None
        try:
            found = [self._parts.storage.members.get(wanted)]
        except NotFound:
            found = list(self._parts.storage.members.list(team_id, email=wanted.strip().lower()))
        found = [item for item in found if team_id in (None, item.team_id)]
        if len(found) > 1:
            raise InvalidInput(f"{wanted[:100]!r} is in {len(found)} teams.", hint="Name the team too.")
        if not found:
            raise NotFound(f"There is no member {wanted[:100]!r}.", hint="admin.members.list() returns all there are.")
        return found[0]

    def change_role(
        self, member: MemberRef, role: MemberRole | str, *, team: TeamRef | None = None, force: bool = False
    ) -> Member:
        """Give a member another role; their tokens are held to it from the next request on.

        Parameters:
            member: by id, or by email.
            role: ``owner``, ``member`` or ``viewer``.
            team: in which team, where an email is in several.
            force: take it from the last owner too.

        Raises:
            NotFound: there is no such member.
            Conflict: the team would be without an owner.
        """
        wanted, found = choose(MemberRole, role), self.get(member, team=team)
        if wanted is found.role:
            return found
        with self._hold(found):
            self._keep_an_owner(found, force or wanted is MemberRole.OWNER)
            changed = self._parts.storage.members.update(found.id, role=wanted)
        self._record("change_role", changed, role=changed.role.value, before=found.role.value)
        return changed

    def remove(self, member: MemberRef, *, team: TeamRef | None = None, force: bool = False) -> None:
        """Remove a member; their tokens go with them, and with those their sessions.

        Parameters:
            member: by id, or by email.
            team: from which team, where an email is in several.
            force: remove the last owner too.

        Raises:
            NotFound: there is no such member.
            Conflict: the team would be without an owner.
        """
        found = self.get(member, team=team)
        with self._hold(found):
            self._keep_an_owner(found, force)
            tokens = [token.name for token in self._parts.storage.tokens.list(member_id=found.id)]
            self._parts.storage.members.delete(found.id)
        self._record("remove", found, role=found.role.value, tokens=tokens)

    def describe(self, member: Member) -> dict[str, Any]:
        """Return a member's row in `frame`."""
        now, storage = utc_now(), self._parts.storage
        in_force = [token for token in storage.tokens.list(member_id=member.id) if is_good(token, now)]
        return {
            "member_id": member.id,
            "team": storage.teams.get(member.team_id).slug,
            "email": member.email,
            "role": member.role.value,
            "tokens": len(in_force),
            "created_at": member.created_at,
            "updated_at": member.updated_at,
        }

    @contextmanager
    def _hold(self, member: Member) -> Iterator[None]:
        """Two that are removed at once would each take the other for the owner who stays."""
        name = f"members/{member.team_id}"
        with self._parts.leases.hold(name, timeout=_LOCK_SECONDS, what="the members of the team"):
            yield

    def _keep_an_owner(self, member: Member, force: bool) -> None:
        members = self._parts.storage.members.list(member.team_id)
        owners = [item.id for item in members if item.role is MemberRole.OWNER]
        if owners == [member.id] and not force:
            raise Conflict(
                f"{member.email} is the only owner of the team.",
                hint="Make somebody else an owner first, or do it with force.",
            )

    def _record(self, action: str, member: Member, **details: Any) -> None:
        team = self._parts.storage.teams.get(member.team_id)
        self._parts.record(action, "member", member.id, object=member.email, team=team.slug, **details)


def _read_email(email: str) -> str:
    clean = check_text(email, "member", _LONGEST_EMAIL).lower()
    if not _EMAIL.fullmatch(clean):
        raise InvalidInput(f"{clean[:80]!r} is no email.", hint="Write it as ana@example.com.")
    return clean
