"""Intervals for differences (pure): the bootstrap for medians, percentiles and means, Newcombe for rates.

Observations come in clusters: calls of a tool within one trace are alike, and counting each of them as news would make
every interval too narrow. So traces are what is drawn anew in the bootstrap, and rates count as many observations as
the traces are worth (a design effect, as in surveys).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """True when it lies wholly above or wholly below zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Observed values in ascending order, and for each the number of its trace, below ``numbered``."""

    values: Numbers
    clusters: NDArray[np.int64]
    numbered: int

    @property
    def traces(self) -> int:
        """How many traces they come from."""
        import numpy as np

        return len(np.unique(self.clusters))


_CELLS = 2_000_000

Statistic = float | None
"""A quantile between 0 and 1, or ``None`` for the mean."""


def number_traces(traces: Sequence[str] | NDArray[np.object_]) -> tuple[NDArray[np.int64], int]:
    """Return a number for each trace, from 0 on, and how many there are."""
    import pandas as pd

    codes, known = pd.factorize(pd.Series(traces, dtype=object))
    return codes.astype("int64"), len(known)


def make_sample(values: Sequence[float] | Numbers, clusters: NDArray[np.int64], numbered: int) -> Sample:
    """Return a sample; values that are no number are left out.

    Parameters:
        values: as they were observed.
        clusters, numbered: the traces they come from, from `number_traces`.
    """
    import numpy as np

    numbers = np.asarray(values, dtype=np.float64)
    known = np.isfinite(numbers)
    order = np.argsort(numbers[known], kind="stable")
    return Sample(numbers[known][order], clusters[known][order], numbered)


def measure(sample: Sample, statistic: Statistic) -> float:
    """Return a quantile (between neighbours, as NumPy and pandas do it) or the mean; not a number without values."""
    import numpy as np

    if not len(sample.values):
        return math.nan
    return float(sample.values.mean() if statistic is None else np.quantile(sample.values, statistic))


def bootstrap_differences(
    before: Sequence[Sample],
    after: Sequence[Sample],
    statistics: Sequence[Statistic],
    *,
    seed: Sequence[int],
    resamples: int = 1000,
    confidence: float = 0.95,
) -> list[Interval]:
    """Return intervals of differences, after less before: the percentile bootstrap over traces.

    The same seed gives the same intervals.

    Parameters:
        before, after: samples with values; those of one side number their traces alike.
        statistics: of each sample one.
        seed, resamples, confidence: of the random numbers, how many samples are drawn, and of the intervals.
    """
    import numpy as np

    draw = np.random.default_rng(list(seed))
    old, new = (_resample(samples, statistics, resamples, draw) for samples in (before, after))
    tail = 50 * (1 - confidence)
    bounds = np.nanpercentile(new - old, [tail, 100 - tail], axis=0)
    return [Interval(float(low), float(high)) for low, high in bounds.T]


def wilson(share: float, count: float, *, confidence: float = 0.95) -> Interval:
    """Return Wilson's interval for a rate that was seen in ``count`` observations."""
    if count <= 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    middle = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    # At the ends the formula gives exactly 0 and 1, but for rounding.
    low = 0.0 if share <= 0 else (middle - reach) / scale
    high = 1.0 if share >= 1 else (middle + reach) / scale
    return Interval(max(low, 0.0), min(high, 1.0))


def newcombe(before: tuple[float, float], after: tuple[float, float], *, confidence: float = 0.95) -> Interval:
    """Return Newcombe's interval for the difference of two rates (his tenth method), after less before.

    Parameters:
        before, after: each a rate and the number of observations behind it.
        confidence: such as 0.95.
    """
    old, new = (wilson(*side, confidence=confidence) for side in (before, after))
    difference = after[0] - before[0]
    down = math.hypot(after[0] - new.low, old.high - before[0])
    up = math.hypot(new.high - after[0], before[0] - old.low)
    return Interval(difference - down, difference + up)


