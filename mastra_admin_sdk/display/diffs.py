"""What differs between two builds: as text for terminals, as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .pages import render_template
from .text import measure, pad, printable, truncate

CHANGES = ("added", "removed", "changed")
"""What can have happened to one thing."""

_MARKS = {"added": "+", "removed": "-", "changed": "~"}
_TONES = {"added": "good", "removed": "bad", "changed": "busy"}
_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One thing that differs: its name, one of `CHANGES`, and how."""

    name: str
    change: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class DiffSection:
    """All things of one kind that differ; ``unknown`` says why they can't be compared, if so."""

    title: str
    rows: Sequence[DiffRow] = ()
    unknown: str = ""


def summarize_section(section: DiffSection) -> str:
    """Return in one line what differs: ``1 added, 2 changed: a, b, c``."""
    if section.unknown:
        return f"not known: {section.unknown}"
    if not section.rows:
        return "the same"
    kinds = [row.change for row in section.rows]
    counts = ", ".join(f"{kinds.count(change)} {change}" for change in CHANGES if change in kinds)
    names = ", ".join(row.name for row in section.rows[:_MOST_NAMES])
    return f"{counts}: {names}{', …' if len(section.rows) > _MOST_NAMES else ''}"


def render_diff_summary(title: str, sections: Sequence[DiffSection], *, width: int = 80) -> str:
    """Return a line for each kind of thing, below the title; lines are cut to ``width`` terminal columns."""
    names = max((measure(section.title) for section in sections), default=0)
    lines = [f"  {pad(section.title, names)}  {summarize_section(section)}" for section in sections]
    return "\n".join(truncate(line, width) for line in (title, *lines))


def render_diff_text(title: str, sections: Sequence[DiffSection], *, width: int = 80, most: int = 20) -> str:
    """Return the summary, and below it each thing that differs; of each kind ``most`` at most."""
    blocks = [render_diff_summary(title, sections, width=width)]
    for section in sections:
        if section.rows:
            blocks.append("\n".join([section.title, *_list_lines(section, width, most)]))
    return "\n\n".join(blocks)


def render_diff_html(title: str, sections: Sequence[DiffSection], *, styles: bool = True) -> str:
    """Return a table of the summary; what differs in each kind can be unfolded."""
    shown = [
        {
            "title": section.title,
            "summary": printable(summarize_section(section)),
            "rows": [[printable(row.name), row.change, printable(row.details)] for row in section.rows],
        }
        for section in sections
    ]
    return render_template("diff.html.j2", styles=styles, title=printable(title), sections=shown, tones=_TONES)


def _list_lines(section: DiffSection, width: int, most: int) -> list[str]:
    rows = section.rows[:most]
    names = min(max(measure(printable(row.name)) for row in rows), width // 2)
    lines = [
        truncate(f"  {_MARKS[row.change]} {pad(row.name, names)}  {row.details}".rstrip(), width)
        if row.details
        else truncate(f"  {_MARKS[row.change]} {row.name}", width)
        for row in rows
    ]
    left = len(section.rows) - len(rows)
    return [*lines, f"  … and {left:,} more"] if left else lines
