"""Names of fields: which hold a secret by what they say, and how a name is compared with one that is to be hidden.

The servers' ``redaction.mjs`` has the same rules; tests run one list of cases through both.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LONGEST = 200
_HUMP = re.compile(r"([a-z0-9])([A-Z])")
_OTHERS = re.compile(r"[^A-Za-z0-9]+")
_SIGNS = re.compile(r"[\0-/:-@\[-`{-\x7f]+")
_SECRET = re.compile(
    r"(?:api_?key|api_?secret|passw(?:or)?d|passphrase|secret|secret_?key|authorization|private_?key|access_?key"
    r"|signing_?key|encryption_?key|credential|cookie|bearer|_pwd|^pwd|_jwt|^jwt|^auth|token)s?[0-9]*$|^passw(?:or)?d"
)
_TOKENS = re.compile(r"tokens[0-9]*$")  # mostly of a model's usage: inputTokens, maxTokens, tokens
_SECRET_TOKENS = re.compile(r"(?:access|refresh|auth|id|session|bearer|api|csrf|security)_?tokens[0-9]*$")
_OTHER_TOKEN = re.compile(
    r"(?:per|first|last|next|stop|eos|bos|pad|unk|mask|start|end|special)_?token[0-9]*$",
)


@lru_cache(maxsize=10_000)
def fold_name(name: str) -> str:
    """Return a name in the one form in which names are compared: ``e-Mail``, ``E_MAIL`` and ``email`` are the same.

    Example:
        >>> fold_name("x-userEmail")
        'xuseremail'
    """
    return _SIGNS.sub("", name).lower()


@lru_cache(maxsize=10_000)
def is_secret_name(name: str) -> bool:
    """Return whether a field of this name holds a secret: apiKey, API-KEY, x-api-key; but not inputTokens."""
    if len(name) > _LONGEST:
        return False
    snake = _OTHERS.sub("_", _HUMP.sub(r"\1_\2", name)).rstrip("_").lower()
    if _TOKENS.search(snake):
        return bool(_SECRET_TOKENS.search(snake))
    return bool(_SECRET.search(snake)) and not _OTHER_TOKEN.search(snake)


def hides(name: str, value: object) -> bool:
    """Return whether this value of this field must not be shown; counts and prices named after a token may be."""
    if value is None or value == "" or isinstance(value, bool):
        return False
    if isinstance(value, int | float) and re.search(r".token[0-9]*$", name, re.IGNORECASE):
        return False
    return is_secret_name(name)
