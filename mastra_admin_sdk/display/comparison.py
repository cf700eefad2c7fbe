"""What differs between two sets of traces: as text for terminals, as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .pages import render_template
from .tables import render_table_text
from .text import printable, truncate

HEADINGS = ("What", "Figure", "A", "B", "Change", "Interval")

_TONES = {"better": "good", "worse": "bad", "too few": "busy"}


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One figure of both sides, each part as people read it; ``verdict`` is one word or two."""

    what: str
    figure: str
    before: str
    after: str
    change: str
    interval: str
    verdict: str

    @property
    def cells(self) -> tuple[str, ...]:
        """Its parts in the order of `HEADINGS`."""
        return (self.what, self.figure, self.before, self.after, self.change, self.interval)


@dataclass(frozen=True, slots=True)
class ComparisonCard:
    """What is said of a comparison: who was compared, what got worse and better, what else there is to know."""

    before: str
    after: str
    worse: Sequence[ComparedRow]
    better: Sequence[ComparedRow]
    sequences: Sequence[ComparedRow]
    others: Sequence[ComparedRow]
    notes: Sequence[str]

    @property
    def conclusion(self) -> str:
        """In a sentence what came of it."""
        if not (self.worse or self.better or self.others):
            return "There is nothing to compare: neither side has finished calls."
        parts = [f"{len(rows)} {word}" for word, rows in (("worse", self.worse), ("better", self.better)) if rows]
        unclear = sum(row.verdict == "unclear" for row in self.others)
        few = sum(row.verdict == "too few" for row in self.others)
        parts += [f"{unclear} without a difference that can be told from chance"] if unclear else []
        parts += [f"{few} with too few calls to say"] if few else []
        alone = len(self.others) - unclear - few
        parts += [f"{alone} that only one side has"] if alone else []
        orders = len(self.sequences)
        also = f"; {orders} order{'' if orders == 1 else 's'} of tools changed" if orders else ""
        return f"Of {len(self.worse) + len(self.better) + len(self.others)} figures: {', '.join(parts)}{also}."


def render_comparison_text(card: ComparisonCard, *, width: int = 80, everything: bool = False) -> str:
    """Return the card as lines of at most ``width`` terminal columns; figures that don't differ if all are wanted."""
    lines = [f"A  {card.before}", f"B  {card.after}", card.conclusion]
    sections = (("Worse", card.worse), ("Better", card.better), ("Orders of tools", card.sequences))
    for title, rows in sections:
        if rows:
            lines += ["", title, *_list_rows(rows, width)]
    is_all = not (card.worse or card.better)
    if card.others and (everything or is_all):
        lines += ["", "Figures" if is_all else "Other figures", *_list_rows(card.others, width)]
    lines += ["", *card.notes] if card.notes else []
    return "\n".join(truncate(line, width) for each in lines for line in _wrap(each, width))


def render_comparison_html(card: ComparisonCard, *, styles: bool = True) -> str:
    """Return the card; figures in which no difference was seen are folded."""
    sections = [
        ("Worse", card.worse, True),
        ("Better", card.better, True),
        ("Orders in which agents call tools", card.sequences, True),
        ("Other figures", card.others, not (card.worse or card.better)),
    ]
    shown = [
        {
            "title": title,
            "open": is_open,
            "rows": _build_rows(rows),
        }
        for title, rows, is_open in sections
        if rows
    ]
    return render_template(
        "comparison.html.j2",
        styles=styles,
        before=printable(card.before),
        after=printable(card.after),
        conclusion=card.conclusion,
        headings=HEADINGS[1:],
        sections=shown,
        notes=[printable(note) for note in card.notes],
    )


def _build_rows(rows: Sequence[ComparedRow]) -> list[dict[str, Any]]:
    """Cells of each row; the first of a group also says what that is about."""
    found: list[dict[str, Any]] = []
    former = None
    for row in rows:
        cells, tone = [printable(cell) for cell in row.cells[1:]], _TONES.get(row.verdict, "quiet")
        group = printable(row.what) if row.what != former else ""
        found.append({"group": group, "cells": cells, "word": row.verdict, "tone": tone})
        former = row.what
    return found


def _list_rows(rows: Sequence[ComparedRow], width: int) -> list[str]:
    """A table, with what each group of figures is about in a line above them."""
    table = render_table_text(HEADINGS[1:], [row.cells[1:] for row in rows], width=width - 4).splitlines()
    lines = [f"    {line}" for line in table[:2]]
    former = None
    for row, line in zip(rows, table[2:], strict=True):
        if row.what != former:
            lines.append(f"  {printable(row.what)}")
            former = row.what
        lines.append(f"    {line}")
    return lines


def _wrap(text: str, width: int) -> list[str]:
    """Sentences go on in the next line; tables are cut."""
    import textwrap

    return [text] if text.startswith("  ") or not text else textwrap.wrap(text, width)
