"""Tokens: what programs show to be let in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mastra_admin_sdk.display.shown import Shown

from .entities import new_id, utc_now
from .showing_more import describe_token
from .states import TokenScope


@dataclass(frozen=True, slots=True, repr=False)
class Token(Shown):
    """An API token. Only its SHA-256 ``digest`` (hexadecimal, unique) is kept.

    It is good for ``scopes``, for one team or project when it names one, until ``expires_at`` or ``revoked_at``. One
    that belongs to a member of a team is good for no more than their role is.
    """

    name: str
    digest: str = field(repr=False)
    scopes: tuple[TokenScope, ...] = ()
    team_id: str | None = None
    project_id: str | None = None
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    member_id: str | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)

    _describe = describe_token
