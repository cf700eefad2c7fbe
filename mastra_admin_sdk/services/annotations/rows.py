"""What people write about traces, from keywords or a table: checked, with every fault named by row and column."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from numbers import Real
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.columns import ANNOTATION_PREFIX
from mastra_admin_sdk.services.telemetry.values import is_missing

if TYPE_CHECKING:
    import pandas as pd

Table = Sequence[Mapping[str, Any]]
"""What can be given beside a DataFrame: a list of mappings."""

LONGEST_TEXT = 100_000
_LONGEST_NAME = 200
_SHOWN = 10


class Kind(StrEnum):
    """What is said about a trace or span; its value is the name of the column that holds it."""

    SCORE = "score"
    NOTE = "value"
    LABEL = "label"

    @property
    def comment(self) -> str:
        """The column for the words beside it."""
        return "reason" if self is Kind.SCORE else "comment"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read; others are left alone."""
        return ("trace_id", "span_id", "name", self.value, self.comment, "author", "metadata")


@dataclass(frozen=True, slots=True)
class Annotation:
    """One thing that one author says about a trace, or a span of it; ``removed`` when that is taken back.

    ``place`` is the row of the table that says it, empty where there is no table.
    """

    place: str
    kind: Kind
    trace_id: str
    span_id: str | None
    name: str
    author: str
    value: float | str | None = None
    comment: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    removed: bool = False

    @property
    def id(self) -> str:
        """What it is known by: the same author, name and target have the same, so that the newest replaces others."""
        store = "score" if self.kind is Kind.SCORE else "feedback"
        told = json.dumps([store, self.author, self.name, self.trace_id, self.span_id or ""], ensure_ascii=False)
        return f"{ANNOTATION_PREFIX}{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:32]}"


def read_annotations(
    kind: Kind, table: pd.DataFrame | Table | None, given: Mapping[str, Any], *, author: str, removed: bool = False
) -> list[Annotation]:
    """Return what is said, a row each.

    Parameters:
        table: a DataFrame or list of mappings with the columns of ``kind``; ``None``: one row, of ``given`` alone.
        given: values by column that count for every row; ``None`` values count as not given.
        author: who says it where no author is named.
        removed: what was said is to be taken back; no value is needed.

    Raises:
        InvalidInput: rows can't be used; the message names row and column of the first, its evidence further ones.
    """
    given = {name: value for name, value in given.items() if not is_missing(value)}
    rows = _list_rows(kind, table, given)
    found, faults = [], []
    for place, row in rows:
        try:
            found.append(_read_row(kind, place, {"author": author, **row, **given}, removed=removed))
        except ValueError as exc:
            faults.append(f"{place}, {exc}" if table is not None else str(exc))
    faults += _find_doubles(found)
    if faults:
        raise _refuse(kind, faults)
    return found


