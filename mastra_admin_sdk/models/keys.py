"""What tells a request that is sent again from a new one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .entities import utc_now


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A request that queued a build, under the key that its sender gave it, until ``expires_at``.

    ``digest`` is the key's SHA-256 and ``fingerprint`` that of what was asked for (both hexadecimal). ``build_id`` is
    empty once that build was removed.
    """

    digest: str
    fingerprint: str
    expires_at: datetime
    build_id: str | None = None
    created_at: datetime = field(default_factory=utc_now)
