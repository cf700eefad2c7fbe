"""Cards and tables for teams, projects, deployments, builds: as HTML and as text.

A value is anything with a ``str``; ``None`` shows as a dash. Links, states, times and code (`values`) show
as such where that is possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .pages import render_template
from .text import NOTHING, measure, pad, printable, truncate
from .values import Code, Link, Moment, State
from .values import get_tone as get_tone

_NARROWEST_COLUMN = 4
_GAP = 2


def render_card_html(
    title: str, rows: Mapping[str, Any] | Sequence[tuple[str, Any]], state: str | None = None, *, styles: bool = True
) -> str:
    """Return a card: a title, a state as a coloured word, and a table of names and values.

    Parameters:
        title: what it is, such as ``weather-agent · main``.
        rows: names and values, in order.
        state: a word such as ``running``; none shows none.
        styles: whether to bring the style sheet along; a page that has it (`pages.load_styles`) needn't.
    """
    cells = [(printable(name), build_cell(value)) for name, value in _list_pairs(rows)]
    shown = {"word": printable(str(state)), "tone": get_tone(state)} if state else None
    return render_template(
        "card.html.j2",
        styles=styles,
        title=printable(title),
        state=shown,
        rows=cells,
        problem="",
        tables=(),
        tries=(),
    )


def render_table_html(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    state_column: str | None = None,
    empty: str = "Nothing yet.",
    styles: bool = True,
) -> str:
    """Return a table; the values of ``state_column`` are coloured, and ``empty`` is said when there are no rows."""
    cells = [
        [build_cell(value, is_state=name == state_column) for name, value in zip(columns, row, strict=True)]
        for row in rows
    ]
    return render_template(
        "table.html.j2",
        styles=styles,
        title="",
        columns=list(map(printable, columns)),
        rows=cells,
        empty=empty,
        rest="",
    )


def render_card_text(
    title: str, rows: Mapping[str, Any] | Sequence[tuple[str, Any]], state: str | None = None, *, width: int = 80
) -> str:
    """Return a card as lines of at most ``width`` terminal columns."""
    pairs = [(printable(name), _show(value)) for name, value in _list_pairs(rows)]
    names = min(max((measure(name) for name, _ in pairs), default=0), width // 3)
    head = f"{title} [{state}]" if state else title
    lines = [f"  {pad(name, names)}  {value}" for name, value in pairs]
    return "\n".join(truncate(line, width) for line in (head, *lines))


def render_table_text(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int = 80, empty: str = "Nothing yet."
) -> str:
    """Return a table as lines of at most ``width`` terminal columns; the widest columns give way first."""
    if not rows:
        return truncate(empty, width)
    table = [[printable(name) for name in columns], *([_show(value) for value in row] for row in rows)]
    widths = _fit([max(measure(row[index]) for row in table) for index in range(len(columns))], width)
    lines = [(" " * _GAP).join(map(pad, row, widths)).rstrip() for row in table]
    lines.insert(1, (" " * _GAP).join("─" * column for column in widths))
    return "\n".join(truncate(line, width) for line in lines)


def _list_pairs(rows: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return list(rows.items()) if isinstance(rows, Mapping) else list(rows)


def _show(value: Any) -> str:
    return printable(str(value)) if value is not None and str(value) else NOTHING


def build_cell(value: Any, *, is_state: bool = False) -> dict[str, Any]:
    """Return what the template of a cell needs of a value; a state is coloured, as is any value if ``is_state``."""
    is_word = isinstance(value, State) or (is_state and value is not None)
    return {
        "text": _show(value),
        "href": value.href if isinstance(value, Link) else "",
        "tone": get_tone(str(value)) if is_word and str(value) else "",
        "title": value.absolute if isinstance(value, Moment) else "",
        "is_code": isinstance(value, Code),
        "is_number": isinstance(value, int | float) and not isinstance(value, bool),
    }


def _fit(widths: list[int], width: int) -> list[int]:
    widths = list(widths)
    room = width - _GAP * (len(widths) - 1)
    while sum(widths) > room and max(widths) > _NARROWEST_COLUMN:
        widest = widths.index(max(widths))
        others = [each for index, each in enumerate(widths) if index != widest]
        floor = max([_NARROWEST_COLUMN, *(each for each in others if each < widths[widest])])
        excess = sum(widths) - room
        widths[widest] = max(widths[widest] - excess, min(floor, widths[widest] - 1))
    return widths