def count_effective(before: Sample, after: Sample) -> tuple[float, float]:
    """Return what the observations of two samples of zeros and ones are worth, given that traces are alike inside.

    Where a side has only zeros or only ones, the other side tells how much alike.
    """
    effects = [_measure_design_effect(sample) for sample in (before, after)]
    known = [effect for effect in effects if effect is not None]
    usual = max(known) if known else 1.0
    sizes = [
        max(len(sample.values) / (usual if effect is None else effect), float(min(sample.traces, len(sample.values))))
        for sample, effect in zip((before, after), effects, strict=True)
    ]
    return sizes[0], sizes[1]


def _measure_design_effect(sample: Sample) -> float | None:
    """How much the variance grows because observations share traces: 1 when they don't, ``None`` when untold."""
    import numpy as np

    count, share = len(sample.values), measure(sample, None)
    if count < 2 or sample.traces < 2 or not 0 < share < 1:
        return None
    excess, traces = np.bincount(sample.clusters, weights=sample.values - share), sample.traces
    clustered = traces / (traces - 1) * float(excess @ excess) / count**2
    return max(clustered / (share * (1 - share) / count), 1.0)


def _resample(
    samples: Sequence[Sample], statistics: Sequence[Statistic], times: int, draw: np.random.Generator
) -> Numbers:
    """Return the statistics of ``times`` samples of as many traces, drawn with replacement: a row a sample."""
    import numpy as np

    traces = samples[0].numbered
    rows = max(_CELLS // max(traces, *(len(sample.values) for sample in samples)), 1)
    parts = []
    for start in range(0, times, rows):
        drawn = _draw_traces(traces, min(rows, times - start), draw)
        parts.append(_measure_drawn(samples, statistics, drawn))
    return np.concatenate(parts)


def _draw_traces(traces: int, times: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each trace was drawn: a row a sample."""
    import numpy as np

    places = draw.integers(0, traces, (times, traces))
    places += traces * np.arange(times)[:, None]
    return np.bincount(places.ravel(), minlength=times * traces).reshape(times, traces)


def _measure_drawn(samples: Sequence[Sample], statistics: Sequence[Statistic], drawn: NDArray[np.int64]) -> Numbers:
    import numpy as np

    found = np.empty((len(drawn), len(statistics)))
    means = [column for column, statistic in enumerate(statistics) if statistic is None]
    if means:
        found[:, means] = _find_means([samples[column] for column in means], drawn)
    reached: dict[int, NDArray[np.int32]] = {}
    for column, (sample, statistic) in enumerate(zip(samples, statistics, strict=True)):
        if statistic is not None:
            # Values ascend: where the weights reach a place in the drawn sample, there is its value.
            if id(sample) not in reached:
                reached[id(sample)] = np.cumsum(drawn[:, sample.clusters], axis=1, dtype=np.int32)
            found[:, column] = _find_quantiles(sample.values, reached[id(sample)], statistic)
    return found


def _find_means(samples: Sequence[Sample], drawn: NDArray[np.int64]) -> Numbers:
    import numpy as np

    columns = [np.bincount(each.clusters, weights=each.values, minlength=each.numbered) for each in samples]
    columns += [np.bincount(each.clusters, minlength=each.numbered) for each in samples]
    sums = drawn.astype(np.float64) @ np.column_stack(columns)
    with np.errstate(invalid="ignore"):  # none of the traces that were drawn has a value: no mean
        return np.asarray(sums[:, : len(samples)] / sums[:, len(samples) :])


def _find_quantiles(values: Numbers, reached: NDArray[np.int32], quantile: float) -> Numbers:
    import numpy as np

    # Where none of the traces that were drawn has a value, any will do: that is next to never.
    places = np.maximum(reached[:, -1] - 1, 0) * quantile
    below = np.floor(places)
    lower, upper = (_look_up(values, reached, ends.astype(np.int32)) for ends in (below, np.ceil(places)))
    return np.asarray(lower + (upper - lower) * (places - below))


def _look_up(values: Numbers, reached: NDArray[np.int32], ends: NDArray[np.int32]) -> Numbers:
    """Return the value at a place of each drawn sample."""
    last = len(values) - 1
    return values[[min(row.searchsorted(end, side="right"), last) for row, end in zip(reached, ends, strict=True)]]
