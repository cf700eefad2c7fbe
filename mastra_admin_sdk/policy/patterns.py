"""Regular expressions that mean the same in Python and in JavaScript, and can't run away.

A pattern is parsed, bounded and written anew: with sets spelled out and without flags, so that both languages read the
very same text. What can be tried from one place of a text is counted for the worst of texts; a pattern that would try
more than `MOST_STEPS` there is refused, as it could stand still a server for seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from mastra_admin_sdk.errors import InvalidInput

from .charsets import Charset, overlap, unite, write_charset
from .syntax import Chars, Choice, Edge, Node, Repeat, Series, parse_pattern

MOST_STEPS = 3_000
MOST_STEPS_AFTER_TEXT = 30_000
"""For a pattern that begins with some plain text, which few places of a text do."""

LONGEST = 500
REPEATS = 256
"""What ``*`` and ``+`` may repeat at most, unless nothing follows them."""

_PLAIN = 4


def compile_pattern(text: str) -> str:
    """Return a pattern in the form that both languages read alike.

    Raises:
        InvalidInput: it is no pattern, isn't the same in both, matches the empty text, or could run away.

    Example:
        >>> compile_pattern(r"\\d+-\\w")
        '[0-9]{1,256}-[0-9A-Z_a-z]'
    """
    if len(text) > LONGEST:
        raise _refuse(text[:50] + "…", f"it has {len(text)} characters, and {LONGEST} are the most")
    try:
        node = parse_pattern(text)
    except ValueError as exc:
        raise _refuse(text, f"what isn't understood is {exc}") from exc
    if _is_nullable(node):
        raise _refuse(text, "it matches the empty text, which is everywhere")
    node = _bound(node, last=True)
    most = MOST_STEPS_AFTER_TEXT if _begins_plainly(node) else MOST_STEPS
    if _measure(node, _END).steps >= most:
        raise _refuse(text, f"a text could make it try more than {most:,} ways from one place")
    return _write(node)


def _refuse(text: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"The pattern {text!r} can't be used: {why}.",
        hint="Neighbours that match the same characters need counts, such as \\d{1,20}; look-around, references and "
        "(?P<names>) are not read alike by Python and JavaScript.",
    )


def _is_nullable(node: Node) -> bool:
    match node:
        case Chars():
            return False
        case Series(items):
            return all(_is_nullable(item) for item in items)
        case Choice(options):
            return any(_is_nullable(option) for option in options)
        case Repeat(item, low):
            return low == 0 or _is_nullable(item)
    return True


def _bound(node: Node, *, last: bool) -> Node:
    """Give every repetition an end, except one with nothing after it: that one never has to go back."""
    match node:
        case Series(items):
            places = [last and place == len(items) - 1 for place in range(len(items))]
            return Series(tuple(_bound(item, last=place) for item, place in zip(items, places, strict=True)))
        case Choice(options):
            return Choice(tuple(_bound(option, last=last) for option in options))
        case Repeat(item, low, None, lazy) if not last:
            return Repeat(_bound(item, last=False), low, max(low, REPEATS), lazy)
        case Repeat(item, low, high, lazy):
            return Repeat(_bound(item, last=False), low, high, lazy)
    return node


def _begins_plainly(node: Node) -> bool:
    first = node.items[:_PLAIN] if isinstance(node, Series) else ()
    is_plain = (isinstance(item, Chars) and sum(high - low + 1 for low, high in item.chars) <= 2 for item in first)
    return len(first) == _PLAIN and all(is_plain)


# --- how much a text can make it try ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is still to be matched: the steps it takes at worst, what it begins with, and whether it can fail at all.

    ``first`` is ``None`` where it isn't known.
    """

    steps: int
    first: Charset | None
    fails: bool


_END = _Rest(0, None, fails=False)


def _measure(node: Node, rest: _Rest) -> _Rest:
    match node:
        case Chars(chars):
            return _Rest(_cap(1 + rest.steps), chars, fails=True)
        case Series(items):
            return reduce(lambda found, item: _measure(item, found), reversed(items), rest)
        case Choice(options):
            found = [_measure(option, rest) for option in options]
            return reduce(_either, found)
        case Repeat():
            return _measure_repeat(node, rest)
    return _Rest(_cap(1 + rest.steps), None, fails=True)


def _measure_repeat(node: Repeat, rest: _Rest) -> _Rest:
    found = rest
    # What can't fail any more never goes back, so how far it could still go costs nothing.
    turns = node.low if not rest.fails else node.low + REPEATS if node.high is None else node.high
    for done in range(turns, 0, -1):
        again = _measure(node.item, found)
        found = again if done <= node.low else _either(again, rest)
        if found.steps >= MOST_STEPS_AFTER_TEXT:
            break
    return found


def _either(one: _Rest, other: _Rest) -> _Rest:
    """Try one thing and then another, at the same place."""
    if not one.fails:
        return one
    known = one.first is not None and other.first is not None
    # Where the next character decides, the one that it doesn't fit fails at once.
    decided = known and other.fails and not overlap(one.first or (), other.first or ())
    steps = 1 + max(one.steps, other.steps) if decided else one.steps + other.steps
    first = unite(one.first or (), other.first or ()) if known else None
    return _Rest(_cap(steps), first, one.fails and other.fails)


def _cap(steps: int) -> int:
    return min(steps, MOST_STEPS_AFTER_TEXT)


# --- writing it anew --------------------------------------------------------------------------------------------------


def _write(node: Node) -> str:
    match node:
        case Edge():
            return node.value
        case Chars(chars):
            return write_charset(chars)
        case Series(items):
            return "".join(f"(?:{_write(item)})" if isinstance(item, Choice) else _write(item) for item in items)
        case Choice(options):
            return "|".join(_write(option) for option in options)
        case Repeat(item, low, high, lazy):
            inner = _write(item) if isinstance(item, Chars) else f"(?:{_write(item)})"
            return f"{inner}{_write_counts(low, high)}{'?' if lazy else ''}"
    raise AssertionError(node)


def _write_counts(low: int, high: int | None) -> str:
    if high is None:
        return {0: "*", 1: "+"}.get(low, f"{{{low},}}")
    if (low, high) == (0, 1):
        return "?"
    return f"{{{low}}}" if low == high else f"{{{low},{high}}}"
