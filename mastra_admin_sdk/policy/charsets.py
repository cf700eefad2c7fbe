"""Sets of characters as sorted ranges of code points, and how they are written in a regular expression.

What is written is read alike by Python's ``re`` and by JavaScript with the flag ``u``.
"""

from __future__ import annotations

from collections.abc import Iterable

Charset = tuple[tuple[int, int], ...]
"""Ranges, both ends included; sorted, and none touches the next."""

LAST = 0x10FFFF
ANY: Charset = ((0, LAST),)
DIGITS: Charset = ((48, 57),)
WORD: Charset = ((48, 57), (65, 90), (95, 95), (97, 122))
SPACE: Charset = ((9, 13), (32, 32))

_SYNTAX = frozenset("\\^$.*+?()[]{}|/")
_IN_BRACKETS = frozenset("\\^]-[")
_CONTROLS = {9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}


def unite(*sets: Iterable[tuple[int, int]]) -> Charset:
    """Return the characters that are in any of some sets."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(item for ranges in sets for item in ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def invert(chars: Charset) -> Charset:
    """Return the characters that are not in a set."""
    found, start = [], 0
    for low, high in chars:
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    return (*found, *([(start, LAST)] if start <= LAST else []))


def overlap(one: Charset, other: Charset) -> bool:
    """True when some character is in both."""
    return any(low <= end and start <= high for low, high in one for start, end in other)


def add_cases(chars: Charset) -> Charset:
    """Return a set with the other case of each ASCII letter in it."""
    upper = [(max(low, 97) - 32, min(high, 122) - 32) for low, high in chars if low <= 122 and high >= 97]
    lower = [(max(low, 65) + 32, min(high, 90) + 32) for low, high in chars if low <= 90 and high >= 65]
    return unite(chars, upper, lower)


def write_charset(chars: Charset) -> str:
    """Return a set as part of a regular expression: a character, or brackets."""
    if len(chars) == 1 and chars[0][0] == chars[0][1]:
        return _write_char(chars[0][0], _SYNTAX)
    inverted = invert(chars)
    if chars == ANY:
        return r"[\s\S]"
    if chars[-1][1] == LAST and len(inverted) <= len(chars):
        return f"[^{_write_ranges(inverted)}]"
    return f"[{_write_ranges(chars)}]"


def _write_ranges(chars: Charset) -> str:
    return "".join(_write_range(low, high) for low, high in chars)


def _write_range(low: int, high: int) -> str:
    first, last = _write_char(low, _IN_BRACKETS), _write_char(high, _IN_BRACKETS)
    if high - low < 2:
        return first if low == high else first + last
    return f"{first}-{last}"


def _write_char(code: int, escaped: frozenset[str]) -> str:
    if code in _CONTROLS:
        return _CONTROLS[code]
    if code < 32 or code == 127:
        return f"\\x{code:02x}"
    if code < 127:
        return f"\\{chr(code)}" if chr(code) in escaped else chr(code)
    # By number up to where both languages have the same notation.
    return f"\\u{code:04x}" if code <= 0xFFFF else chr(code)
