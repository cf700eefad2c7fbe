"""Members: people who belong to a team."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .entities import new_id, utc_now
from .states import MemberRole


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a team, by email (in lower case, unique in the team). What they may do is their role's."""

    team_id: str
    email: str
    role: MemberRole = MemberRole.MEMBER
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
