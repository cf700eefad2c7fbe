"""Members: people who belong to a team."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mastra_admin_sdk.display.shown import Shown

from .entities import new_id, utc_now
from .showing_more import describe_member
from .states import MemberRole


@dataclass(frozen=True, slots=True, repr=False)
class Member(Shown):
    """A person in a team, by email (in lower case, unique in the team). What they may do is their role's."""

    team_id: str
    email: str
    role: MemberRole = MemberRole.MEMBER
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    _describe = describe_member
