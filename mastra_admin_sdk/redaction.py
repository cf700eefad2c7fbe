"""Keeps secret values out of text: logs, errors, reprs.

A value is found as it is, base64-encoded and URL-encoded, whole or line by line; a line that is only a short word isn't
looked for alone. What is replaced reads ``***``.
"""

from __future__ import annotations

import base64
import json
import re
import string
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORTEST = 4
_SHORTEST_LINE = 8
_LONGEST_WORD = 12
_LONGEST_COMPILED = 1000


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
        # Large values would take seconds to compile; they are looked for one by one.
        self._large = sorted((form for form in forms if len(form) > _LONGEST_COMPILED), key=len, reverse=True)
        others = forms.difference(self._large)
        self._pattern = _compile(others)
        self._telling = {form for form in others if not _is_word(form)}

    def clean(self, text: str) -> str:
        """Return the text with every known value masked."""
        return self._mask(text, self._pattern)

    def clean_sentence(self, text: str) -> str:
        """Return a sentence of MastraAdmin's own with the values masked that it can't hold by chance.

        A secret that is a plain word, such as ``lines``, doesn't make it unreadable. Not for text from elsewhere.
        """
        return self._mask(text, _compile(self._telling))  # only errors ask for it

    def _mask(self, text: str, pattern: re.Pattern[str] | None) -> str:
        for form in self._large:
            text = text.replace(form, MASK)
        return pattern.sub(MASK, text) if pattern else text

    def __repr__(self) -> str:
        return f"Redactor({self._count} forms)"


def _list_forms(value: str) -> set[str]:
    parts = {value, value.strip(), *filter(_is_telling, map(str.strip, value.splitlines()))}
    forms: set[str] = set()
    for part in parts:
        if len(part) < _SHORTEST:
            continue
        raw = part.encode()
        encoded = base64.b64encode(raw).decode()
        forms |= {part, encoded, encoded.rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
        forms |= {quote(part, safe=""), quote(part), quote_plus(part), json.dumps(part)[1:-1]}
    return {form for form in forms if len(form) >= _SHORTEST}


def _is_telling(line: str) -> bool:
    """False for a line of a longer value that innocent text may hold too: a short word, or only punctuation."""
    core = line.strip(string.punctuation)
    return len(line) >= _SHORTEST_LINE or (bool(core) and not core.isalpha())


def _is_word(form: str) -> bool:
    return len(form) <= _LONGEST_WORD and form.isalpha()


def _compile(forms: set[str]) -> re.Pattern[str] | None:
    # Longest first: a value that contains another is replaced whole.
    pattern = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return re.compile(pattern) if pattern else None
