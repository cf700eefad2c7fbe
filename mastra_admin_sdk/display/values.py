"""Values that cards and tables show in a way of their own: links, states, times, code.

Each has a ``str`` for places that show text alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from .text import relative_time

_TONES: Mapping[str, str] = {
    **dict.fromkeys(
        ("running", "succeeded", "ok", "healthy", "live", "active", "enabled", "delivered", "resolved", "yes"), "good"
    ),
    **dict.fromkeys(("failed", "error", "crashed", "unhealthy", "firing", "missing", "not ok"), "bad"),
    **dict.fromkeys(("queued", "pending", "building", "deploying", "starting", "draining", "reminder"), "busy"),
}


def get_tone(state: str | None) -> str:
    """Return how a state is coloured: ``good``, ``bad``, ``busy`` or ``quiet``."""
    return _TONES.get(str(state).lower(), "quiet")


@dataclass(frozen=True, slots=True)
class Link:
    """A value that leads somewhere; ``text`` is the address when it isn't given."""

    url: str
    text: str = ""

    @property
    def href(self) -> str:
        """The address if a browser may follow it (http, https, or a path on the same host), else empty."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return ""
        same_host = not parts.scheme and not parts.netloc and self.url.startswith("/") and "\\" not in self.url
        return self.url if (parts.scheme in ("http", "https") and parts.netloc) or same_host else ""

    def __str__(self) -> str:
        return self.text or self.url


@dataclass(frozen=True, slots=True)
class State:
    """A word that is coloured by what it means, such as ``running``; see `get_tone`."""

    word: str

    def __str__(self) -> str:
        return str(self.word)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, shown as seen from now; HTML has the time itself as well."""

    when: datetime

    @property
    def absolute(self) -> str:
        """The time itself, such as ``2026-11-24 00:16:15 UTC``; without a time zone it is taken for UTC."""
        when = self.when.replace(tzinfo=UTC) if self.when.tzinfo is None else self.when.astimezone(UTC)
        return f"{when:%Y-%m-%d %H:%M:%S} UTC"

    def __str__(self) -> str:
        return relative_time(self.when, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Code:
    """Something to type, such as ``live.rollback()``."""

    text: str

    def __str__(self) -> str:
        return self.text


def hide_login(url: str) -> str:
    """Return an address without the user and password that it may hold."""
    head, scheme, rest = url.partition("://")
    if not scheme:
        return url
    authority, slash, path = rest.partition("/")
    return f"{head}://{authority.rpartition('@')[2]}{slash}{path}"
