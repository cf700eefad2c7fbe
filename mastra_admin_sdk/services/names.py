"""What people may call things: text that can be shown and typed again, and nothing that hides in it."""

from __future__ import annotations

import unicodedata

from mastra_admin_sdk.errors import InvalidInput

_JOINERS = "\u200c\u200d"  # between letters of some scripts, and inside emoji


def check_text(text: str, kind: str, longest: int) -> str:
    """Return a name without surrounding blanks.

    Raises:
        InvalidInput: it is no text, empty, too long, or holds characters that can't be seen: control characters, those
            that turn the direction of text, and halves of characters, which no database gives back as they were.
    """
    clean = text.strip() if isinstance(text, str) else ""
    if 0 < len(clean) <= longest and any(map(str.isprintable, clean)) and all(map(_is_seen, clean)):
        return clean
    shown = repr(text)
    raise InvalidInput(
        f"A {kind} can't be called {shown if len(shown) <= 80 else shown[:80] + '…'}.",
        hint=f"Use 1 to {longest} characters without control characters.",
    )


def _is_seen(char: str) -> bool:
    return char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs"
