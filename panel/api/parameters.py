"""Reading the query of a request."""

from __future__ import annotations

from flask import request

from mastra_admin_sdk.errors import InvalidInput

_LARGEST = 2**63 - 1


def read_after() -> int:
    """Return ``after``: the number of the last line that is known, 0 unless given."""
    return read_number("after", default=0, lowest=0)


def read_limit(default: int = 100, highest: int = 1000) -> int:
    """Return ``limit``: how many items are wanted at most."""
    return read_number("limit", default=default, lowest=1, highest=highest)


def read_number(name: str, *, default: int, lowest: int, highest: int = _LARGEST) -> int:
    """Return a whole number of the query, or raise `InvalidInput` when it is none or out of range."""
    text = request.args.get(name)
    if text is None:
        return default
    # Digits alone: int() would also take "+1", "1_0" and other scripts' digits.
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not lowest <= number <= highest:
        shown = f"from {lowest}" + (f" to {highest}" if highest < _LARGEST else " up")
        raise InvalidInput(
            f"The parameter {name} can't be {text[:40]!r}: it takes a whole number {shown}.",
            evidence={"fields": {name: f"It takes a whole number {shown}."}},
        )
    return number
