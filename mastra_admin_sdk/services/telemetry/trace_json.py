"""A trace as JSON text and back (pure)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import FEEDBACK_COLUMNS, LOG_COLUMNS, SCORE_COLUMNS, SPAN_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "mastra-admin/trace"
VERSION = 1
KEPT: Mapping[str, tuple[str, ...]] = {
    "spans": SPAN_COLUMNS,
    "logs": LOG_COLUMNS,
    "scores": SCORE_COLUMNS,
    "feedback": FEEDBACK_COLUMNS,
}
"""What is in it, with the columns that each has at least."""

_DTYPES = ("category", "object", "float64", "Int64", "int64", "bool", "boolean")


def dump_trace(facts: Mapping[str, Any], frames: Mapping[str, pd.DataFrame], *, indent: int | None = None) -> str:
    """Return a trace as JSON: the facts, then rows of each frame as objects, then the dtypes of their columns.

    Times are ISO 8601 with their zone, what isn't there is null, and texts are as they are stored.
    """
    value = {
        "format": FORMAT,
        "version": VERSION,
        **facts,
        **{name: _list_rows(frame) for name, frame in frames.items()},
        "dtypes": {name: {str(key): str(kind) for key, kind in frame.dtypes.items()} for name, frame in frames.items()},
    }
    return json.dumps(value, indent=indent, default=str)


def load_trace(text: str) -> tuple[str, dict[str, pd.DataFrame], float | None, str]:
    """Return the id, the frames, the cost and its currency of a trace that `dump_trace` made.

    Raises:
        InvalidInput: it is no such text.
    """
    try:
        value = json.loads(text)
        if value["format"] != FORMAT or value["version"] != VERSION:
            raise InvalidInput(
                f"This is {str(value['format'])[:60]!r} in version {str(value['version'])[:20]!r}, "
                f"not {FORMAT!r} in version {VERSION}.",
                hint="Read it with the version of MastraAdmin that wrote it.",
            )
        frames = {name: _make_frame(value.get(name) or [], _read_dtypes(value, name)) for name in KEPT}
        tokens = value.get("tokens") or {}
        cost = None if tokens.get("cost") is None else float(tokens["cost"])
        return str(value["trace_id"]), frames, cost, str(tokens.get("currency") or "USD")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise InvalidInput(
            f"The text is no trace in JSON: {type(exc).__name__} {str(exc)[:200]}.", hint="Trace.to_json makes one."
        ) from exc


def _read_dtypes(value: Mapping[str, Any], name: str) -> dict[str, str]:
    told = (value.get("dtypes") or {}).get(name) or {}
    return {**dict.fromkeys(KEPT[name], "object"), **told}


def _list_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {str(name): _list_cells(frame[name]) for name in frame.columns}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _list_cells(column: pd.Series[Any]) -> list[Any]:
    return [
        _to_json(cell) if there else None for cell, there in zip(column.astype(object), column.notna(), strict=True)
    ]


def _to_json(cell: Any) -> Any:
    if cell is None or isinstance(cell, str | bool | list | dict):
        return cell
    if isinstance(cell, int | float):
        return cell if math.isfinite(cell) else None
    return cell.isoformat() if hasattr(cell, "isoformat") else cell.item() if hasattr(cell, "item") else str(cell)


def _make_frame(rows: list[dict[str, Any]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: _make_column([row.get(name) for row in rows], kind) for name, kind in dtypes.items()})


def _make_column(cells: list[Any], kind: str) -> pd.Series[Any]:
    import pandas as pd

    series = pd.Series(cells, dtype=object)
    if kind.startswith("datetime64"):
        return pd.to_datetime(series, utc=True, format="ISO8601").astype("datetime64[ms, UTC]")
    if kind == "category":
        known = pd.Index(list(dict.fromkeys(cell for cell in cells if cell is not None)), dtype=object)
        return pd.Series(pd.Categorical(cells, categories=known))
    return series.astype(kind) if kind in _DTYPES else series  # type: ignore[call-overload]
