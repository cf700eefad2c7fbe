"""From the calls of two sides to figures, their differences and how sure those are (pure)."""

from __future__ import annotations

import math
import zlib
from collections import Counter
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
    number_traces,
)

if TYPE_CHECKING:
    import pandas as pd

LATENCIES: Mapping[str, Statistic] = {"latency_p50": 0.5, "latency_p95": 0.95}
MEANS = ("input_tokens", "output_tokens", "total_tokens", "cost")

_TAIL = 3
"""How many observations have to lie beyond a percentile for it to say something: 60 in all for the 95th."""

_FEWEST_FOR_RATES = 5
_NOISE = 1e-9
_RARE = 0.01


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
        counts = [Counter(map(str, side["sequence"])) for side in (old, new)]
        found = [
            {"agent": name, "sequence": each, **_compare_share(each, (old, new), counts, options)}
            for each in sorted({*counts[0], *counts[1]})
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
    traces, numbered = number_traces(calls["trace_id"].to_numpy(dtype=object))
    values = {
        "latency": calls["duration_ms"],
        "error_rate": calls["failed"],
        "input_tokens": calls["input_tokens"],
        "output_tokens": calls["output_tokens"],
        "total_tokens": calls[["input_tokens", "output_tokens"]].sum(axis=1, min_count=1),
        "cost": calls["cost"],
    }
    return {name: make_sample(column.to_numpy(dtype="float64"), traces, numbered) for name, column in values.items()}


def _list_differences(
    before: Mapping[str, Sample], after: Mapping[str, Sample], options: Options, key: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each figure that either side has, with its difference."""
    figures: dict[str, tuple[str, Statistic]] = {metric: ("latency", each) for metric, each in LATENCIES.items()}
    figures |= {each: (each, None) for each in MEANS if len(before[each].values) or len(after[each].values)}
    pairs = {metric: (before[name], after[name], statistic) for metric, (name, statistic) in figures.items()}
    intervals = _bootstrap(pairs, options, key)
    for metric, (old, new, statistic) in pairs.items():
        yield metric, _tell((old, new), statistic, intervals.get(metric))
        if metric == "latency_p95":
            yield "error_rate", _compare_rate(before["error_rate"], after["error_rate"], options)


def _bootstrap(
    pairs: Mapping[str, tuple[Sample, Sample, Statistic]], options: Options, key: str
) -> dict[str, Interval]:
    """Return the intervals of those figures for which there are enough observations."""
    enough = {
        metric: pair
        for metric, pair in pairs.items()
        if min(pair[0].traces, pair[1].traces) >= _find_fewest(pair[2], options)
    }
    if not enough:
        return {}
    before, after, statistics = zip(*enough.values(), strict=True)
    found = bootstrap_differences(
        before,
        after,
        statistics,
        # What else is compared must not matter for a figure's interval.
        seed=(options.seed, zlib.crc32(key.encode())),
        resamples=options.resamples,
        confidence=options.confidence,
    )
    return dict(zip(enough, found, strict=True))


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
    sequence: str, sides: tuple[pd.DataFrame, pd.DataFrame], counts: Sequence[Mapping[str, int]], options: Options
) -> dict[str, Any]:
    """An order of tools as a part of an agent's runs. Those that hardly ever occur aren't judged: of thousands of them
    many would differ by chance."""
    seen = [side.get(sequence, 0) for side in counts]
    shares = [count / len(side) if len(side) else math.nan for count, side in zip(seen, sides, strict=True)]
    told = {"n_a": seen[0], "n_b": seen[1], "a": shares[0], "b": shares[1], "difference": shares[1] - shares[0]}
    if not max(shares) >= _RARE:  # a side without runs has no share
        return {**told, "verdict": "too few"}
    hits = [_find_hits(side, sequence) for side in sides]
    found = _compare_rate(hits[0], hits[1], options)
    words = {"better": "less", "worse": "more", "new": "too few", "gone": "too few"}
    return {**found, **told, "verdict": words.get(found["verdict"], found["verdict"])}


def _find_hits(calls: pd.DataFrame, sequence: str) -> Sample:
    hits = [float(each == sequence) for each in calls["sequence"]]
    return make_sample(hits, *number_traces(calls["trace_id"].to_numpy(dtype=object)))


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
