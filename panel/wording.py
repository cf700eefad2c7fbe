"""Times, durations and states as people read them: filters of the templates."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask

from mastra_admin_sdk.display.charts.units import measure_money
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
    app.jinja_env.filters.update(
        ago=ago,
        milliseconds=format_milliseconds,
        moment=format_moment,
        money=format_money,
        printable=printable,
        seconds=format_seconds,
        share=format_share,
        tone=tone,
        until=until,
    )


def ago(moment: str, now: datetime | None = None) -> str:
    """Return how long ago an ISO time was, such as ``3 min ago``.

    The script ``times.js`` counts on in the same words.
    """
    passed = ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()
    if passed < 5:
        return "just now"
    unit, name = next((unit, name) for limit, unit, name in _STEPS if passed < limit)
    return f"{int(passed // unit)} {name} ago"


def until(moment: str, now: datetime | None = None) -> str:
    """Return in how long an ISO time will be, such as ``in 3 h``."""
    left = (datetime.fromisoformat(moment) - (now or datetime.now(UTC))).total_seconds()
    if left < 1:
        return "now"
    unit, name = next((unit, name) for limit, unit, name in _STEPS if left < limit)
    return f"in {int(left // unit)} {name}"


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


def format_milliseconds(milliseconds: float | None) -> str:
    """Return a duration such as ``340 ms`` or ``2.4 s``."""
    if milliseconds is None:
        return "\N{EN DASH}"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else format_seconds(milliseconds / 1000)


def format_share(share: float | None) -> str:
    """Return a share of one as percents, such as ``4 %`` or ``0.3 %``."""
    if share is None:
        return "\N{EN DASH}"
    percents = share * 100
    return f"{percents:.1f} %" if 0 < percents < 1 else f"{percents:.0f} %"


def format_money(amount: float, currency: str) -> str:
    """Return what something costs, such as ``$0.0000204``, as charts write it."""
    return measure_money(currency).format(amount)


def tone(state: str) -> str:
    """Return the colour class of a state."""
    return TONES.get(state, "idle")
