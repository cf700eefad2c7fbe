"""How long previews live (pure)."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Deployment, DeploymentType

Ttl = str | float | timedelta
"""A time to live: hours as a number, ``"90m"``, ``"72h"``, ``"3d"``, ``"2w"``, a timedelta, or ``"never"``."""

FOREVER = 0
"""Seconds that stand for a preview that never expires."""

_NEVER = "never"
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*([mhdw]?)")
_LONGEST = 10 * 365 * 86400
_HINT = 'Give hours as a number, a text such as "90m", "72h", "3d" or "2w", a timedelta, or "never".'


def parse_ttl(ttl: Ttl) -> int:
    """Return seconds; `FOREVER` for ``"never"``.

    Raises:
        InvalidInput: it is none, or isn't between a second and ten years.

    Example:
        >>> parse_ttl("3d") == parse_ttl(72) == 259200
        True
    """
    if isinstance(ttl, str) and ttl.strip().lower() == _NEVER:
        return FOREVER
    seconds = _read_seconds(ttl)
    if not 1 <= seconds <= _LONGEST:
        raise InvalidInput(f"A preview can't live for {ttl!r}: from a second to ten years.", hint=_HINT)
    return math.ceil(seconds)


def find_expiry(deployment: Deployment, now: datetime, default_hours: float) -> datetime | None:
    """Return when a deployment expires that is deployed now; ``None``: never, as all that isn't a preview."""
    if deployment.type is not DeploymentType.PREVIEW or deployment.ttl_seconds == FOREVER:
        return None
    hours = min(float(default_hours), _LONGEST / 3600)
    return now + timedelta(seconds=deployment.ttl_seconds or hours * 3600)


def has_expired(deployment: Deployment, now: datetime) -> bool:
    """True for a preview whose time is over."""
    is_preview = deployment.type is DeploymentType.PREVIEW
    return is_preview and deployment.expires_at is not None and deployment.expires_at <= now


def _read_seconds(ttl: object) -> float:
    if isinstance(ttl, timedelta):
        return ttl.total_seconds()
    if isinstance(ttl, int | float) and not isinstance(ttl, bool):
        # Compared first: a number that is too large, or none, can't be multiplied.
        return ttl * 3600.0 if 0 < ttl <= _LONGEST else math.inf
    if isinstance(ttl, str) and (match := _TEXT.fullmatch(ttl.strip().lower()[:40])):
        return float(match[1]) * _UNITS[match[2] or "h"]
    raise InvalidInput(f"{ttl!r} is no time to live.", hint=_HINT)
