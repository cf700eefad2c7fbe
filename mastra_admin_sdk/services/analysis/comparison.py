"""What differs between two sets of traces, as an object."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.comparison import (
    ComparedRow,
    ComparisonCard,
    render_comparison_html,
    render_comparison_text,
)
from mastra_admin_sdk.display.text import format_duration

from .differences import MEANS, Options, compare_calls, compare_sequences
from .measures import EVERYTHING

if TYPE_CHECKING:
    import pandas as pd

_FIGURES = {
    "latency_p50": "median time",
    "latency_p95": "p95 time",
    "error_rate": "errors",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "total_tokens": "tokens",
    "cost": "cost",
}
_MANY = 20


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """One side: what it is called, its calls (`measures.observe`), from when to when, and what to know about it."""

    label: str
    calls: pd.DataFrame
    since: datetime | None = None
    until: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def traces(self) -> int:
        """How many traces it has finished calls of."""
        return int(self.calls["trace_id"].nunique())

    def describe(self) -> str:
        """Return it in a line: ``search/weather/main#2: 120 traces, 2026-11-23 10:00 to 12:30 UTC``."""
        count = f"{self.traces:,} trace{'' if self.traces == 1 else 's'}"
        if self.since is None or self.until is None:
            return f"{self.label}: {count}"
        first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in (self.since, self.until))
        same_day = first[:10] == last[:10]
        return f"{self.label}: {count}, {first} to {last[11:] if same_day else last} UTC"


class Comparison:
    """What differs between two sets of traces: shown as a card, and as DataFrames.

    ``a`` and ``b`` say what was compared; ``notes`` what to bear in mind.
    """

    def __init__(self, a: ComparedSide, b: ComparedSide, options: Options) -> None:
        self.a, self.b, self.options = a, b, options
        self._frame = compare_calls(a.calls, b.calls, options)
        self._sequences = compare_sequences(a.calls, b.calls, options)

    # --- as DataFrames ------------------------------------------------------------------------------------------------

    @property
    def frame(self) -> pd.DataFrame:
        """All figures: `columns.COMPARISON_COLUMNS`."""
        return self._frame.copy()

    @property
    def latency(self) -> pd.DataFrame:
        """Median and 95th percentile of the time that calls take, in milliseconds."""
        return self._pick("metric", ("latency_p50", "latency_p95"))

    @property
    def errors(self) -> pd.DataFrame:
        """Which part of the calls failed."""
        return self._pick("metric", ("error_rate",))

    @property
    def tokens(self) -> pd.DataFrame:
        """Tokens and cost of a call on average, with all that it called."""
        return self._pick("metric", MEANS)

    @property
    def sequences(self) -> pd.DataFrame:
        """Which tools agents called, in which order, and how often: `columns.SEQUENCE_COLUMNS`."""
        return self._sequences.copy()

    @property
    def better(self) -> pd.DataFrame:
        """Figures that are lower in b than chance explains."""
        return self._pick("verdict", ("better",))

    @property
    def worse(self) -> pd.DataFrame:
        """Figures that are higher in b than chance explains."""
        return self._pick("verdict", ("worse",))

    @property
    def notes(self) -> tuple[str, ...]:
        """What to bear in mind: what was left out, and how the intervals are meant."""
        told = [f"{side}: {note}" for side, each in (("A", self.a), ("B", self.b)) for note in each.notes]
        judged = sum(int(frame["significant"].notna().sum()) for frame in (self._frame, self._sequences))
        percent = f"{100 * self.options.confidence:g} %"
        if judged:
            told.append(f"Intervals are of {percent}, for the change from A to B.")
        if judged >= _MANY:
            chance = round(judged * (1 - self.options.confidence))
            told.append(
                f"Of {judged} intervals, of figures and of orders of tools, about {chance} would leave zero out "
                "by chance alone."
            )
        return tuple(told)

    # --- as text ------------------------------------------------------------------------------------------------------

    def text(self, width: int = 80, *, everything: bool = False) -> str:
        """Return the card as lines of at most ``width`` columns; with ``everything`` all figures."""
        return render_comparison_text(self._make_card(), width=width, everything=everything)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            **{side: self._describe(each) for side, each in (("a", self.a), ("b", self.b))},
            "confidence": self.options.confidence,
            "figures": _list_records(self._frame),
            "sequences": _list_records(self._sequences),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return render_comparison_html(self._make_card())

    def _pick(self, column: str, values: Sequence[str]) -> pd.DataFrame:
        return self._frame[self._frame[column].isin(values)].reset_index(drop=True)

    def _describe(self, side: ComparedSide) -> dict[str, Any]:
        times = {
            name: moment.isoformat() if moment else None
            for name, moment in (("since", side.since), ("until", side.until))
        }
        return {"label": side.label, "traces": side.traces, **times, "notes": list(side.notes)}

    def _make_card(self) -> ComparisonCard:
        rows = [_show_figure(row) for row in _list_records(self._frame)]
        decided = {verdict: [row for row in rows if row.verdict == verdict] for verdict in ("worse", "better")}
        changed = [row for row in _list_records(self._sequences) if row["significant"]]
        return ComparisonCard(
            before=self.a.describe(),
            after=self.b.describe(),
            worse=decided["worse"],
            better=decided["better"],
            sequences=[_show_sequence(row) for row in changed],
            others=[row for row in rows if row.verdict not in decided],
            notes=self.notes,
        )


def _list_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON values: what isn't known is ``None``."""
    columns = {
        str(name): [
            value if known else None for value, known in zip(frame[name].tolist(), frame[name].notna(), strict=True)
        ]
        for name in frame.columns
    }
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _show_figure(row: Mapping[str, Any]) -> ComparedRow:
    what = "all traces" if row["name"] == EVERYTHING and row["kind"] == "trace" else f"{row['kind']} {row['name']}"
    before, after = (_show_value(row[side], row["unit"]) for side in "ab")
    return ComparedRow(
        what=what,
        figure=_FIGURES.get(row["metric"], row["metric"]),
        before=before,
        after=after,
        change=_show_change(row),
        interval=_show_interval(row),
        verdict=row["verdict"],
    )


def _show_sequence(row: Mapping[str, Any]) -> ComparedRow:
    shares = {**row, "unit": "ratio", "change": None}
    before, after = (_show_value(row[side], "ratio") for side in "ab")
    name = f"{row['agent']}: {row['sequence']}"
    return ComparedRow(name, "runs", before, after, _show_change(shares), _show_interval(shares), row["verdict"])


def _show_value(value: float | None, unit: str) -> str:
    if value is None or not math.isfinite(value):
        return "—"
    if unit == "ms":
        return format_duration(value / 1000)
    if unit == "ratio":
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if unit == "tokens" and abs(value) >= 100 else f"{value:.3g}"


def _show_change(row: Mapping[str, Any]) -> str:
    """Rates change by points, all else by a part of what it was."""
    if row["difference"] is None:
        return "—"
    if row["unit"] == "ratio":
        return f"{100 * row['difference']:+.3g} points"
    return "—" if row["change"] is None else f"{100 * row['change']:+.3g} %"


def _show_interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None or row["high"] is None:
        return "—"
    if row["unit"] == "ratio":
        return f"{100 * row['low']:+.3g} to {100 * row['high']:+.3g}"
    ends: Iterable[str] = (_sign(row[end], row["unit"]) for end in ("low", "high"))
    return " to ".join(ends)


def _sign(value: float, unit: str) -> str:
    return ("+" if value > 0 else "") + _show_value(value, unit)
