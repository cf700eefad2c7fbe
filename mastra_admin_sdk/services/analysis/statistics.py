"""Intervals for differences (pure NumPy): the bootstrap for medians, percentiles and means, Newcombe for rates.

Observations come in clusters: calls of a tool within one trace are alike, and counting each of them as news would make
every interval too narrow. So traces are what is drawn anew in the bootstrap, and rates count as many observations as
the traces are worth (a design effect, as in surveys).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    """Observed values, and for each the number of its trace (0, 1, 2 …)."""

    values: Numbers
    clusters: NDArray[np.intp]

    @property
    def traces(self) -> int:
        """How many traces they come from."""
        return int(self.clusters.max()) + 1 if len(self.clusters) else 0


_CELLS = 2_000_000

Statistic = float | None
"""A quantile between 0 and 1, or ``None`` for the mean."""


def make_sample(values: Sequence[float] | Numbers, traces: Sequence[str] | NDArray[np.object_]) -> Sample:
    """Return a sample in ascending order; values that are no number are left out."""
    import numpy as np

    numbers = np.asarray(values, dtype=np.float64)
    known = np.isfinite(numbers)
    _, clusters = np.unique(np.asarray(traces, dtype=object)[known].astype(str), return_inverse=True)
    order = np.argsort(numbers[known], kind="stable")
    return Sample(numbers[known][order], clusters[order])


def measure(sample: Sample, statistic: Statistic) -> float:
    """Return a quantile (between neighbours, as NumPy and pandas do it) or the mean; not a number without values."""
    import numpy as np

    if not len(sample.values):
        return math.nan
    return float(sample.values.mean() if statistic is None else np.quantile(sample.values, statistic))


def bootstrap_differences(
    before: Sample,
    after: Sample,
    statistics: Sequence[Statistic],
    *,
    seed: Sequence[int],
    resamples: int = 1000,
    confidence: float = 0.95,
) -> Mapping[Statistic, Interval]:
    """Return an interval for each statistic of ``after`` less that of ``before``: the percentile bootstrap over traces.

    The same seed gives the same intervals. Both samples must have values.
    """
    import numpy as np

    draw = np.random.default_rng(list(seed))
    old, new = (_resample(sample, statistics, resamples, draw) for sample in (before, after))
    tail = 50 * (1 - confidence)
    bounds = np.nanpercentile(new - old, [tail, 100 - tail], axis=0)
    return {each: Interval(float(bounds[0, at]), float(bounds[1, at])) for at, each in enumerate(statistics)}


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
    excess = np.bincount(sample.clusters, weights=sample.values - share)
    clustered = sample.traces / (sample.traces - 1) * float(excess @ excess) / count**2
    return max(clustered / (share * (1 - share) / count), 1.0)


def _resample(sample: Sample, statistics: Sequence[Statistic], times: int, draw: np.random.Generator) -> Numbers:
    """Return each statistic of ``times`` samples of as many traces, drawn with replacement: a row a sample."""
    import numpy as np

    rows = max(_CELLS // max(len(sample.values), 1), 1)
    parts = []
    for start in range(0, times, rows):
        drawn = _draw_traces(sample.traces, min(rows, times - start), draw)
        parts.append(np.column_stack([_measure_drawn(sample, drawn, statistic) for statistic in statistics]))
    return np.concatenate(parts)


def _draw_traces(traces: int, times: int, draw: np.random.Generator) -> NDArray[np.intp]:
    """Return how often each trace was drawn: a row a sample."""
    import numpy as np

    places = draw.integers(0, traces, (times, traces)) + traces * np.arange(times)[:, None]
    return np.bincount(places.ravel(), minlength=times * traces).reshape(times, traces)


def _measure_drawn(sample: Sample, drawn: NDArray[np.intp], statistic: Statistic) -> Numbers:
    import numpy as np

    if statistic is None:
        sums = np.bincount(sample.clusters, weights=sample.values)
        return np.asarray(drawn @ sums / (drawn @ np.bincount(sample.clusters)))
    # The values are in ascending order: where the weights reach a place in the drawn sample, there is its value.
    reached = np.cumsum(drawn[:, sample.clusters], axis=1)
    places = (reached[:, -1] - 1) * statistic
    lower, upper = (
        sample.values[(reached <= ends[:, None]).sum(axis=1)] for ends in (np.floor(places), np.ceil(places))
    )
    return np.asarray(lower + (upper - lower) * (places - np.floor(places)))
