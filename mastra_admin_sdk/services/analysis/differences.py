"""From the calls of two sides to figures, their differences and how sure those are (pure)."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.services.history.frames import make_frame

from .columns import COMPARISON_COLUMNS, METRICS, SEQUENCE_COLUMNS
from .measures import KINDS
from .statistics import (
    Interval,
    Sample,
    Statistic,
    bootstrap_differences,
    count_effective,
    make_sample,
    measure,
    newcombe,
)

if TYPE_CHECKING:
    import pandas as pd

LATENCIES: Mapping[str, Statistic] = {"latency_p50": 0.5, "latency_p95": 0.95}
MEANS = ("input_tokens", "output_tokens", "total_tokens", "cost")

_TAIL = 3
"""How many observations have to lie beyond a percentile for it to say something: 60 in all for the 95th."""

_FEWEST_FOR_RATES = 5
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Options:
    """How differences are told: ``min_traces`` on each side for an interval, its confidence, and the bootstrap's.

    ``currency`` is that of the costs.
    """

    confidence: float = 0.95
    min_traces: int = 10
    resamples: int = 1000
    seed: int = 0
    currency: str = "USD"


def compare_calls(before: pd.DataFrame, after: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Return a row for each figure of each agent, tool, workflow and model: `COMPARISON_COLUMNS`.

    Parameters:
        before, after: calls, from `measures.observe`.
        options: how differences are told.
    """
    rows: list[dict[str, Any]] = []
    for kind, name, old, new in _pair(before, after, ("trace", *KINDS)):
        samples = [_take_samples(side) for side in (old, new)]
        for metric, found in _list_differences(samples[0], samples[1], options, f"{kind}/{name}"):
            rows.append({"kind": kind, "name": name, "metric": metric, "unit": _name_unit(metric, options), **found})
    return make_frame(COMPARISON_COLUMNS, rows)


def _name_unit(metric: str, options: Options) -> str:
    return options.currency if metric == "cost" else METRICS[metric]


