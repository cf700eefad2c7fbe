"""Times, durations and states as people read them: filters of the templates."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask

from mastra_admin_sdk.display.text import printable

TONES = {
    "running": "good",
    "succeeded": "good",
    "building": "busy",
    "deploying": "busy",
    "queued": "wait",
    "pending": "wait",
    "starting": "busy",
    "draining": "wait",
    "failed": "bad",
    "cancelled": "idle",
    "superseded": "idle",
    "stopped": "idle",
    "exited": "idle",
}
"""Colour of a state; the word itself is always shown too."""

_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (float("inf"), 86400, "d"))


def add_filters(app: Flask) -> None:
    """Add the filters to an app's templates."""
    app.jinja_env.filters.update(ago=ago, moment=format_moment, printable=printable, seconds=format_seconds, tone=tone)


def ago(moment: str, now: datetime | None = None) -> str:
    """Return how long ago an ISO time was, such as ``3 min ago``.

    The script ``times.js`` counts on in the same words.
    """
    passed = ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()
    if passed < 5:
        return "just now"
    unit, name = next((unit, name) for limit, unit, name in _STEPS if passed < limit)
    return f"{int(passed // unit)} {name} ago"


def format_moment(moment: str) -> str:
    """Return an ISO time to the second, such as ``2026-11-23 11:30:05 UTC``."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_seconds(seconds: float | None) -> str:
    """Return a duration such as ``0.4 s``, ``24 s`` or ``3 min 05 s``."""
    if seconds is None:
        return "\N{EN DASH}"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def tone(state: str) -> str:
    """Return the colour class of a state."""
    return TONES.get(state, "idle")
