"""The secret of a token: how it is made, what is kept of it, and when it is good (pure, but for the dice)."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime

from mastra_admin_sdk.models import Token, TokenScope

PREFIX = "mat_"
"""Begins every token, so that people and scanners of repositories recognise one."""

_BYTES = 32
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


def make_secret() -> str:
    """Return a new token: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def is_secret(text: str) -> bool:
    """True when a text has the form of a token."""
    return _FORM.fullmatch(text) is not None


def digest_secret(secret: str) -> str:
    """Return what is kept of a token. It holds 256 random bits, so a plain SHA-256 can't be turned back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_good(token: Token, now: datetime) -> bool:
    """True for a token that was not revoked and has not expired."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


def has_scope(token: Token, scope: TokenScope) -> bool:
    """True when a token is good for something; ``admin`` is for everything."""
    return scope in token.scopes or TokenScope.ADMIN in token.scopes
