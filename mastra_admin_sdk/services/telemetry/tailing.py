"""Following what arrives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.ports.observability import Cursor, Listing, ObservabilityStore, TelemetryFilter

if TYPE_CHECKING:
    import pandas as pd

_ROWS_AT_ONCE = 1_000


def follow(
    open_store: Callable[[], ObservabilityStore],
    listing: Listing,
    filters: TelemetryFilter,
    *,
    poll: float,
    stop: threading.Event | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield rows as they arrive, each once, until the iterator is closed, Ctrl-C is pressed or ``stop`` is set.

    Parameters:
        open_store: returns the store, with all in it that files hold by now.
        poll: seconds between two looks.
    """
    stop = stop or threading.Event()
    left = filters.limit
    after: Cursor | None = None
    while not stop.is_set() and (left is None or left > 0):
        rows = _ROWS_AT_ONCE if left is None else min(left, _ROWS_AT_ONCE)
        try:
            frame, after = open_store().follow(listing, replace(filters, limit=rows), after)
            if frame.empty:
                stop.wait(poll)
        except KeyboardInterrupt:
            return
        left = None if left is None else left - len(frame)
        yield from list_rows(frame)


def list_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dicts of Python values, times as aware datetimes; ``None`` for what isn't there."""
    columns = [_list_cells(frame[name]) for name in frame.columns]
    return [dict(zip(frame.columns, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _list_cells(column: pd.Series[Any]) -> list[Any]:
    cells = column.astype(object).where(column.notna(), None).tolist()
    return [cell.to_pydatetime() if hasattr(cell, "to_pydatetime") else cell for cell in cells]
