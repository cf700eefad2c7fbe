"""DataFrames as CSV, JSON and text: exact, and in parts, so that a long result needs little memory."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .tables import Column, render_table

if TYPE_CHECKING:
    import pandas as pd

_ROWS_AT_ONCE = 5_000


def iterate_csv(frame: pd.DataFrame, *, has_names: bool = True) -> Iterator[str]:
    """Yield a DataFrame as CSV in parts: RFC 4180, names first, ISO 8601 times, full numbers, empty for null."""
    if has_names:
        yield _write_csv([list(map(str, frame.columns))])
    for rows in _iterate_rows(frame):
        yield _write_csv([[to_csv_value(value) for value in row] for row in rows])


def write_csv(parts: Iterable[str]) -> None:
    """Write CSV to stdout as it comes."""
    # Bytes: neither the terminal's encoding nor its line ends may change what is written.
    stream = sys.stdout.buffer
    for part in parts:
        stream.write(part.encode("utf-8", errors="surrogateescape"))
    stream.flush()


def iterate_records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield each row as a dict of JSON values."""
    names = list(map(str, frame.columns))
    for rows in _iterate_rows(frame):
        for row in rows:
            yield dict(zip(names, map(to_json_value, row), strict=True))


def render_frame(frame: pd.DataFrame, width: int) -> list[str]:
    """Return a DataFrame as lines of a table; what is too wide is cut, and ends in ``…``."""
    if frame.empty:
        return [f"No rows ({', '.join(map(str, frame.columns))})"]
    rows = [[_to_cell(value) for value in row] for part in _iterate_rows(frame) for row in part]
    numeric = [kind.kind in "iuf" if hasattr(kind, "kind") else False for kind in frame.dtypes]
    columns = [Column(str(name), shrink=True, right=right) for name, right in zip(frame.columns, numeric, strict=True)]
    return render_table(columns, rows, width=width)


def to_csv_value(value: Any) -> str:
    """Return one value as CSV text; null is empty, true and false are words, lists and objects are JSON."""
    plain = to_json_value(value)
    if plain is None:
        return ""
    if isinstance(plain, str):
        return plain
    if isinstance(plain, float):
        return repr(plain)
    return json.dumps(plain, ensure_ascii=False, default=str)


def to_json_value(value: Any) -> Any:
    """Return one value of a DataFrame as JSON can hold it: null for what isn't there, ISO text for times."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if hasattr(value, "isoformat"):
        # NaT is no time, and is the only one that differs from itself.
        return value.isoformat() if value == value else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if type(value).__name__ == "NAType":
        return None
    if hasattr(value, "tolist"):  # a number or an array of NumPy
        found = value.tolist()
        return [to_json_value(item) for item in found] if isinstance(found, list) else to_json_value(found)
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json_value(item) for key, item in value.items()}
    return str(value)


def _to_cell(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.15g}"
    return to_csv_value(value)


def _iterate_rows(frame: pd.DataFrame) -> Iterator[list[tuple[Any, ...]]]:
    for start in range(0, len(frame), _ROWS_AT_ONCE):
        # Column by column as objects: a row of mixed types would turn whole numbers into fractions.
        part = frame.iloc[start : start + _ROWS_AT_ONCE]
        columns = [part.iloc[:, place].astype(object).tolist() for place in range(part.shape[1])]
        yield list(zip(*columns, strict=True))


def _write_csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
