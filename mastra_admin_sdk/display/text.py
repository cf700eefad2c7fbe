"""Small texts for people: times, durations, sizes, and cutting to a width (pure)."""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime

NOTHING = "—"
_DATE_AFTER_SECONDS = 30 * 86400


def relative_time(when: datetime | None, now: datetime) -> str:
    """Return a time as seen from now: ``12 s ago``, ``in 3 min``; a date when it is more than 30 days away.

    Parameters:
        when: the time; without a time zone it is taken for UTC; ``None`` gives a dash.
        now: what to compare with, usually `models.utc_now()`.
    """
    if when is None:
        return NOTHING
    seconds = (_as_utc(now) - _as_utc(when)).total_seconds()
    if abs(seconds) > _DATE_AFTER_SECONDS:
        return _as_utc(when).date().isoformat()
    if abs(seconds) < 1:
        return "just now"
    amount = _coarse(abs(seconds))
    return f"{amount} ago" if seconds > 0 else f"in {amount}"


def format_duration(seconds: float | None) -> str:
    """Return seconds in two units at most: ``12 ms``, ``1.23 s``, ``2 min 5 s``, ``1 h 3 min``, ``2 d 4 h``.

    Unknown (``None`` or not a number) gives a dash.
    """
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs" if seconds else "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    return _two_units(round(seconds))


def format_bytes(count: float | None) -> str:
    """Return a size in units of 1,024: ``512 B``, ``1.5 KB``, ``20 MB``; unknown gives a dash."""
    if count is None or not math.isfinite(count):
        return NOTHING
    size, unit = float(abs(count)), "B"
    for larger in ("KB", "MB", "GB", "TB", "PB"):
        if size < 999.5:
            break
        size, unit = size / 1024, larger
    sign = "-" if count < 0 else ""
    return f"{sign}{size:.0f} {unit}" if unit == "B" or size >= 9.95 else f"{sign}{size:.1f} {unit}"


def truncate(text: str, width: int) -> str:
    """Return a text made printable, on one line, and cut to a number of terminal columns; a cut ends in ``…``.

    Wide characters (Chinese, emoji) count as two columns, combining ones as none.
    """
    cleaned = printable(text[: 4 * width + 4])
    if width <= 0:
        return ""
    if len(text) <= len(cleaned) and measure(cleaned) <= width:
        return cleaned
    kept, used = [], 0
    for char in cleaned:
        used += _columns(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + "…"


def pad(text: str, width: int) -> str:
    """Return a text cut or filled with spaces to exactly a number of terminal columns."""
    cut = truncate(text, width)
    return cut + " " * (width - measure(cut))


def measure(text: str) -> int:
    """Return how many terminal columns a printable text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def printable(text: str) -> str:
    """Return a text without line ends, control characters and broken Unicode, safe for a terminal."""
    if text.isprintable():
        return text
    return "".join(_replace(char) for char in text)


def _replace(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _as_utc(when: datetime) -> datetime:
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _coarse(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds < 59.5 else "1 min"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    if seconds < 2 * 86400:
        return f"{seconds // 3600:.0f} h"
    return f"{seconds // 86400:.0f} days"


def _two_units(seconds: int) -> str:
    for large, large_name, small, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= large:
            rest = seconds % large // small
            return f"{seconds // large} {large_name}" + (f" {rest} {small_name}" if rest else "")
    rest = seconds % 60
    return f"{seconds // 60} min" + (f" {rest} s" if rest else "")
