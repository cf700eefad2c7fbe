"""Rows of DataFrames as values that JSON and templates know."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def list_records(frame: pd.DataFrame, *, as_json: bool = False) -> list[dict[str, Any]]:
    """Return a dict a row: Python's own values, ``None`` for what isn't there or is no number.

    Parameters:
        frame: what the SDK answered.
        as_json: times as text, ISO 8601 in UTC to the millisecond, instead of datetimes.
    """
    columns = [_list_cells(frame[name], as_json) for name in frame.columns]
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _list_cells(column: pd.Series[Any], as_json: bool) -> list[Any]:
    cells = column.astype(object).where(column.notna(), None).tolist()
    return [_convert(cell, as_json) for cell in cells]


def _convert(cell: Any, as_json: bool) -> Any:
    if hasattr(cell, "to_pydatetime"):
        cell = cell.to_pydatetime()
    if as_json and isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return cell
