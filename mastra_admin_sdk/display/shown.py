"""`Shown`: what gives an object its card in notebooks and its line in terminals.

A card is made of what the object already holds. Making one asks no database, no server and no file, so that it works
for what was deleted meanwhile and after the `MastraAdmin` was closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .pages import render_template
from .tables import build_cell, render_card_text, render_table_text
from .text import printable, truncate
from .values import State, get_tone

_LINE = 400


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown of one object.

    Parameters:
        kind: what it is, such as ``Project``.
        name: which one, such as ``weather-agent``.
        state: a word that is coloured, such as ``running``; none shows none.
        facts: names and values, in order; those that are ``None`` or empty are left out.
        note: what its line ends with, such as an address or a reason.
        tries: what one can type next.
        problem: what is wrong with it, in words; shown below the facts.
        tables: titles and tables below the facts.
    """

    kind: str
    name: str = ""
    state: str = ""
    facts: Sequence[tuple[str, Any]] = ()
    note: str = ""
    tries: Sequence[str] = ()
    problem: str = ""
    tables: Sequence[tuple[str, Table]] = ()

    @property
    def title(self) -> str:
        """What it is and which one."""
        return printable(f"{self.kind} {self.name}".strip())

    @property
    def told(self) -> list[tuple[str, Any]]:
        """The facts that say something."""
        return [(name, value) for name, value in self.facts if value is not None and str(value)]


@dataclass(frozen=True, slots=True)
class Table:
    """A table within a card."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Shown:
    """Shows itself by `_describe`: a card in notebooks, a line elsewhere, a card of text at an IPython prompt."""

    __slots__ = ()

    def _describe(self) -> Card:
        """Return what is shown; of what the object holds alone, and never a secret."""
        raise NotImplementedError

    def _list_cells(self) -> Mapping[str, Any]:
        """Return what a list of such objects shows in each column."""
        card = self._describe()
        return {
            card.kind.lower(): card.name,
            **({"status": State(card.state)} if card.state else {}),
            **dict(card.facts),
        }

    def __repr__(self) -> str:
        return render_line(self._describe())

    def _repr_html_(self) -> str:
        return render_html(self._describe())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # In a list or dict of them a card each would be too much.
        alone = len(getattr(printer, "stack", ())) <= 1 and not cycle
        printer.text(render_text(self._describe()) if alone else repr(self))


def render_line(card: Card) -> str:
    """Return a card as a line such as ``<Deployment main running http://…>``."""
    words = (card.kind, card.name, card.state, card.note)
    return truncate(f"<{' '.join(str(word) for word in words if str(word))}", _LINE) + ">"


def render_text(card: Card, *, width: int = 80) -> str:
    """Return a card as lines of at most ``width`` terminal columns."""
    lines = [render_card_text(card.title, card.told, str(card.state) or None, width=width)]
    lines += [truncate(f"  {card.problem}", width)] if card.problem else []
    for title, table in card.tables:
        shown = render_table_text(table.columns, table.rows, width=width - 2)
        lines += [truncate(f"  {title}", width), *(f"  {line}" for line in shown.splitlines())]
    lines += [truncate(f"  > {command}", width) for command in card.tries]
    return "\n".join(lines)


def render_html(card: Card, *, styles: bool = True) -> str:
    """Return a card as HTML: title, state, facts, problem, tables, and what to type next."""
    return render_template(
        "card.html.j2",
        styles=styles,
        title=card.title,
        state={"word": printable(str(card.state)), "tone": get_tone(str(card.state))} if card.state else None,
        rows=[(printable(name), build_cell(value)) for name, value in card.told],
        problem=printable(card.problem),
        tables=[
            (printable(title), list(map(printable, each.columns)), [[build_cell(v) for v in row] for row in each.rows])
            for title, each in card.tables
        ],
        tries=[printable(command) for command in card.tries],
    )
