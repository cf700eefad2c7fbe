"""Copies of what a line says without what must not be stored: secrets, named fields, and what patterns match."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .names import fold_name, hides, is_secret_name
from .texts import MARK, hide_assignments, is_suspicious

IDS = frozenset(
    {
        *("id", "traceId", "spanId", "parentSpanId", "metricId", "scoreId", "feedbackId", "logId"),
        *("type", "entityType", "startTime", "endTime", "timestamp", "level", "source", "isEvent", "isRootSpan"),
    }
)
"""Fields of a record that are always stored as they are: without them it could not be stored at all."""

KEPT = frozenset({"name", "value", "score", "scorerName", "scorerId", "feedbackType"})
"""Fields of a record that hiding by name leaves alone, as they are what the record is about; patterns apply."""

_HEX = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
_JSON = re.compile(r"\s*[\[{][\s\S]*[\]}]\s*")
_DEEPEST = 100
_PAIR_MEMBERS = 4


class Cleaner:
    """Hides things in records.

    Parameters:
        fields: names of fields, folded, or paths of them with dots: ``email``, ``user.name``.
        patterns: regular expressions as `patterns.compile_pattern` returns them.
    """

    def __init__(self, fields: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self._fields: dict[str, list[tuple[str, ...]]] = {}
        for field in fields:
            path = tuple(field.split("."))
            self._fields.setdefault(path[-1], []).append(path)
        self._patterns = [re.compile(pattern) for pattern in patterns]
        self._mention = _find_mentions(self._fields)

    def clean_record(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of a line's ``data`` that may be stored."""
        return {
            key: value if key in IDS and not isinstance(value, Mapping | list) else self._clean_top(key, value)
            for key, value in data.items()
        }

    def clean(self, value: Any) -> Any:
        """Return a copy of any JSON value that may be stored."""
        return self._copy(value, (), 0)

    def clean_text(self, text: str) -> str:
        """Return a text that may be stored. JSON in it is cleaned as what it is."""
        return self._clean_text(text, 0)

    def _clean_top(self, key: str, value: Any) -> Any:
        return self._copy(value, (fold_name(key),), 1) if key in KEPT else self._clean_member(key, value, (), 0)

    def _copy(self, value: Any, path: tuple[str, ...], depth: int) -> Any:
        """Copy a value below the names of ``path``; ``depth`` counts the lists above it too, which have no names."""
        if isinstance(value, str):
            return self._clean_text(value, depth)
        if depth > _DEEPEST:
            return "[cut: nested too deep]"
        if isinstance(value, Mapping):
            return self._copy_members(value, path, depth)
        if isinstance(value, list | tuple):
            return self._copy_list(value, path, depth)
        return value

    def _copy_list(self, values: Sequence[Any], path: tuple[str, ...], depth: int) -> list[Any]:
        is_pair = len(values) == 2 and all(isinstance(value, str) for value in values)
        if is_pair and self._hides(values[0], values[1], path):
            return [values[0], MARK]
        return [self._copy(value, path, depth + 1) for value in values]

    def _copy_members(self, members: Mapping[Any, Any], path: tuple[str, ...], depth: int) -> dict[str, Any]:
        named = self._names_hidden(members, path)
        copy: dict[str, Any] = {}
        for key, value in members.items():
            name = self._clean_key(str(key), copy)
            copy[name] = MARK if named and key == "value" else self._clean_member(str(key), value, path, depth)
        return copy

    def _clean_key(self, key: str, copy: Mapping[str, Any]) -> str:
        """Return a name without what patterns match; two that become the same are numbered."""
        if not self._patterns or (clean := self._apply(key)) == key:
            return key
        place, free = 1, clean
        while free in copy:
            place += 1
            free = f"{clean} {place}"
        return free

    def _clean_member(self, key: str, value: Any, path: tuple[str, ...], depth: int) -> Any:
        if self._hides(key, value, path):
            return MARK
        if key in IDS and isinstance(value, str) and _HEX.fullmatch(value):
            return value
        return self._copy(value, (*path, fold_name(key)), depth + 1)

    def _hides(self, name: str, value: Any, path: tuple[str, ...]) -> bool:
        if hides(name, value):
            return True
        wanted = self._fields.get(fold_name(name)) if self._fields and value is not None else None
        if wanted is None:
            return False
        here = (*path, fold_name(name))
        return any(here[-len(field) :] == field for field in wanted)

    def _names_hidden(self, members: Mapping[Any, Any], path: tuple[str, ...]) -> bool:
        """True for a header or variable as an object: ``{"name": "authorization", "value": "Bearer …"}``."""
        if len(members) > _PAIR_MEMBERS or "value" not in members:
            return False
        name = members.get("name", members.get("key"))
        return isinstance(name, str) and (is_secret_name(name) or self._hides(name, members["value"], path))

    def _clean_text(self, text: str, depth: int) -> str:
        suspicious = is_suspicious(text)
        if suspicious or (self._mention and self._mention(text)):
            clean = self._clean_json(text, depth) if depth <= _DEEPEST and _JSON.fullmatch(text) else None
            if clean is not None:
                return clean
            text = hide_assignments(text) if suspicious else text
        return self._apply(text)

    def _clean_json(self, text: str, depth: int) -> str | None:
        """Return JSON cleaned as what it is, ``None`` when it is no JSON; the text as it was when it held nothing."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        clean = self._copy(value, (), depth)
        return text if clean == value else json.dumps(clean, ensure_ascii=False, separators=(",", ":"))

    def _apply(self, text: str) -> str:
        for pattern in self._patterns:
            text = pattern.sub(MARK, text)
        return text


def _find_mentions(fields: Mapping[str, Any]) -> Callable[[str], Any] | None:
    """Return what tells, cheaply, whether JSON in a text may have one of the fields."""
    if not fields:
        return None
    spellings = ("[^A-Za-z0-9]?".join(map(re.escape, name)) for name in fields)
    return re.compile("|".join(spellings), re.IGNORECASE).search
