"""Regular expressions as trees: the part of their notation that Python and JavaScript read alike, or can be made to.

Groups capture nothing; ``\\d``, ``\\w``, ``\\s`` and ``\\b`` mean ASCII; ``.`` is all but a line feed; ``^`` and ``$``
are the two ends of the text. What is not in it (look-around, references, flags within) is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from . import charsets
from .charsets import Charset


class Edge(StrEnum):
    """A place between characters, written so that it means the same everywhere."""

    START = r"(?<![\s\S])"
    END = r"(?![\s\S])"
    WORD = "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))"
    NOT_WORD = "(?:(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<![0-9A-Za-z_])(?![0-9A-Za-z_]))"


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of a set."""

    chars: Charset


@dataclass(frozen=True, slots=True)
class Series:
    """One thing after another."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same several times; ``high`` is ``None`` without an end."""

    item: Node
    low: int
    high: int | None
    lazy: bool


Node = Chars | Series | Choice | Repeat | Edge

MOST = 10_000
"""How often something may be repeated, if it says how often."""

_DEEPEST = 20
_CLASSES = {
    "d": charsets.DIGITS,
    "w": charsets.WORD,
    "s": charsets.SPACE,
    "D": charsets.invert(charsets.DIGITS),
    "W": charsets.invert(charsets.WORD),
    "S": charsets.invert(charsets.SPACE),
}
_SIGNS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "0": 0}
_COUNT = re.compile(r"\{(\d{1,6})(,(\d{0,6}))?\}")
_EDGES = {"b": Edge.WORD, "B": Edge.NOT_WORD}


def parse_pattern(text: str) -> Node:
    """Return the tree of a regular expression.

    Raises:
        ValueError: it is not one, or uses what isn't the same in both languages; says what and where.
    """
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._ignores_case = text.startswith("(?i)")
        self._text, self._at, self._depth = text, 4 if self._ignores_case else 0, 0

    def read(self) -> Node:
        node = self._read_choice()
        if self._at < len(self._text):
            raise self._refuse("a ) that closes nothing")
        return node

    def _read_choice(self) -> Node:
        options = [self._read_series()]
        while self._peek() == "|":
            self._at += 1
            options.append(self._read_series())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _read_series(self) -> Node:
        items: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            items.append(self._read_repeats(self._read_atom()))
        return items[0] if len(items) == 1 else Series(tuple(items))

    def _read_repeats(self, item: Node) -> Node:
        counts = self._read_counts()
        if counts is None:
            return item
        if isinstance(item, Edge):
            raise self._refuse("a place between characters that is repeated")
        lazy = self._peek() == "?"
        self._at += lazy
        if self._peek() in ("*", "+", "?") or _COUNT.match(self._text, self._at):
            raise self._refuse("a repetition of a repetition; put the inner one into (…)")
        low, high = counts
        if high is not None and high < low:
            raise self._refuse("a repetition whose limits are the wrong way round")
        if max(low, high or 0) > MOST:
            raise self._refuse(f"more than {MOST:,} repetitions")
        return Repeat(item, low, high, lazy)

    def _read_counts(self) -> tuple[int, int | None] | None:
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        sign = self._peek()
        if sign in simple:
            self._at += 1
            return simple[sign]
        if sign != "{":
            return None
        match = _COUNT.match(self._text, self._at)
        if match is None:
            raise self._refuse("a { that begins no count; write \\{ for the sign itself")
        self._at = match.end()
        low = int(match[1])
        return low, low if match[2] is None else int(match[3]) if match[3] else None

    def _read_atom(self) -> Node:
        sign = self._take()
        match sign:
            case "(":
                return self._read_group()
            case "[":
                return Chars(self._read_brackets())
            case "\\":
                return self._read_escape()
            case ".":
                return Chars(charsets.invert(((10, 10),)))
            case "^":
                return Edge.START
            case "$":
                return Edge.END
            case "*" | "+" | "?" | "{":
                self._at -= 1
                raise self._refuse(f"a {sign} with nothing before it to repeat")
        return self._make_char(ord(sign))

    def _read_group(self) -> Node:
        if self._peek() == "?":
            if not self._text.startswith("?:", self._at):
                what = "(?i) anywhere but at the very beginning" if self._text.startswith("?i", self._at) else None
                raise self._refuse(
                    what or "a group that begins with (? and is not (?:…), such as look-around or a name"
                )
            self._at += 2
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._refuse("groups nested too deep")
        node = self._read_choice()
        if self._peek() != ")":
            raise self._refuse("a ( that is never closed")
        self._at += 1
        self._depth -= 1
        return node

    def _read_escape(self) -> Node:
        sign = self._peek()
        if sign in _EDGES:
            self._at += 1
            return _EDGES[sign]
        found = self._read_escaped()
        return self._make_char(found) if isinstance(found, int) else Chars(found)

    def _read_escaped(self) -> int | Charset:
        """Read what follows a backslash: the code of a character, or a set."""
        sign = self._take() or "\\"
        if sign in _CLASSES:
            return _CLASSES[sign]
        if sign in ("x", "u"):
            return self._read_number(2 if sign == "x" else 4)
        if sign == "0" and self._peek().isdigit():
            raise self._refuse("an octal number")
        if sign in _SIGNS:
            return _SIGNS[sign]
        if sign.isalnum() or self._at > len(self._text):
            raise self._refuse(f"\\{sign}")
        return ord(sign)

    def _read_number(self, length: int) -> int:
        digits = self._text[self._at : self._at + length]
        if not re.fullmatch(f"[0-9a-fA-F]{{{length}}}", digits):
            raise self._refuse(f"\\x or \\u without its {length} hexadecimal digits")
        self._at += length
        code = int(digits, 16)
        if 0xD800 <= code <= 0xDFFF:
            raise self._refuse("half of a character (a surrogate); write the character itself")
        return code

    def _read_brackets(self) -> Charset:
        negated = self._peek() == "^"
        self._at += negated
        found: Charset = ()
        while self._peek() != "]":
            found = charsets.unite(found, self._read_member())
        self._at += 1
        if not found:
            raise self._refuse("[] with nothing in it")
        found = self._fold(found)
        return charsets.invert(found) if negated else found

    def _read_member(self) -> Charset:
        first = self._read_bracket_sign()
        is_range = self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", "")
        if not is_range:
            return ((first, first),) if isinstance(first, int) else first
        self._at += 1
        last = self._read_bracket_sign()
        if not isinstance(first, int) or not isinstance(last, int) or last < first:
            raise self._refuse("a range in [] that isn't one")
        return ((first, last),)

    def _read_bracket_sign(self) -> int | Charset:
        sign = self._take()
        if not sign:
            raise self._refuse("a [ that is never closed")
        if sign == "[":
            raise self._refuse("a [ in []; write \\[ for the sign itself")
        if sign == "\\":
            if self._peek() == "b":
                raise self._refuse("\\b in []")
            return self._read_escaped()
        return ord(sign)

    def _make_char(self, code: int) -> Chars:
        return Chars(self._fold(((code, code),)))

    def _fold(self, chars: Charset) -> Charset:
        if not self._ignores_case:
            return chars
        if any(high > 127 for _, high in chars):
            raise self._refuse("(?i) with characters that are not ASCII: the languages fold those differently")
        return charsets.add_cases(chars)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        sign = self._peek()
        self._at += 1
        return sign

    def _refuse(self, what: str) -> ValueError:
        return ValueError(f"at character {min(self._at, len(self._text))}: {what}")
