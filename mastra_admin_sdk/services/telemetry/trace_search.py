"""Which spans of a trace match (pure)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

_STATES = ("ok", "error", "running")
_NAMED_BY = ("name", "entity_name", "entity_id")
_TEXTS = ("name", "input", "output", "error")


def pick_spans(
    frame: pd.DataFrame,
    *,
    name: str | Collection[str] | None = None,
    type: str | Collection[str] | None = None,
    status: str | Collection[str] | None = None,
    text: str | None = None,
) -> pd.DataFrame:
    """Return the rows that match all that is given; see `Trace.find`."""
    import pandas as pd

    wanted = pd.Series(True, index=frame.index)
    for state in _as_set(status):
        if state not in _STATES:
            raise InvalidInput(f"{state!r} is no status.", hint=f"There are: {', '.join(_STATES)}.")
    if name is not None:
        wanted &= _any(frame, _NAMED_BY, lambda column: column.isin(_as_set(name)))
    for column, value in (("type", type), ("status", status)):
        if value is not None:
            wanted &= frame[column].isin(_as_set(value))
    if text is not None:
        low = text.casefold()
        wanted &= _any(frame, _TEXTS, lambda column: column.map(lambda cell: _contains(cell, low)).astype(bool))
    return frame[wanted].reset_index(drop=True)


def _any(frame: pd.DataFrame, columns: Collection[str], test: Any) -> Any:
    import pandas as pd

    found = pd.Series(False, index=frame.index)
    for column in columns:
        if column in frame:
            found |= test(frame[column].astype(object))
    return found


def _contains(cell: Any, low: str) -> bool:
    return isinstance(cell, str) and low in cell.casefold()


def _as_set(value: str | Collection[str] | None) -> set[str]:
    return set() if value is None else {value} if isinstance(value, str) else set(value)
