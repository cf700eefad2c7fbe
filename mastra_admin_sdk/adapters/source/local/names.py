"""How names and paths from a stranger's disk are shown: always printable, always valid Unicode (pure)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import translate

_NPM_NAME = re.compile(r"(?:@[\w.~-]+/)?[\w~-][\w.~-]*", re.ASCII)
_LONGEST_NAME = 214


class NamePatterns:
    """Shell-like patterns, compiled once: a search or a copy asks for each of 100,000 names."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        # Most are plain names, which need no regular expression.
        globs = [pattern for pattern in self._patterns if "/" in pattern or any(char in pattern for char in "*?[")]
        self._plain = frozenset(self._patterns) - frozenset(globs)
        self._regex = re.compile("|".join(map(translate, globs))) if globs else None

    def match(self, name: str, relative: str) -> bool:
        """Return whether a name, or its path below the base, meets one of the patterns."""
        if name in self._plain:
            return True
        return self._regex is not None and bool(self._regex.match(name) or self._regex.match(relative))

    def __repr__(self) -> str:
        return f"NamePatterns({list(self._patterns)})"


def show_path(path: str) -> str:
    """Return a path for messages: bytes that are no UTF-8 and control characters are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def show_reference(reference: str) -> str:
    """Return what somebody asked for, quoted, escaped and cut, for messages."""
    return ascii(reference[:120]) if not reference[:120].isprintable() else repr(reference[:120])


def is_portable(path: str) -> bool:
    """Return whether a path is valid Unicode, so that a database, JSON and Node can hold it."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def choose_name(wanted: object, folder: str) -> str:
    """Return a project's name: what its package.json says when npm would take it, else its folder's name, printable."""
    if isinstance(wanted, str) and len(wanted) <= _LONGEST_NAME and _NPM_NAME.fullmatch(wanted):
        return wanted
    base = os.path.basename(folder.rstrip("/")) or "root"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in base)


def clean_text(value: object, longest: int = 200) -> str | None:
    """Return a text field of a package.json, printable and cut; ``None`` for what is no text or says nothing."""
    if not isinstance(value, str):
        return None
    return "".join(char for char in value[:longest] if char.isprintable()).strip() or None
