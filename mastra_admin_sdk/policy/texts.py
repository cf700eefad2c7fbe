"""Secrets inside of texts: assignments, bearer tokens, passwords in addresses; as in ``redaction.mjs``."""

from __future__ import annotations

import re

from .names import hides

MARK = "[REDACTED]"

_FLAGS = re.IGNORECASE | re.ASCII
_WORDS = "key|passw(?:or)?d|passphrase|pwd|secret|token|authorization|credential|cookie|bearer|jwt"
_SUSPICIOUS = re.compile(rf"{_WORDS}|:\/\/[^\s/]*@", _FLAGS)
_SEPARATOR = r"\\*[\"'`]?\s{0,8}(?:=>|[:=])\s{0,8}"
_ASSIGNED = re.compile(rf"(?:{_WORDS})s?\d*{_SEPARATOR}", _FLAGS)
_NAME = rf"(?<![\w-])([\w-]{{0,40}}?(?:{_WORDS})s?\d*)"
_QUOTED = r"(\\*[\"'`])([\s\S]{0,8192}?)(?:(?<!\\)\3|$)"
_SCHEME = r"(?:Bearer|Basic|Digest|Token|ApiKey)\s{1,4}[^\s\"'`,;]+"
_BARE = r"\\*[\"'`]?[^\s\"'`,;&(){}[\]\\]+"
_ASSIGNMENT = re.compile(rf"{_NAME}({_SEPARATOR})(?:{_QUOTED}|({_SCHEME}|{_BARE}))", _FLAGS)
_BEARER = re.compile(r"\b(Bearer)\s{1,4}(?=[^\s\"']{0,64}\d)[\w.~+/=-]{8,}", _FLAGS)
_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@]{0,128}:)[^\s/@]{1,256}@", _FLAGS)
_LITERALS = frozenset({"null", "undefined", "true", "false"})
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def is_suspicious(text: str) -> bool:
    """Return whether a text may hold a secret; cheap, and rarely true of a text in a human language."""
    return bool(_SUSPICIOUS.search(text))


def hide_assignments(text: str) -> str:
    """Return a text without the values of secret assignments, bearer tokens and passwords in addresses."""
    if _ASSIGNED.search(text):
        text = _ASSIGNMENT.sub(_hide_assignment, text)
    return _ADDRESS.sub(rf"\1{MARK}@", _BEARER.sub(rf"\1 {MARK}", text))


def _hide_assignment(match: re.Match[str]) -> str:
    name, separator, quote, quoted, bare = match.groups()
    value = bare if quoted is None else quoted
    if quote is None and value in _LITERALS:
        return match[0]
    read = float(value) if quote is None and _NUMBER.fullmatch(value) else value
    if value == MARK or not hides(name, read):
        return match[0]
    return f"{name}{separator}{MARK}" if quote is None else f"{name}{separator}{quote}{MARK}{quote}"
