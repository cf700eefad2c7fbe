"""What a chart is before it has colours: a figure, and the same as a table of texts."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.display.text import printable

_LONGEST_NAME = 40
_LOWEST, _FRAME, _ROW = 200, 120, 26


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure without colours (`themes.make_patch` has them), the same as a table, and what to say when it is empty.

    ``summary`` says in a sentence what is to be seen, for who can't see it.
    """

    figure: dict[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    summary: str = ""
    empty: str = ""


def make_layout(title: str, *, x: dict[str, Any], y: dict[str, Any], legend: bool, **more: Any) -> dict[str, Any]:
    """Return a layout that leaves room for labels, whatever they are."""
    return {
        "title": {"text": escape(title), "x": 0, "xref": "paper", "y": 0.98, "yanchor": "top", "font": {"size": 15}},
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", "size": 12},
        "margin": {"l": 8, "r": 12, "t": 66 if legend else 42, "b": 8, "pad": 2},
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "traceorder": "normal",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
        },
        "xaxis": {"automargin": True, **x},
        "yaxis": {"automargin": True, **y},
        "hovermode": "x unified",
        **more,
    }


def measure_height(rows: int) -> int:
    """Return how high a figure with a bar a row is, in pixels."""
    return max(_LOWEST, _FRAME + _ROW * rows)


def say_empty(layout: dict[str, Any], text: str) -> dict[str, Any]:
    """Return a layout that says why there is nothing in it."""
    if not text:
        return layout
    note = {"text": escape(text), "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
    return {**layout, "annotations": [note], "xaxis": {"visible": False}, "yaxis": {"visible": False}}


def escape(text: str, longest: int = 200) -> str:
    """Return text that Plotly shows as it is: it would take ``<a href=…>`` and the like for markup."""
    clean = printable(text)
    cut = clean if len(clean) <= longest else f"{clean[: longest - 1]}…"
    return html.escape(cut, quote=False)


def name_series(name: str) -> str:
    """Return the name of a series as its legend shows it."""
    return escape(name, _LONGEST_NAME)


def join_words(words: Sequence[str]) -> str:
    """Return words as a sentence lists them: ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