def compare_sequences(before: pd.DataFrame, after: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Return a row for each order in which an agent called tools: `SEQUENCE_COLUMNS`, the usual ones first."""
    rows: list[dict[str, Any]] = []
    for _, name, old, new in _pair(before, after, ("agent",)):
        counts = [side["sequence"].value_counts() for side in (old, new)]
        found = [
            {"agent": name, "sequence": each, **_compare_share(each, (old, new), counts, options)}
            for each in sorted({*counts[0].index, *counts[1].index})
        ]
        rows += sorted(found, key=lambda row: (-row["n_a"] - row["n_b"], row["sequence"]))
    return make_frame(SEQUENCE_COLUMNS, rows)


def _pair(
    before: pd.DataFrame, after: pd.DataFrame, kinds: Sequence[str]
) -> Iterator[tuple[str, str, pd.DataFrame, pd.DataFrame]]:
    """Yield what has a name on either side, by kind, what is called most often first."""
    groups: list[dict[Any, pd.DataFrame]] = [
        dict(iter(side.groupby(["kind", "name"], sort=False))) for side in (before, after)
    ]
    for kind in kinds:
        keys = {key for side in groups for key in side if key[0] == kind}
        for key in sorted(keys, key=lambda key: (-sum(len(side.get(key, ())) for side in groups), key)):
            yield kind, str(key[1]), groups[0].get(key, before.iloc[:0]), groups[1].get(key, after.iloc[:0])


def _take_samples(calls: pd.DataFrame) -> dict[str, Sample]:
    traces = calls["trace_id"].to_numpy(dtype=object)
    values = {
        "latency": calls["duration_ms"],
        "error_rate": calls["failed"],
        "input_tokens": calls["input_tokens"],
        "output_tokens": calls["output_tokens"],
        "total_tokens": calls[["input_tokens", "output_tokens"]].sum(axis=1, min_count=1),
        "cost": calls["cost"],
    }
    return {name: make_sample(column.to_numpy(dtype="float64"), traces) for name, column in values.items()}


def _list_differences(
    before: Mapping[str, Sample], after: Mapping[str, Sample], options: Options, key: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each figure that either side has, with its difference."""
    latencies = (before["latency"], after["latency"])
    intervals = _bootstrap(latencies, tuple(LATENCIES.values()), options, f"{key}/latency")
    for metric, statistic in LATENCIES.items():
        yield metric, _tell(latencies, statistic, intervals.get(statistic))
    yield "error_rate", _compare_rate(before["error_rate"], after["error_rate"], options)
    for metric in MEANS:
        pair = (before[metric], after[metric])
        if len(pair[0].values) or len(pair[1].values):
            found = _bootstrap(pair, (None,), options, f"{key}/{metric}")
            yield metric, _tell(pair, None, found.get(None))


def _bootstrap(
    pair: tuple[Sample, Sample], statistics: tuple[Statistic, ...], options: Options, key: str
) -> Mapping[Statistic, Interval]:
    """Return the intervals for which there are enough observations."""
    fewest = min(sample.traces for sample in pair)
    enough = [each for each in statistics if fewest >= _find_fewest(each, options)]
    if not enough:
        return {}
    # A figure's interval doesn't depend on which others there are.
    seed = (options.seed, zlib.crc32(key.encode()))
    return bootstrap_differences(*pair, enough, seed=seed, resamples=options.resamples, confidence=options.confidence)


def _find_fewest(statistic: Statistic, options: Options) -> int:
    beyond = 0 if statistic is None else math.ceil(_TAIL / (1 - statistic) - _NOISE)
    return max(beyond, options.min_traces)


def _compare_rate(before: Sample, after: Sample, options: Options) -> dict[str, Any]:
    interval = None
    if min(before.traces, after.traces) >= min(_FEWEST_FOR_RATES, options.min_traces):
        sizes = count_effective(before, after)
        shares = (measure(before, None), measure(after, None))
        interval = newcombe((shares[0], sizes[0]), (shares[1], sizes[1]), confidence=options.confidence)
    return _tell((before, after), None, interval)


def _compare_share(
    sequence: str, sides: tuple[pd.DataFrame, pd.DataFrame], counts: Sequence[Any], options: Options
) -> dict[str, Any]:
    hits = [
        make_sample([float(each == sequence) for each in side["sequence"]], side["trace_id"].to_numpy(dtype=object))
        for side in sides
    ]
    found = _compare_rate(hits[0], hits[1], options)
    words = {"better": "less", "worse": "more", "new": "too few", "gone": "too few"}
    return {
        **found,
        "n_a": int(counts[0].get(sequence, 0)),
        "n_b": int(counts[1].get(sequence, 0)),
        "verdict": words.get(found["verdict"], found["verdict"]),
    }


def _tell(pair: tuple[Sample, Sample], statistic: Statistic, interval: Interval | None) -> dict[str, Any]:
    before, after = (measure(sample, statistic) for sample in pair)
    difference = after - before
    scale = _NOISE * max(abs(before), abs(after), 0.0) if interval else 0.0
    low, high = (
        (0.0 if abs(end) <= scale else end for end in (interval.low, interval.high)) if interval else (None, None)
    )
    is_sure = None if low is None or high is None else Interval(low, high).excludes_zero
    return {
        "n_a": len(pair[0].values),
        "n_b": len(pair[1].values),
        "a": before,
        "b": after,
        "difference": difference,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "change": difference / before if before else None,
        "significant": is_sure,
        "verdict": _judge(pair, difference, is_sure),
    }


def _drop_noise(interval: Interval, scale: float) -> Interval:
    """What adding up in another order leaves is no difference."""
    low, high = (0.0 if abs(end) <= scale else end for end in (interval.low, interval.high))
    return Interval(low, high)


def _judge(pair: tuple[Sample, Sample], difference: float, is_sure: bool | None) -> str:
    if not len(pair[0].values) or not len(pair[1].values):
        return "new" if len(pair[1].values) else "gone"
    if is_sure is None:
        return "too few"
    if not is_sure:
        return "unclear"
    return "better" if difference < 0 else "worse"
