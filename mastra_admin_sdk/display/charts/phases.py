"""Builds as bars of their phases (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.text import format_duration

from .drawing import Drawing, escape, make_layout, measure_height, say_empty
from .themes import TONE
from .units import is_missing

if TYPE_CHECKING:
    import pandas as pd

_QUICK = 0.05


def draw_phases(frame: pd.DataFrame, phases: Sequence[str], *, title: str = "Build phases", empty: str = "") -> Drawing:
    """Return a bar a build, the newest on top, made of the seconds that each of its phases took.

    Parameters:
        frame: a row a build, newest first, with ``label``, ``status``, and ``<phase>_s`` for each phase.
        phases: their names, in their order.
        empty: what to say instead of drawing nothing.
    """
    rows: list[Any] = [] if empty else frame.to_dict("records")
    shown = [phase for phase in phases if any(_read(row, phase) >= _QUICK for row in rows)]
    labels = [f"{row['label']}  {row['status']}" for row in rows]
    data = [_draw_phase(number, phase, rows, labels) for number, phase in enumerate(shown)]
    layout = make_layout(
        title,
        x={"title": {"text": "Time (s)"}, "rangemode": "tozero"},
        y={"type": "category", "autorange": "reversed", "fixedrange": True, "ticklabelstandoff": 4},
        legend=True,
        barmode="stack",
        bargap=0.25,
        hovermode="closest",
        height=measure_height(len(rows)),
    )
    table = [_list_cells(row, shown) for row in rows]
    columns = ("Build", "Status", *(phase.capitalize() for phase in shown), "In all")
    figure = {"data": data, "layout": say_empty(layout, empty)}
    return Drawing(figure, columns, tuple(table), empty or _summarize(rows), empty)


def _draw_phase(number: int, phase: str, rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    seconds = [_read(row, phase) for row in rows]
    return {
        "type": "bar",
        "orientation": "h",
        "name": phase,
        "x": [round(each, 3) for each in seconds],
        "y": [escape(label) for label in labels],
        "customdata": [format_duration(each) for each in seconds],
        "hovertemplate": f"{phase}: %{{customdata}}<extra></extra>",
        "marker": {},
        "meta": {TONE: number},
    }


def _list_cells(row: Mapping[str, Any], phases: Sequence[str]) -> tuple[str, ...]:
    times = (format_duration(row[f"{phase}_s"]) if not is_missing(row[f"{phase}_s"]) else "—" for phase in phases)
    total = row["total_s"]
    return (str(row["label"]), str(row["status"]), *times, "—" if is_missing(total) else format_duration(total))


def _summarize(rows: Sequence[Mapping[str, Any]]) -> str:
    totals = [row["total_s"] for row in rows if not is_missing(row["total_s"])]
    builds = f"{len(rows)} build{'' if len(rows) == 1 else 's'}"
    return (
        f"{builds}, from {format_duration(min(totals))} to {format_duration(max(totals))}." if totals else f"{builds}."
    )


def _read(row: Mapping[str, Any], phase: str) -> float:
    value = row[f"{phase}_s"]
    return 0.0 if is_missing(value) else float(value)
