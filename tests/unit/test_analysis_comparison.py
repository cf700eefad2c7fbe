"""What differs between two sides, on calls made up."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mastra_admin_sdk.display.text import measure
from mastra_admin_sdk.services.analysis.columns import COMPARISON_COLUMNS, SEQUENCE_COLUMNS
from mastra_admin_sdk.services.analysis.comparison import ComparedSide, Comparison
from mastra_admin_sdk.services.analysis.differences import Options

COLUMNS = ("kind", "name", "trace_id", "duration_ms", "failed", "input_tokens", "output_tokens", "cost", "sequence")


def make_calls(count: int, *, kind: str = "agent", name: str = "planner", seed: int = 1, **fields: Any) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    values = {
        "kind": kind,
        "name": name,
        "trace_id": [f"{seed}-{place}" for place in range(count)],
        "duration_ms": draw.exponential(1000, count),
        "failed": 0.0,
        "input_tokens": 100.0,
        "output_tokens": 20.0,
        "cost": 0.0001 * 3,
        "sequence": "search → answer",
        **fields,
    }
    return pd.DataFrame(values, index=range(count))[list(COLUMNS)]


def compare(before: pd.DataFrame, after: pd.DataFrame, **options: Any) -> Comparison:
    return Comparison(ComparedSide("one", before), ComparedSide("two", after), Options(**options))


def verdicts(comparison: Comparison) -> dict[str, str]:
    rows = comparison.frame
    return dict(zip(rows["metric"], rows["verdict"], strict=True))


NOTHING = make_calls(0)


def test_what_became_slower_and_dearer_is_worse() -> None:
    slow = make_calls(200, seed=2)
    slow["duration_ms"] *= 2
    slow["input_tokens"] = np.arange(200) + 80.0
    found = compare(make_calls(200), slow)
    assert verdicts(found) == {
        "latency_p50": "worse",
        "latency_p95": "worse",
        "error_rate": "unclear",
        "input_tokens": "worse",
        "output_tokens": "unclear",
        "total_tokens": "worse",
        "cost": "unclear",
    }
    row = found.latency.iloc[0]
    assert row["low"] < row["difference"] < row["high"]
    assert row["change"] == pytest.approx(row["difference"] / row["a"])
    assert found.better.empty
    assert set(found.worse["metric"]) == {"latency_p50", "latency_p95", "input_tokens", "total_tokens"}


def test_the_other_way_round_it_is_better() -> None:
    fast, slow = make_calls(200, failed=0.0), make_calls(200, seed=2, failed=[1.0, 0.0, 0.0, 0.0] * 50)
    slow["duration_ms"] *= 2
    found = compare(slow, fast)
    assert set(found.better["metric"]) == {"latency_p50", "latency_p95", "error_rate"}
    rate = found.errors.iloc[0]
    assert (rate["a"], rate["b"], rate["difference"], rate["unit"]) == (0.25, 0.0, -0.25, "ratio")
    assert rate["high"] < 0


def test_columns_are_fixed_also_when_there_is_nothing() -> None:
    for found in (compare(make_calls(30), make_calls(30, seed=2)), compare(NOTHING, NOTHING)):
        for frame, columns in ((found.frame, COMPARISON_COLUMNS), (found.sequences, SEQUENCE_COLUMNS)):
            assert {name: str(kind) for name, kind in frame.dtypes.items()} == dict(columns)
        for part in (found.latency, found.errors, found.tokens, found.better, found.worse):
            assert list(part.columns) == list(COMPARISON_COLUMNS)
        assert json.loads(json.dumps(found.to_dict()))["a"]["label"] == "one"
        assert "one" in repr(found)
        assert "one" in found._repr_html_()


@pytest.mark.parametrize(("before", "after", "verdict"), [(0, 30, "new"), (30, 0, "gone"), (4, 4, "too few")])
def test_a_side_without_enough_calls_is_told_so(before: int, after: int, verdict: str) -> None:
    found = compare(make_calls(before), make_calls(after, seed=2))
    assert set(found.frame["verdict"]) == {verdict}
    assert found.frame[["low", "high", "significant"]].isna().all(axis=None)
    assert "Of 7 figures" in found.text()


def test_a_95th_percentile_needs_sixty_traces() -> None:
    assert verdicts(compare(make_calls(59), make_calls(59, seed=2)))["latency_p95"] == "too few"
    assert verdicts(compare(make_calls(60), make_calls(60, seed=2)))["latency_p95"] == "unclear"
    many_of_one_trace = make_calls(60, trace_id="only")
    assert set(compare(many_of_one_trace, many_of_one_trace).frame["verdict"]) == {"too few"}


def test_the_same_calls_differ_in_nothing() -> None:
    found = compare(make_calls(100), make_calls(100, trace_id=[f"2-{place}" for place in range(100)]))
    assert set(found.frame["verdict"]) == {"unclear"}
    assert not found.frame["significant"].any()


def test_orders_of_tools_are_shares_of_the_runs() -> None:
    after = make_calls(100, seed=2, sequence=["search → answer"] * 60 + ["answer"] * 40)
    found = compare(make_calls(100), after).sequences
    assert found[["agent", "sequence", "n_a", "n_b", "a", "b", "verdict"]].to_dict("records") == [
        {
            "agent": "planner",
            "sequence": "search → answer",
            "n_a": 100,
            "n_b": 60,
            "a": 1.0,
            "b": 0.6,
            "verdict": "less",
        },
        {"agent": "planner", "sequence": "answer", "n_a": 0, "n_b": 40, "a": 0.0, "b": 0.4, "verdict": "more"},
    ]


def test_thousands_of_calls_and_orders_take_seconds() -> None:
    orders = [f"tool{place % 1_500} → answer" for place in range(4_000)]
    started = time.process_time()
    found = compare(make_calls(4_000, sequence=orders), make_calls(4_000, seed=2, sequence=orders))
    assert time.process_time() - started < 4
    # Of so many hardly one occurs often enough to be judged.
    assert set(found.sequences["verdict"]) == {"too few"}
    assert len(found.sequences) == 1_500


def test_a_figure_does_not_depend_on_what_else_is_compared() -> None:
    one, two = make_calls(100), make_calls(100, seed=2)
    more = [pd.concat([side, make_calls(50, kind="tool", name="x", seed=7)]) for side in (one, two)]
    alone, beside = compare(one, two).frame, compare(*more).frame
    pd.testing.assert_frame_equal(
        alone.astype(object), beside[beside["kind"] == "agent"].reset_index(drop=True).astype(object)
    )
    assert compare(one, two, seed=5).frame["low"].tolist() != alone["low"].tolist()


def test_the_card_says_what_changed_within_80_columns() -> None:
    after = make_calls(200, seed=2, sequence="answer")
    after["duration_ms"] *= 3
    found = compare(make_calls(200), after)
    text = found.text()
    assert max(map(measure, text.splitlines())) <= 80
    assert "2 worse" in text
    assert re.search(r";\s+\d\s+orders?\s+of\s+tools\s+changed\.", text)
    assert re.search(r"\n  agent planner\n    median time +\d", text)
    assert "cost" not in text
    assert "cost" in found.text(everything=True)
    assert "points" in text
    assert "Intervals are of 95 %" in text
    page = found._repr_html_()
    assert "<script" not in page
    assert "Other figures" in page
    assert 'ma-bad">worse' in page


def test_names_are_escaped() -> None:
    evil = "<script>alert(1)</script>\x1b[31m"
    found = compare(make_calls(20, name=evil, sequence=evil), make_calls(20, name=evil, seed=2))
    assert "<script" not in found._repr_html_()
    assert "\x1b" not in found.text()


def test_many_figures_come_with_a_warning() -> None:
    sides = [
        pd.concat([make_calls(20, kind="tool", name=f"t{number}", seed=seed * 100 + number) for number in range(6)])
        for seed in (1, 2)
    ]
    assert any("by chance alone" in note for note in compare(*sides).notes)
