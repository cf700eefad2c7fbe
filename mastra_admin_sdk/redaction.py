"""Keeps secret values out of text: logs, errors, reprs.

A value is found as it is, base64-encoded and URL-encoded, whole or line by line. What is replaced reads ``***``.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORTEST = 4


class Redactor:
    """Replaces known secret values in text.

    Values shorter than four characters are left alone: replacing every ``1`` would make logs unreadable and hide
    nothing. Its repr says how many values it knows, never which.

    Example:
        >>> Redactor(["s3cr3t"]).clean("key=s3cr3t")
        'key=***'
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values for form in _list_forms(value)}
        self._count = len(forms)
        # Longest first: a value that contains another is replaced whole.
        pattern = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._pattern = re.compile(pattern) if pattern else None

    def clean(self, text: str) -> str:
        """Return the text with every known value masked."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def __repr__(self) -> str:
        return f"Redactor({self._count} forms)"


def _list_forms(value: str) -> set[str]:
    parts = {value, value.strip(), *(line.strip() for line in value.splitlines())}
    forms: set[str] = set()
    for part in parts:
        if len(part) < _SHORTEST:
            continue
        raw = part.encode()
        encoded = base64.b64encode(raw).decode()
        forms |= {part, encoded, encoded.rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
        forms |= {quote(part, safe=""), quote(part), quote_plus(part), json.dumps(part)[1:-1]}
    return {form for form in forms if len(form) >= _SHORTEST}
