"""Version ranges as npm writes them: ``>=22.13 <25``, ``^24 || ~22.15``, ``20.x``, ``18 - 22``.

Pre-releases are ordered before their release and count as inside a range when they lie between its ends. npm leaves
them out unless a range names one, which would make every pre-release of Mastra match nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_VERSION = re.compile(r"[v=\s]*(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\s*")
_PART = r"(?:\d+|[xX*])"
_PARTIAL = rf"[v=]*({_PART})(?:\.({_PART})(?:\.({_PART})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)?)?"
_COMPARATOR = re.compile(rf"(\^|~>?|>=|<=|>|<|=)?\s*{_PARTIAL}")
_HYPHEN = re.compile(rf"\s*{_PARTIAL}\s+-\s+{_PARTIAL}\s*")

_Groups = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A semantic version that sorts as npm orders versions. ``rank`` holds the pre-release in sortable form."""

    major: int
    minor: int
    patch: int
    rank: tuple[tuple[int, int, str], ...] = ((9, 0, ""),)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


_RELEASE = ((9, 0, ""),)
# Below every pre-release of the same number: an empty rank sorts first.
_FIRST: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: Version | None = None
    high: Version | None = None
    low_open: bool = False
    high_open: bool = True

    def holds(self, version: Version) -> bool:
        if self.low is not None and (version < self.low or (self.low_open and version == self.low)):
            return False
        return self.high is None or version < self.high or (not self.high_open and version == self.high)


def parse_version(text: str) -> Version | None:
    """Return a version such as ``v22.15.0`` or ``1.2.3-beta.4``, or ``None`` when the text isn't one."""
    match = _VERSION.fullmatch(text)
    if not match:
        return None
    major, minor, patch, pre = match.groups()
    return Version(int(major), int(minor), int(patch), _rank(pre))


def satisfies(version: str, wanted: str) -> bool:
    """True when a version lies in a range.

    Raises:
        ValueError: the version or the range isn't written as npm writes them.
    """
    parsed = parse_version(version)
    if parsed is None:
        raise ValueError(f"{version!r} is not a version.")
    alternatives = [list(_parse_alternative(part)) for part in wanted.split("||")]
    return any(all(bounds.holds(parsed) for bounds in group) for group in alternatives)


def _parse_alternative(text: str) -> Iterator[_Bounds]:
    if match := _HYPHEN.fullmatch(text):
        groups = match.groups()
        yield _bounds_of(">=", groups[:4])
        yield _bounds_of("<=", groups[4:])
        return
    rest = text.strip()
    while rest:
        match = _COMPARATOR.match(rest)
        if not match:
            raise ValueError(f"{text.strip()!r} is not a version range.")
        yield _bounds_of(match[1] or "", match.groups()[1:])
        rest = rest[match.end() :].lstrip(" ,")


def _bounds_of(operator: str, groups: _Groups) -> _Bounds:
    given = [int(part) for part in groups[:3] if part and part not in "xX*"]
    if not given:
        return _Bounds(high=Version(0, 0, 0, _FIRST)) if operator in {"<", ">"} else _Bounds()
    major, minor, patch = (*given, 0, 0)[:3]
    low = Version(major, minor, patch, _rank(groups[3]))
    after = _next(given)
    is_full = len(given) == 3
    match operator:
        case ">=":
            return _Bounds(low=low)
        case ">":
            return _Bounds(low=low, low_open=True) if is_full else _Bounds(low=after)
        case "<":
            return _Bounds(high=low if is_full else Version(low.major, low.minor, low.patch, _FIRST))
        case "<=":
            return _Bounds(high=low, high_open=False) if is_full else _Bounds(high=after)
        case "^":
            return _Bounds(low=low, high=_next(_caret_parts(given)))
        case "~" | "~>":
            return _Bounds(low=low, high=_next(given[:2]))
        case _:
            return _Bounds(low=low, high=low, high_open=False) if is_full else _Bounds(low=low, high=after)


def _caret_parts(given: list[int]) -> list[int]:
    """Return the leading parts that a caret keeps: up to the first that isn't zero."""
    for index, part in enumerate(given):
        if part:
            return given[: index + 1]
    return given


def _next(parts: list[int]) -> Version:
    """Return the first version after all that begin with these parts; its own pre-releases are already after them."""
    major, minor, patch = (*parts[:-1], parts[-1] + 1, 0, 0)[:3]
    return Version(major, minor, patch, _FIRST)


def _rank(pre: str | None) -> tuple[tuple[int, int, str], ...]:
    if pre is None:
        return _RELEASE
    return tuple((1, int(part), "") if part.isdigit() else (2, 0, part) for part in pre.split("."))
