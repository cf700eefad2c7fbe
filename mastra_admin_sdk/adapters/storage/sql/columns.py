"""Column types that mean the same on SQLite and PostgreSQL, and the one SQL function that keeps ``updated_at`` moving.

Text loses what PostgreSQL refuses (NUL, lone surrogates: both come out of programs' output), times are UTC to the
microsecond, and JSON that can't be read is ``None``, never a crash.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from mastra_admin_sdk.errors import InvalidInput

_SQLITE_TIME = "%Y-%m-%d %H:%M:%S.%f"
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


class CleanText(TypeDecorator[str]):
    """Text that both databases can hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        if not isinstance(value, str):
            raise InvalidInput(f"Text was expected, not {type(value).__name__}.")
        return clean_text(value)


def clean_text(value: str) -> str:
    """Return the text with NUL characters and lone surrogates replaced."""
    value = str.__str__(value).replace("\0", _UNREADABLE)
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class UtcTime(TypeDecorator[datetime]):
    """A moment: ``timestamptz`` on PostgreSQL, text of fixed width (so that it sorts) on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise InvalidInput(f"A time with a time zone was expected, not {value!r}.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON: ``JSONB`` on PostgreSQL, text on SQLite. Text that isn't JSON reads as ``None``."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        plain = make_plain(value)
        return plain if dialect.name == "postgresql" else json.dumps(plain, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if dialect.name == "postgresql" or not isinstance(value, str | bytes):
            return value if dialect.name == "postgresql" else None
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None


def make_plain(value: Any) -> Any:
    """Return a copy made of dicts, lists and scalars that both databases can hold; else raise `InvalidInput`."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {clean_text(str(key)): make_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [make_plain(item) for item in value]
    raise InvalidInput(f"A value of type {type(value).__name__} ({value!r}) can't be stored as JSON.")


class Unsigned(TypeDecorator[int]):
    """An unsigned 64-bit number (inodes are) in a signed column."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return value - 2**64 if value is not None and value >= 2**63 else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return value + 2**64 if value is not None and value < 0 else value


class later(FunctionElement[datetime]):  # noqa: N801
    """``later(old, now)``: now, or a microsecond after ``old`` when the clock hasn't moved past it."""

    type = UtcTime()
    inherit_cache = True
    name = "later"


@compiles(later, "postgresql")
def _compile_for_postgres(element: later, compiler: SQLCompiler, **kw: Any) -> str:
    old, now = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"GREATEST({now}, {old} + INTERVAL '1 microsecond')"


@compiles(later, "sqlite")
def _compile_for_sqlite(element: later, compiler: SQLCompiler, **kw: Any) -> str:
    return f"mastra_later({compiler.process(element.clauses, **kw)})"


def later_text(old: str, now: str) -> str:
    """Answer ``later`` for SQLite, which can't calculate in microseconds; the engine registers it."""
    after = datetime.strptime(old, _SQLITE_TIME) + timedelta(microseconds=1)
    return max(now, after.strftime(_SQLITE_TIME))
