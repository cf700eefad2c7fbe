"""Figures with a time axis: lines, and bars on top of each other (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .drawing import Drawing, join_words, make_layout, name_series, say_empty
from .moments import merge_moments, to_axis, write_moments
from .themes import STRIPES, TONE, dress_line
from .units import Unit, is_missing

if TYPE_CHECKING:
    import pandas as pd

REST = "other"
"""What the groups beyond those that are drawn are called together."""

MOST_SERIES = 8
_FEW = 6


class Shape(StrEnum):
    """How series are drawn: lines beside each other, bars on top of each other."""

    LINES = "lines"
    BARS = "bars"


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one colour of the bars: a value for each moment; ``tone`` is a role of the theme, if it has one."""

    name: str
    values: tuple[float | None, ...]
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """The times of a chart: when each step begins, how long it is, and whose clocks show it."""

    moments: tuple[datetime, ...]
    step: timedelta
    timezone: str = "UTC"

    def widen(self, found: Iterable[datetime]) -> Axis:
        """Return the axis with the times of an answer on it, if they weren't."""
        return Axis(tuple(merge_moments(self.moments, found)), self.step, self.timezone)


def pick_series(
    frame: pd.DataFrame, axis: Axis, columns: Mapping[str, str], *, fill: float | None = None, tones: Sequence[str] = ()
) -> list[Series]:
    """Return columns of an answer without groups as series.

    Parameters:
        frame: a row a step, with the column ``bucket``.
        columns: names of columns, and what each is called.
        fill: what stands where there is no row: 0 for counts, nothing for what wasn't measured.
    """
    roles = [*tones, *[""] * len(columns)]
    return [
        Series(label, _spread(frame["bucket"], frame[name], axis, fill), tone)
        for (name, label), tone in zip(columns.items(), roles, strict=False)
    ]


def split_series(
    frame: pd.DataFrame, axis: Axis, group: str, value: str, *, weight: str, fill: float | None = None
) -> list[Series]:
    """Return an answer with groups as one series a group, the heaviest first, at most `MOST_SERIES` of them.

    With ``fill`` the rest is added up as `REST`; what can't be added up, such as percentiles, is left out.
    """
    weights = frame.groupby(group, observed=True, sort=False)[weight].sum().sort_values(ascending=False, kind="stable")
    names = list(weights.index)
    is_cut = len(names) > MOST_SERIES
    shown = names[: MOST_SERIES - 1] if is_cut else names
    series = []
    for name in shown:
        rows = frame[frame[group] == name]
        series.append(Series(str(name) or "none", _spread(rows["bucket"], rows[value], axis, fill)))
    if is_cut and fill is not None:
        rest = frame[~frame[group].isin(shown)].groupby("bucket")[value].sum()
        series.append(Series(REST, _spread(rest.index, rest, axis, fill), "quiet"))
    return series


def draw_timeline(
    title: str, axis: Axis, series: Sequence[Series], unit: Unit, *, shape: Shape, empty: str = ""
) -> Drawing:
    """Return a chart over time.

    Parameters:
        unit: what the values are in.
        empty: what to say instead of drawing nothing.
    """
    draw = _draw_line if shape is Shape.LINES else _draw_bars
    x, labels = to_axis(axis.moments, axis.timezone), write_moments(axis.moments, axis.step, axis.timezone)
    data = [] if empty else [draw(number, each, x, unit, axis.step) for number, each in enumerate(series)]
    layout = make_layout(
        title,
        x={"type": "date", "title": {"text": f"Time ({axis.timezone})"}, "showgrid": False, **_find_range(axis)},
        y={
            "title": {"text": unit.title},
            "rangemode": "tozero",
            "fixedrange": True,
            **unit.axis,
            **_find_ticks(series, unit),
        },
        legend=len(series) > 1,
        barmode="stack",
        bargap=0.1,
    )
    rows = [] if empty else _list_rows(labels, series, unit, shape)
    summary = empty or _summarize(series, unit)
    figure = {"data": data, "layout": say_empty(layout, empty)}
    return Drawing(figure, ("Time", *(each.name for each in series)), tuple(rows), summary, empty)


def _spread(times: Iterable[Any], values: Iterable[Any], axis: Axis, fill: float | None) -> tuple[float | None, ...]:
    known = {
        time.to_pydatetime(): None if is_missing(value) else float(value)
        for time, value in zip(times, _list_numbers(values), strict=True)
    }
    return tuple(known.get(moment, fill) for moment in axis.moments)


def _list_numbers(values: Iterable[Any]) -> list[Any]:
    return [value.item() if hasattr(value, "item") else value for value in values]


def _draw_line(number: int, series: Series, x: list[str], unit: Unit, _: timedelta) -> dict[str, Any]:
    look = dress_line(number)
    return {**_draw(number, series, x, unit), "type": "scatter", "mode": "lines+markers", "cliponaxis": False, **look}


def _draw_bars(number: int, series: Series, x: list[str], unit: Unit, step: timedelta) -> dict[str, Any]:
    # A bar begins with its step instead of standing around its beginning.
    width = step / timedelta(milliseconds=1)
    pattern = dict(STRIPES) if series.tone == "bad" else {}
    place = {"type": "bar", "width": 0.9 * width, "offset": 0.05 * width}
    return {**_draw(number, series, x, unit), **place, "marker": pattern}


def _draw(number: int, series: Series, x: list[str], unit: Unit) -> dict[str, Any]:
    return {
        "name": name_series(series.name),
        "x": x,
        "y": [None if value is None else _round(value / unit.divisor) for value in series.values],
        "customdata": [unit.format(value) for value in series.values],
        "hovertemplate": "%{customdata}",
        "meta": {TONE: series.tone or number},
    }


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def _find_range(axis: Axis) -> dict[str, Any]:
    if not axis.moments:
        return {}
    # Where clocks are set back, the last time needn't be the latest on them.
    shown = to_axis([axis.moments[0], axis.moments[-1] + axis.step], axis.timezone)
    return {"range": shown}


def _find_ticks(series: Sequence[Series], unit: Unit) -> dict[str, Any]:
    """Few whole things are counted one by one: no half of a request stands on the axis."""
    columns = zip(*(each.values for each in series), strict=True)
    highest = max((sum(value or 0 for value in column) for column in columns), default=0)
    return {"dtick": 1, "tickformat": ",d"} if unit.is_whole and highest <= _FEW else {}


def _list_rows(labels: Sequence[str], series: Sequence[Series], unit: Unit, shape: Shape) -> list[tuple[str, ...]]:
    """The steps in which something was, newest first."""
    rows = []
    for place, label in enumerate(labels):
        values = [each.values[place] for each in series]
        if any(value if shape is Shape.BARS else value is not None for value in values):
            rows.append((label, *(unit.format(value) for value in values)))
    return rows[::-1]


def _summarize(series: Sequence[Series], unit: Unit) -> str:
    parts = []
    for each in series[:4]:
        values = [value for value in each.values if value is not None]
        if values:
            parts.append(f"{each.name} from {unit.format(min(values))} to {unit.format(max(values))}")
    more = len(series) - 4
    return f"{join_words(parts)}{f', and {more} more' if more > 0 else ''}." if parts else ""
