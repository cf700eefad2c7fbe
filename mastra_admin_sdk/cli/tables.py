"""Tables for terminals, as lines (pure): some columns give way when there is little room, others never do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mastra_admin_sdk.display.text import NOTHING, measure, pad, printable

from .output import paint_state

_GAP = "  "
_NARROWEST = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One column. Only one that may ``shrink`` is ever cut; a ``state`` is coloured; numbers stand at the right."""

    title: str
    shrink: bool = False
    right: bool = False
    state: bool = False


def render_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[object]],
    *,
    width: int,
    below: Sequence[Sequence[str]] | None = None,
) -> list[str]:
    """Return a table as lines: titles, then a line a row.

    Parameters:
        columns: what the columns are.
        rows: one value a column each; ``None`` and empty text show as a dash.
        width: terminal columns that the table may take; cut only in columns that may shrink.
        below: lines that follow each row as they are, however long.
    """
    table = [[_show(value) for value in row] for row in rows]
    titles = [column.title for column in columns]
    widths = _fit(columns, [max(map(measure, cells)) for cells in zip(titles, *table, strict=True)], width)
    lines = [_join(columns, titles, widths, is_title=True)]
    for place, row in enumerate(table):
        lines.append(_join(columns, row, widths))
        lines += below[place] if below else ()
    return lines


def is_within(columns: Sequence[Column], rows: Sequence[Sequence[object]], width: int) -> bool:
    """True when a table needs no more than a width as it is, with nothing cut."""
    cells = [[column.title for column in columns], *([_show(value) for value in row] for row in rows)]
    widths = [max(map(measure, column)) for column in zip(*cells, strict=True)]
    return sum(widths) + len(_GAP) * (len(widths) - 1) <= width


def _show(value: object) -> str:
    return printable(str(value)) if value is not None and str(value) else NOTHING


def _fit(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        able = [place for place, column in enumerate(columns) if column.shrink and widths[place] > _NARROWEST]
        if not able:
            break
        widest = max(able, key=lambda place: widths[place])
        widths[widest] -= 1
        excess -= 1
    return widths


def _join(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int], *, is_title: bool = False) -> str:
    parts = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        filled = " " * (width - measure(cell)) + cell if column.right and measure(cell) <= width else pad(cell, width)
        text = filled.strip()
        # Painted after it was filled: colours take no columns.
        parts.append(filled.replace(text, paint_state(text), 1) if column.state and not is_title and text else filled)
    return _GAP.join(parts).rstrip()
