"""Requests, latency, errors, tokens and cost of one time side by side: two answers as one table (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SUMMARY_MEASURES: tuple[str, ...] = (
    "count",
    "errors",
    "error_rate",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost",
)
"""They follow the column that a summary is grouped by. Counts and tokens are ``Int64``, the rest ``float64``."""

_COUNTS = ("count", "errors", "input_tokens", "output_tokens", "total_tokens")
_OF_LATENCY = ("count", "errors", "error_rate", "p50_ms", "p95_ms", "p99_ms")
_OF_USAGE = ("input_tokens", "output_tokens", "total_tokens", "cost")


def join_answers(latency: pd.DataFrame, usage: pd.DataFrame, group: str | None) -> pd.DataFrame:
    """Return both answers as one, by their group, or as the one row of all.

    Groups come by their count and then their tokens, the largest first; times newest first. What has neither requests
    nor tokens isn't there; without a group there is always a row.
    """
    import pandas as pd

    if group is None:
        parts = [latency[list(_OF_LATENCY)].reindex([0]), usage[list(_OF_USAGE)].reindex([0])]
        return _type(pd.concat(parts, axis=1))
    left, right = (frame.assign(**{group: _plain(frame[group])}) for frame in (latency, usage))
    joined = left[[group, *_OF_LATENCY]].merge(right[[group, *_OF_USAGE]], on=group, how="outer")
    is_time = isinstance(joined[group].dtype, pd.DatetimeTZDtype)
    order = [group] if is_time else ["count", "total_tokens", group]
    ascending = [False] if is_time else [False, False, True]
    return _type(joined.sort_values(order, ascending=ascending, na_position="last", ignore_index=True))


def add_up(usage: pd.DataFrame) -> pd.DataFrame:
    """Return the tokens and cost of groups as one row; the cost isn't known when that of one of them isn't."""
    import pandas as pd

    if usage.empty:
        return usage
    whole = pd.DataFrame({name: [usage[name].sum(skipna=name != "cost")] for name in _OF_USAGE})
    whole.attrs = usage.attrs
    return whole


def _plain(column: pd.Series) -> pd.Series:
    return column.astype(object).fillna("") if column.dtype == "category" else column


def _type(frame: pd.DataFrame) -> pd.DataFrame:
    kinds = {name: "Int64" if name in _COUNTS else "float64" for name in SUMMARY_MEASURES}
    typed = frame.astype(kinds)
    return typed.assign(**{name: typed[name].fillna(0) for name in _COUNTS})
