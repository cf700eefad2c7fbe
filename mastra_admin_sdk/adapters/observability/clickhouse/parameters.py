"""Values in queries: ``%(name)s`` becomes a typed placeholder, and the value travels beside the query, never in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Integral, Real
from typing import Any
from uuid import UUID

from mastra_admin_sdk.errors import InvalidInput

_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"}


@dataclass(frozen=True, slots=True)
class Statement:
    """A query with placeholders ``{name:Type}`` and what they stand for.

    Values are text, numbers as text, or lists of these; `encode` says in which form they travel.
    """

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
    has_fixed_columns: bool = False
    """True when no value changes the types of its columns, as is so for all statements of our own."""


def bind(query: str, parameters: Mapping[str, Any] | None) -> Statement:
    """Return a query whose ``%(name)s`` became typed placeholders; ``%%`` then stands for a per cent sign.

    ClickHouse's own ``{name:Type}`` placeholders may be used as well. Without parameters the query stays as it is.

    Raises:
        InvalidInput: a placeholder has no value, or a value is of a kind that can't be bound.
    """
    if not parameters:
        return Statement(query)
    types = {name: _find_type(name, value) for name, value in parameters.items()}

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "%"
        if name not in types:
            raise InvalidInput(f"The query asks for {match[0]}, and there is no parameter {name!r}.")
        return "NULL" if parameters[name] is None else f"{{{name}:{types[name]}}}"

    values = {name: normalize(value) for name, value in parameters.items() if value is not None}
    return Statement(_PLACEHOLDER.sub(replace, query), values)


def normalize(value: Any) -> Any:
    """Return a value as text or a list of texts and numbers, in the form that ClickHouse reads."""
    if isinstance(value, datetime):
        return _to_utc(value).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | set | frozenset):
        return [normalize(element) for element in value]
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return str(value)


def encode(value: Any) -> str:
    """Return a normalized value as the text of a parameter."""
    # A list is read as it would be in SQL, with its texts in quotes; any other value as a field of a text file.
    return _make_literal(value) if isinstance(value, list) else _escape(str(value))


def _make_literal(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_make_literal(element) for element in value) + "]"
    if isinstance(value, str):
        return "'" + _escape(value).replace("'", "\\'") + "'"
    return str(value)


def _escape(text: str) -> str:
    return "".join(_ESCAPES.get(char, char) for char in text)


def _find_type(name: str, value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return f"Array({_find_element_type(name, list(value))})"
    if value is None:
        return "Nothing"
    for kind, found in _TYPES:
        if isinstance(value, kind):
            return found
    raise InvalidInput(
        f"The parameter {name!r} is a {type(value).__name__}, which can't be bound.",
        hint="Give text, a number, a date, a datetime, a UUID, or a list of these.",
    )


def _find_element_type(name: str, elements: Sequence[Any]) -> str:
    types = {_find_type(name, element) for element in elements}
    if len(types) > 1:
        if types <= {"Int64", "Float64"}:
            return "Float64"
        raise InvalidInput(f"The list {name!r} mixes {', '.join(sorted(types))}: give elements of one kind.")
    return types.pop() if types else "String"


# A bool is an int and a datetime is a date: what is narrower comes first.
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "Bool"),
    (Integral, "Int64"),
    (Decimal, "Decimal(38, 10)"),
    (Real, "Float64"),
    (str, "String"),
    (datetime, "DateTime64(6, 'UTC')"),
    (date, "Date"),
    (UUID, "UUID"),
)


def _to_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidInput(
            f"The time {moment.isoformat()} has no time zone.", hint="Add one, such as datetime(…, tzinfo=UTC)."
        )
    return moment.astimezone(UTC)
