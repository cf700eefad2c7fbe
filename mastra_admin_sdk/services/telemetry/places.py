"""Places in a list as text: where the next part of it begins (pure)."""

from __future__ import annotations

import base64
import json
from typing import Any

from mastra_admin_sdk.errors import InvalidInput

Place = tuple[Any, ...]

_LONGEST = 4000


def write_place(question: str, order: str | None, place: Place) -> str:
    """Return a place as text that fits into an address; it is good for the same question in the same order."""
    text = json.dumps([question, order or "newest", *place], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode("utf-8", "replace")).decode("ascii").rstrip("=")


def read_place(question: str, order: str | None, text: object) -> Place:
    """Return the place that `write_place` wrote down.

    Raises:
        InvalidInput: it is none, or one of another question or order.
    """
    given = _decode(text)
    if given[:2] != [question, order or "newest"]:
        raise InvalidInput(
            f"This is no place in a list of {question} in the order {order or 'newest'!r}.",
            hint='Give frame.attrs["next"] of the part before, and ask for the rest as before.',
        )
    return tuple(given[2:])


def _decode(text: object) -> list[Any]:
    if not isinstance(text, str) or len(text) > _LONGEST:
        return []
    try:
        found = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return []  # no text of ours
    return found if isinstance(found, list) else []
