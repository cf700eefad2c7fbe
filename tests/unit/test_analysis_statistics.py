"""Intervals against what books and NumPy say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mastra_admin_sdk.services.analysis.statistics import (
    Interval,
    Sample,
    bootstrap_differences,
    count_effective,
    make_sample,
    measure,
    newcombe,
    number_traces,
    wilson,
)


def alone(values: object) -> Sample:
    """A sample in which each value has a trace of its own."""
    listed = np.asarray(values, dtype=float)
    return make_sample(listed, *number_traces([str(place) for place in range(len(listed))]))


def difference(before: Sample, after: Sample, statistic: float | None, **options: Any) -> Interval:
    return bootstrap_differences([before], [after], [statistic], **options)[0]


def test_wilson_as_published() -> None:
    # Newcombe 1998, table I: 81 of 263, 0 of 20, 29 of 29.
    for share, count, low, high in ((81 / 263, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (1, 29, 0.8830, 1.0)):
        found = wilson(share, count)
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) == Interval(0.0, 1.0)


def test_newcombe_as_published() -> None:
    # Newcombe 1998, table II, method 10: 56/70 less 48/80, 9/10 less 3/10, 5/56 less 0/29, 10/10 less 0/10.
    for (a, m, b, n), low, high in (
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ):
        found = newcombe((b / n, n), (a / m, m))
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_statistics_of_a_sample_are_those_of_numpy() -> None:
    values = np.random.default_rng(1).exponential(100, 101)
    for quantile in (0.5, 0.95, 0.99):
        assert measure(alone(values), quantile) == np.quantile(values, quantile)
    assert measure(alone(values), None) == pytest.approx(values.mean())
    assert np.isnan(measure(alone([]), 0.5))
    assert alone([1, float("nan"), 2]).values.tolist() == [1, 2]


def test_the_bootstrap_resamples_as_plain_numpy_would() -> None:
    values = np.random.default_rng(2).normal(100, 10, 40)
    pair = [alone(values)] * 2, [alone(values + 5)] * 2
    median, mean = bootstrap_differences(*pair, [0.5, None], seed=[3], resamples=4000)
    draw = np.random.default_rng(4)
    plain = [np.median(draw.choice(values + 5, 40)) - np.median(draw.choice(values, 40)) for _ in range(4000)]
    low, high = np.percentile(plain, [2.5, 97.5])
    assert median.low == pytest.approx(low, abs=0.7)
    assert median.high == pytest.approx(high, abs=0.7)
    assert mean.low < 5 < mean.high


def test_the_same_seed_gives_the_same_interval() -> None:
    draw = np.random.default_rng(1)
    one, two = alone(draw.exponential(9, 20)), alone(draw.exponential(9, 30))
    first, again, other = (difference(one, two, 0.5, seed=[seed]) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_interval_holds_what_it_promises() -> None:
    draw = np.random.default_rng(5)
    hits = {0.5: 0, 0.95: 0, None: 0}
    truth = {0.5: 20 * np.log(2), 0.95: 20 * np.log(20), None: 20.0}
    rounds = 120
    for number in range(rounds):
        before, after = alone(draw.exponential(100, 100)), alone(draw.exponential(120, 100))
        found = bootstrap_differences([before] * 3, [after] * 3, list(hits), seed=[number], resamples=500)
        for statistic, interval in zip(hits, found, strict=True):
            hits[statistic] += interval.low <= truth[statistic] <= interval.high
    assert all(0.88 <= count / rounds <= 0.995 for count in hits.values()), hits


def test_calls_of_one_trace_are_not_counted_as_news() -> None:
    draw = np.random.default_rng(6)
    # Twenty traces that differ a lot, each with fifty calls that are alike.
    middles = draw.normal(100, 20, 20)
    values = np.repeat(middles, 50) + draw.normal(0, 1, 1000)
    traces = np.repeat([str(place) for place in range(20)], 50).astype(object)
    clustered = make_sample(values, *number_traces(traces))
    own = difference(clustered, clustered, None, seed=[1])
    naive = difference(alone(values), alone(values), None, seed=[1])
    assert own.high - own.low > 4 * (naive.high - naive.low)


def test_rates_of_calls_that_fail_together_are_worth_their_traces() -> None:
    traces = np.repeat([str(place) for place in range(10)], 100).astype(object)
    together = make_sample(np.repeat([1.0] + [0.0] * 9, 100), *number_traces(traces))
    apart = make_sample(np.tile([1.0] + [0.0] * 9, 100), *number_traces(traces))
    none = make_sample(np.zeros(1000), *number_traces(traces))
    assert count_effective(together, apart) == pytest.approx((10, 1000))
    assert count_effective(together, none) == pytest.approx((10, 10))
    assert count_effective(none, none) == pytest.approx((1000, 1000))
    assert count_effective(alone([]), none)[0] == 0
