"""Rows and records: a codec per record class, made once from the types of its fields."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeVar

from sqlalchemy import RowMapping

from mastra_admin_sdk.errors import InvalidInput, StorageError
from mastra_admin_sdk.models import EnvVar

Record = TypeVar("Record")
Converter = Callable[[Any], Any]


class Codec(Generic[Record]):
    """Turns records of one dataclass into values for its table and rows back into records.

    Parameters:
        kind: the dataclass; its fields are the table's columns.
        frozen: names of fields that an update must not touch.
    """

    def __init__(self, kind: type[Record], *, frozen: Sequence[str] = ()) -> None:
        self.kind = kind
        self.frozen = frozenset(frozen)
        self.noun = kind.__name__.lower()

    def encode(self, record: Record) -> dict[str, Any]:
        """Return all values of a record, by column name."""
        return {name: self.encode_value(name, getattr(record, name)) for name in self._converters}

    def encode_changes(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of an update; `InvalidInput` for a field that is unknown or not for it to change."""
        for name in changes:
            if name not in self._converters:
                raise InvalidInput(
                    f"A {self.noun} has no field {name!r}.", hint=f"Its fields: {', '.join(self._converters)}."
                )
            if name in self.frozen:
                raise InvalidInput(f"The field {name!r} of a {self.noun} can't be changed by an update.")
        return {name: self.encode_value(name, value) for name, value in changes.items()}

    def decode(self, row: RowMapping) -> Record:
        """Return the record that a row holds."""
        try:
            return self.kind(**{name: decode(row[name]) for name, (_, decode) in self._converters.items()})
        except (TypeError, ValueError) as exc:
            raise StorageError(
                f"A {self.noun} in the database can't be read: {exc}.",
                hint="Was it written by a newer version of mastra-admin-sdk? Upgrade this one.",
            ) from exc

    def encode_value(self, name: str, value: Any) -> Any:
        """Return one field's value as its column takes it."""
        encode, _ = self._converters[name]
        try:
            return encode(value)
        except (TypeError, ValueError, AttributeError) as exc:
            # The value itself stays out of the message: it may be a secret.
            raise InvalidInput(
                f"The field {name!r} of a {self.noun} can't be set to a value of type {type(value).__name__}: "
                f"{_explain(value, exc)}."
            ) from exc

    @cached_property
    def _converters(self) -> dict[str, tuple[Converter, Converter]]:
        hints = typing.get_type_hints(self.kind)
        return {field.name: _find_converters(hints[field.name]) for field in fields(self.kind)}  # type: ignore[arg-type]


def _explain(value: Any, exc: Exception) -> str:
    return str(exc) if isinstance(value, StrEnum | str | type(None)) else "it has the wrong form"


def _find_converters(hint: Any) -> tuple[Converter, Converter]:
    if hint is Any:
        return _same, _same
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    encode, decode = _find_plain_converters(options[0])
    if type(None) in options:
        return _pass_none(encode), _pass_none(decode)
    return encode, decode


def _find_plain_converters(hint: Any) -> tuple[Converter, Converter]:
    if typing.get_origin(hint) is tuple:
        return _find_list_converters(typing.get_args(hint)[0])
    if typing.get_origin(hint) is Mapping:
        return _encode_mapping, _decode_mapping
    if issubclass(hint, StrEnum):
        return lambda value: hint(value).value, hint
    if hint is float:
        return _encode_float, float
    return lambda value: _check_type(value, hint), hint if hint is bool else _same


def _find_list_converters(item: Any) -> tuple[Converter, Converter]:
    if item is EnvVar:
        return _encode_env, decode_env
    if issubclass(item, StrEnum):
        return lambda value: encode_statuses(item, value), lambda value: _decode_choices(item, value)
    return _encode_texts, _decode_texts


def _pass_none(convert: Converter) -> Converter:
    return lambda value: None if value is None else convert(value)


def _same(value: Any) -> Any:
    return value


def _check_type(value: Any, kind: type) -> Any:
    right = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not right:
        raise TypeError(f"{kind.__name__} is needed")
    if kind is int and not -(2**63) <= value < 2**64:
        raise ValueError("the number is too large")
    if kind is datetime and value.tzinfo is None:
        raise ValueError("the time has no time zone")
    return value


def _encode_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("a finite number is needed")
    return float(value)


def _encode_mapping(value: Mapping[str, Any]) -> dict[str, Any]:
    return {**value}


def _decode_mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _encode_texts(value: Sequence[str]) -> list[str]:
    if isinstance(value, str):
        raise TypeError("a list of texts is needed")
    return [_check_type(item, str) for item in value]


def _decode_texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _decode_choices(kind: type[StrEnum], value: Any) -> tuple[StrEnum, ...]:
    known = {member.value: member for member in kind}
    return tuple(known[item] for item in _decode_texts(value) if item in known)


def _encode_env(value: Sequence[EnvVar]) -> list[dict[str, Any]]:
    return [
        {
            "key": _check_type(item.key, str),
            "encrypted_value": _check_type(item.encrypted_value, str),
            "is_secret": bool(item.is_secret),
        }
        for item in value
    ]


def decode_env(value: Any) -> tuple[EnvVar, ...]:
    """Return the variables of a JSON list, without what isn't one."""
    items = value if isinstance(value, list) else []
    return tuple(
        # Whoever can't tell whether a value is secret treats it as one.
        EnvVar(item["key"], item["encrypted_value"], item.get("is_secret") is not False)
        for item in items
        if isinstance(item, dict) and isinstance(item.get("key"), str) and isinstance(item.get("encrypted_value"), str)
    )


def encode_statuses(kind: type[StrEnum], statuses: Any) -> list[str]:
    """Return the values of statuses; `InvalidInput` for one that ``kind`` doesn't know."""
    try:
        return [kind(status).value for status in statuses]
    except (TypeError, ValueError) as exc:
        raise InvalidInput(f"{statuses!r} isn't a list of {kind.__name__}.", hint=f"Known: {', '.join(kind)}.") from exc
