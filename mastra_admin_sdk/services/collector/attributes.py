"""Attributes of OpenTelemetry: flat, named with dots, and read by the first name that is there."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

_NUMBERED = re.compile(r"(\d{1,4})\.(.+)")
_JSON_STARTS = ("{", "[")
_DEEPEST = 12


class Attributes:
    """Attributes, and which of them found their place; the `rest` is kept under its own names."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given, self._moved = given, set[str]()

    def find(self, names: Iterable[str]) -> Any:
        """Return the first value that is there, ``None`` when none is."""
        return next((self._given[name] for name in names if self._given.get(name) not in (None, "")), None)

    def find_text(self, names: Iterable[str]) -> str | None:
        """Return the first value that is there as text."""
        found = self.find(names)
        return None if found is None else found if isinstance(found, str) else json.dumps(found, default=str)

    def find_count(self, names: Iterable[str]) -> int | None:
        """Return the first value that is a whole number."""
        found = [as_count(self._given.get(name)) for name in names]
        return next((count for count in found if count is not None), None)

    def take(self, names: Iterable[str]) -> Any:
        """Return the first value that is there, JSON in a text as what it is; it is moved, and isn't in the rest."""
        for name in names:
            if self._given.get(name) is not None:
                self._moved.add(name)
                return read_json(self._given[name])
        return None

    def take_below(self, prefix: str) -> dict[str, Any]:
        """Return what is named with a prefix and wasn't moved yet, by the names behind it; it is moved."""
        names = [name for name in self._given if name.startswith(prefix) and name != prefix and name not in self._moved]
        self._moved.update(names)
        return {name[len(prefix) :]: read_json(self._given[name]) for name in names}

    def take_numbered(self, prefixes: Iterable[str]) -> list[Any]:
        """Return a list that was flattened: ``<prefix>0.role``, ``<prefix>0.content``, ``<prefix>1.role`` …"""
        for prefix in prefixes:
            items: dict[int, dict[str, Any]] = {}
            for name, value in self._given.items():
                if name.startswith(prefix) and (match := _NUMBERED.fullmatch(name[len(prefix) :])):
                    self._moved.add(name)
                    items.setdefault(int(match[1]), {})[match[2].removeprefix("message.")] = read_json(value)
            if items:
                return [nest(items[number]) for number in sorted(items)]
        return []

    def rest(self) -> dict[str, Any]:
        """Return what wasn't moved, nested by its dots."""
        return nest({name: value for name, value in self._given.items() if name not in self._moved})


def nest(flat: Mapping[str, Any], *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return attributes as objects in objects: ``http.request.method`` becomes ``{"http": {"request": {"method"``.

    So paths into them read the same as OpenTelemetry's names. A name that is also the beginning of another one, such as
    ``a`` beside ``a.b``, stays beside it as it is: ``{"a": 1, "a.b": 2}``.
    """
    nested: dict[str, Any] = {}
    made: set[int] = {id(nested)}
    for name in sorted(flat):
        if name in without:
            continue
        place, parts = nested, name.split(".")
        if len(parts) > _DEEPEST or not all(parts):
            parts = [name]
        for index, part in enumerate(parts[:-1]):
            if part not in place:
                place[part] = {}
                made.add(id(place[part]))
            elif id(place[part]) not in made:
                parts = [*parts[:index], ".".join(parts[index:])]
                break
            place = place[part]
        place[parts[-1]] = flat[name]
    return nested


def read_json(value: Any) -> Any:
    """Return what JSON in a text says; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip()[:1].startswith(_JSON_STARTS):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def as_count(value: Any) -> int | None:
    """Return a whole number of something, ``None`` for what is none."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 16:
        return int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < 1e15 else None


def as_list(value: Any) -> Sequence[Any]:
    """Return a list as it is, and anything else as a list of it."""
    return value if isinstance(value, list) else [] if value is None else [value]


def to_camel(name: str) -> str:
    """Return ``step_index`` as ``stepIndex``."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def drop_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields without those that say nothing."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
