"""Pages of a list: cursors as text, and cutting what was found into a page."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Cursor

_Item = TypeVar("_Item")

Part = str | int | float | None
"""What a place in a list is made of."""

_MOST = 1000
_YEARS = range(1970, 2201)


def read_cursor(text: str | None) -> Cursor | None:
    """Return the place that a ``cursor`` parameter names; ``None`` for the beginning.

    Raises:
        InvalidInput: it isn't one that `write_cursor` made.
    """
    if text is None:
        return None
    moment, item = decode_place(text, str, str)
    try:
        at = datetime.fromisoformat(moment)
    except ValueError as exc:
        raise _make_error() from exc
    if at.tzinfo is None or at.year not in _YEARS or not 0 < len(item) <= 200 or not item.isprintable():
        raise _make_error()
    return Cursor(at.astimezone(UTC), item)


def write_cursor(cursor: Cursor) -> str:
    """Return a place as the ``cursor`` parameter of the next page."""
    return encode_place(cursor.at.astimezone(UTC).isoformat(), cursor.id)


def cut_page(
    found: Sequence[_Item], limit: int, *, place: Callable[[_Item], Cursor] = Cursor.of
) -> tuple[Sequence[_Item], str | None]:
    """Return the items of a page and the cursor of the next, or ``None`` when there is no more.

    Parameters:
        found: the items; ask the SDK for ``limit + 1``: one more than wanted tells that there are more.
        limit: how many a page has.
        place: where an item is in its list; by ``created_at`` (or what the record has instead) and id unless given.

    Example:
        >>> found = admin.teams.list(limit=query.limit + 1, after=read_cursor(query.cursor))
        >>> teams, following = cut_page(found, query.limit)
    """
    kept = found[:limit]
    return kept, write_cursor(place(kept[-1])) if len(found) > limit and kept else None


def encode_place(*parts: Part) -> str:
    """Return a place in a list, such as a time and an id, as text that fits into a query."""
    text = json.dumps(parts, separators=(",", ":"), allow_nan=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_place(text: str, *kinds: type | tuple[type, ...]) -> tuple[Any, ...]:
    """Return the parts of a place that `encode_place` made.

    Parameters:
        text: what a client sent; it may be anything.
        kinds: the type of each part, such as ``str, (int, float)``.

    Raises:
        InvalidInput: it isn't a place with parts of these types.
    """
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw.decode("utf-8"), parse_constant=_refuse) if len(text) <= _MOST else None
    except (ValueError, binascii.Error, RecursionError) as exc:
        raise _make_error() from exc
    if not isinstance(parts, list) or len(parts) != len(kinds):
        raise _make_error()
    if not all(_is(part, kind) for part, kind in zip(parts, kinds, strict=True)):
        raise _make_error()
    return tuple(parts)


def _is(part: object, kind: type | tuple[type, ...]) -> bool:
    if isinstance(part, bool):
        return kind is bool
    return isinstance(part, kind) and (not isinstance(part, int | float) or abs(part) < 2**63)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _make_error() -> InvalidInput:
    return InvalidInput(
        "The cursor isn't one of this list.",
        hint="Send `next` of the page before as it is, or leave the cursor away to begin anew.",
        evidence={"fields": {"cursor": "It isn't `next` of a page of this list."}},
    )