def _list_rows(
    kind: Kind, table: pd.DataFrame | Table | None, given: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    if table is None:
        return [("", {})]
    import pandas as pd

    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(list(table))
    _check_columns(kind, [str(name) for name in frame.columns], given, is_empty=frame.empty)
    wanted = [name for name in kind.columns if name in frame.columns]
    records = frame[wanted].to_dict("records")
    return [
        (f"row {label!r}", {str(name): value for name, value in record.items() if not is_missing(value)})
        for label, record in zip(frame.index, records, strict=True)
    ]


def _check_columns(kind: Kind, columns: Sequence[str], given: Mapping[str, Any], *, is_empty: bool) -> None:
    for needed in ("trace_id", *([] if kind is Kind.NOTE else [kind.value])):
        if needed not in columns and needed not in given and not is_empty:
            near = difflib.get_close_matches(needed, columns, n=1)
            raise InvalidInput(
                f"The table has no column {needed!r}.",
                hint=f"Rename {near[0]!r}?" if near else f"Columns that are read: {', '.join(kind.columns)}.",
            )
    if "name" in columns and "start_time" in columns and "name" not in given:
        raise InvalidInput(
            "The table's column 'name' holds the names of spans, so what is written needs a name of its own.",
            hint="Give one for all rows with name=….",
        )


def _read_row(kind: Kind, place: str, row: Mapping[str, Any], *, removed: bool) -> Annotation:
    comment = _read_text(row, kind.comment, LONGEST_TEXT) if kind.comment in row else None
    value = None if removed else _READERS[kind](row, kind.value)
    if kind is Kind.NOTE and value is None and comment is None and not removed:
        raise ValueError("column 'value': it is missing, and so is 'comment'")
    return Annotation(
        place=place,
        kind=kind,
        trace_id=_read_text(row, "trace_id", _LONGEST_NAME),
        span_id=_read_text(row, "span_id", _LONGEST_NAME) if row.get("span_id") else None,
        name=_read_text({"name": _NAMES.get(kind), **row}, "name", _LONGEST_NAME),
        author=_read_text(row, "author", _LONGEST_NAME),
        value=value,
        comment=comment,
        metadata=_read_metadata(row),
        removed=removed,
    )


_NAMES = {Kind.NOTE: "note", Kind.LABEL: "label"}


def _read_text(row: Mapping[str, Any], column: str, most: int) -> str:
    value = row.get(column)
    if is_missing(value):
        raise ValueError(f"column {column!r}: it is missing")
    if not isinstance(value, str):
        raise ValueError(f"column {column!r}: {value!r} is {type(value).__name__}, not text")
    if not value.strip():
        raise ValueError(f"column {column!r}: it is empty")
    if len(value) > most:
        raise ValueError(f"column {column!r}: it has {len(value):,} characters, and {most:,} are the most")
    return value


def _read_score(row: Mapping[str, Any], column: str) -> float:
    value = row.get(column)
    if is_missing(value):
        raise ValueError(f"column {column!r}: it is missing")
    if not isinstance(value, Real) and not hasattr(value, "item"):
        raise ValueError(f"column {column!r}: {value!r} is {type(value).__name__}, not a number")
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError(f"column {column!r}: {value!r} is no finite number")
    return number


def _read_note(row: Mapping[str, Any], column: str) -> float | str | None:
    if is_missing(row.get(column)):
        return None
    return _read_text(row, column, LONGEST_TEXT) if isinstance(row[column], str) else _read_score(row, column)


def _read_label(row: Mapping[str, Any], column: str) -> str:
    return _read_text(row, column, _LONGEST_NAME)


_READERS: Mapping[Kind, Callable[[Mapping[str, Any], str], float | str | None]] = {
    Kind.SCORE: _read_score,
    Kind.NOTE: _read_note,
    Kind.LABEL: _read_label,
}


def _read_metadata(row: Mapping[str, Any]) -> Mapping[str, Any]:
    value = row.get("metadata")
    # A table of spans has their metadata under this name, as JSON text: those say nothing about what is written here.
    if is_missing(value) or isinstance(value, str):
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"column 'metadata': it is {type(value).__name__}, not a mapping")
    return value


def _find_doubles(found: Iterable[Annotation]) -> list[str]:
    first: dict[str, Annotation] = {}
    faults = []
    for item in found:
        other = first.setdefault(item.id, item)
        if other is not item:
            faults.append(
                f"{item.place}, columns 'name', 'trace_id': the same author says it of the same in {other.place}"
            )
    return faults


def _refuse(kind: Kind, faults: Sequence[str]) -> InvalidInput:
    more = f" ({len(faults)} faults in all)" if len(faults) > 1 else ""
    return InvalidInput(
        f"Nothing was written: {faults[0]}{more}.",
        hint=f"Columns that are read: {', '.join(kind.columns)}.",
        evidence={"faults": faults[:_SHOWN]} if len(faults) > 1 else {},
    )
