"""Lines that are too long, cut as servers cut theirs: see "What is cut" in docs/telemetry-format.md (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST_TEXT = 256 * 1024
LONGEST_LINE = 1_000_000
"""Characters of a text and of a line, about."""

_LONGEST_LIST = 10_000
_DEEPEST = 32
_NUMBER = 8
_BULKY = ("input", "output", "requestContext")
_TOO_LONG = "[cut: the line is too long]"


def cut_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a line says with long texts and lists cut, and what is nested too deep left out.

    When it is still too long, what comes last goes: ids and names come first, what went in and came out last.
    """
    cutter = _Cutter(LONGEST_LINE)
    order = sorted(data, key=lambda name: (name in _BULKY, isinstance(data[name], Mapping | list | tuple)))
    cut = {name: cutter.cut(data[name], 1) for name in order}
    return {str(name): cut[name] for name in data}


class _Cutter:
    def __init__(self, left: int) -> None:
        self._left = left

    def cut(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._cut_text(value)
        if not isinstance(value, Mapping | list | tuple):
            self._left -= _NUMBER
            return value
        if self._left <= 0:
            return _TOO_LONG
        if depth >= _DEEPEST:
            return "[cut: nested too deep]"
        if isinstance(value, Mapping):
            return self._cut_members(value, depth)
        return self._cut_list(value, depth)

    def _cut_text(self, text: str) -> str:
        most = max(0, min(LONGEST_TEXT, self._left))
        self._left -= min(len(text), most)
        return text if len(text) <= most else f"{text[:most]}… [{len(text) - most} characters cut]"

    def _cut_members(self, members: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        cut: dict[str, Any] = {}
        for name, value in members.items():
            if self._left <= 0:
                cut["[cut]"] = "the line is too long"
                break
            self._left -= len(str(name)) + _NUMBER
            cut[str(name)] = self.cut(value, depth + 1)
        return cut

    def _cut_list(self, values: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        cut: list[Any] = []
        for value in values[:_LONGEST_LIST]:
            if self._left <= 0:
                break
            cut.append(self.cut(value, depth + 1))
        return cut if len(cut) == len(values) else [*cut, f"[{len(values) - len(cut)} more cut]"]
