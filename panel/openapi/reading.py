"""Reading requests: queries and bodies as models, with one way to say which field is wrong.

Both are validated as JSON, strictly: a query's text becomes a number or a boolean only where the model wants one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from flask import request
from pydantic import ValidationError

from mastra_admin_sdk.errors import InvalidInput, NotFound

from ..api.schemas.base import Body, Query
from ..principals import current_principal
from ..problems import Refused

_Body = TypeVar("_Body", bound=Body)
_Query = TypeVar("_Query", bound=Query)

_JSON = "application/json"
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,3})?", re.ASCII)
_KEY = re.compile(r"[!-~]{1,200}")
_MOST_FIELDS = 20


def read_query(kind: type[_Query]) -> _Query:
    """Return the query of this request as a model.

    Raises:
        InvalidInput: a parameter isn't known, is given twice, or has a value that it can't have.
    """
    given = {name: _read_values(kind, name, values) for name, values in request.args.lists()}
    try:
        # JSON can't hold a lone surrogate, so none gets through.
        found = kind.model_validate_json(json.dumps(given))
    except ValidationError as exc:
        raise _explain(exc, "query") from exc
    _refuse_nul(given)
    return found


def read_body(kind: type[_Body]) -> _Body:
    """Return the body of this request as a model.

    Raises:
        Refused: it is no JSON (400), or of another type (415).
        InvalidInput: a field isn't known, is missing, or has a value that it can't have.
    """
    data = request.get_data(cache=False)
    if not data and is_optional(kind):
        return kind()
    if request.mimetype != _JSON:
        said = request.mimetype[:80] or "of no type"
        raise Refused(
            415,
            "unsupported_media_type",
            f"The body is {said}; this takes {_JSON}.",
            hint=f"Send the header Content-Type: {_JSON}.",
        )
    try:
        found = kind.model_validate_json(data)
    except ValidationError as exc:
        raise _explain(exc, "body") from exc
    if b"\\u0000" in data:
        _refuse_nul(json.loads(data))
    return found


def read_idempotency_key() -> str | None:
    """Return what a request says to be its name, so that it counts once however often it comes.

    The name of who asks is a part of it: two that choose the same one don't get into each other's way.

    Raises:
        InvalidInput: it can't be one.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise make_field_error({"Idempotency-Key": "It takes 1 to 200 printable characters of ASCII, without blanks."})
    return None if key is None else f"{current_principal().name} {key}"


def is_optional(kind: type[Body]) -> bool:
    """True when a request may leave its body away: nothing in it has to be said."""
    return not any(field.is_required() for field in kind.model_fields.values())


def refuse_body() -> None:
    """Raise `InvalidInput` when a request brings a body to what takes none; an empty object says nothing either."""
    # Read in any case, so that the connection can be used again.
    if request.get_data(cache=False).strip() not in {b"", b"{}"}:
        raise InvalidInput("This takes no body.", hint="Send it without one.", evidence={"fields": {"body": "None."}})


def check_path(parts: Mapping[str, Any]) -> None:
    """Raise `NotFound` for a path that can't name anything."""
    for name, value in parts.items():
        if isinstance(value, str) and not _is_text(value):
            kind = name.removesuffix("_id").replace("_", " ")
            raise NotFound(f"There is no {kind} {value[:40]!a}.")


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)


def _read_values(kind: type[Query], name: str, values: list[str]) -> Any:
    wanted = _list_types(kind).get(name, {"string"})
    if "array" in wanted:
        return values
    # Given twice it stays a list, which no other field takes.
    return _convert(values[0], wanted) if len(values) == 1 else values


def _convert(text: str, wanted: set[str]) -> Any:
    if "boolean" in wanted and text in {"true", "false"}:
        return text == "true"
    if "integer" in wanted and _WHOLE.fullmatch(text):
        return int(text)
    if "number" in wanted and _NUMBER.fullmatch(text):
        return float(text)
    return text


@lru_cache(maxsize=256)
def _list_types(kind: type[Query]) -> dict[str, set[str]]:
    """Return the JSON types that each parameter may have."""
    properties = kind.model_json_schema().get("properties", {})
    return {name: set(_find_types(field)) for name, field in properties.items()}


def _find_types(field: Mapping[str, Any]) -> Iterator[str]:
    for choice in field.get("anyOf", [field]):
        yield choice.get("type", "string")


def _explain(error: ValidationError, where: str) -> Exception:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if any(problem["type"] == "json_invalid" for problem in problems):
        message = problems[0]["msg"].removeprefix("Invalid JSON: ")
        return Refused(400, "invalid_json", f"The {where} is no JSON: {message}.", hint="Send it as JSON in UTF-8.")
    fields = {_name(problem["loc"], where): _word(problem) for problem in problems[:_MOST_FIELDS]}
    return make_field_error(fields)


def make_field_error(fields: Mapping[str, str]) -> InvalidInput:
    """Return the error that says of each field of a request what is wrong with it."""
    names = ", ".join(list(fields)[:5])
    first = next(iter(fields.values()), "")
    message = f"{names}: {first}" if len(fields) == 1 else f"{len(fields)} fields can't be used: {names}."
    return InvalidInput(message, evidence={"fields": dict(fields)})


def _name(place: tuple[int | str, ...], where: str) -> str:
    text = ".".join(str(part)[:100] for part in place) or where
    # What was sent as a name comes back: nothing in it may break the answer or a terminal.
    return "".join(char if char.isprintable() else "?" for char in text)[:200]


def _word(problem: Any) -> str:
    kind, message = problem["type"], str(problem["msg"])
    if kind == "extra_forbidden":
        return "There is no such field."
    if kind == "missing":
        return "It is missing."
    message = (
        message.removeprefix("Value error, ").replace("Input should", "It should").replace("String should", "It should")
    )
    return message if message.endswith(".") else f"{message}."


def _refuse_nul(given: Any) -> None:
    found = {".".join(place) or "body": "It holds a NUL." for place, text in _list_texts(given, ()) if "\0" in text}
    if found:
        raise make_field_error({_name((place,), "body"): said for place, said in found.items()})


def _list_texts(given: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(given, str):
        yield place, given
    elif isinstance(given, dict):
        for key, value in given.items():
            yield place, key
            yield from _list_texts(value, (*place, key))
    elif isinstance(given, list):
        for number, value in enumerate(given):
            yield from _list_texts(value, (*place, str(number)))
