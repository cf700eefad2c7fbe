"""From spans to calls: names, times, tokens with all below, orders of tools."""

from __future__ import annotations

import math
from typing import Any

import pytest
from fixtures.spans import frame, span

from mastra_admin_sdk.ports.observability import Price
from mastra_admin_sdk.services.analysis.measures import NO_TOOLS, describe_sequence, observe
from mastra_admin_sdk.services.telemetry.pricing import find_price, price_trace

RUN = (
    span("run", None, 0, 100, type="agent_run", entity_id="planner"),
    span(
        "gen", "run", 1, 90, type="model_generation", model="gpt-5", provider="openai", input_tokens=10, output_tokens=2
    ),
    span("step", "gen", 1, 40, type="model_step", input_tokens=10, output_tokens=2),
    span("t1", "step", 5, 10, type="tool_call", entity_id="search"),
    span("t2", "step", 20, 10, type="tool_call", entity_id="search", status="error"),
    span("t3", "gen", 40, 30, type="mcp_tool_call", entity_name="ask"),
    span("sub", "t3", 41, 28, type="agent_run", entity_name="Helper"),
    span("subgen", "sub", 42, 20, type="model_generation", model="small", input_tokens=5, output_tokens=1),
    span("subtool", "subgen", 43, 1, type="tool_call", name="look"),
)
PRICES = (Price("openai/gpt-*", 1.0, 10.0), Price("SMALL", 2.0, 0.0))


def calls(*spans: dict[str, Any], prices: tuple[Price, ...] = ()) -> dict[tuple[str, str], dict[str, Any]]:
    rows = observe(frame(*spans), prices).to_dict("records")
    return {(row["kind"], row["name"]): row for row in rows}


def test_each_call_has_its_name_and_what_it_called_in_it() -> None:
    found = calls(*RUN, prices=PRICES)
    assert set(found) == {
        *(("trace", "all"), ("agent", "planner"), ("agent", "Helper"), ("model", "gpt-5"), ("model", "small")),
        *(("tool", "search"), ("tool", "ask"), ("tool", "look")),
    }
    planner, helper, ask = found["agent", "planner"], found["agent", "Helper"], found["tool", "ask"]
    assert (planner["duration_ms"], planner["input_tokens"], planner["output_tokens"]) == (100, 15, 3)
    assert (helper["input_tokens"], helper["output_tokens"]) == (5, 1)
    assert (ask["input_tokens"], ask["failed"]) == (5, 0)
    assert planner["cost"] == pytest.approx((10 * 1 + 2 * 10 + 5 * 2) / 1e6)
    assert math.isnan(found["tool", "look"]["input_tokens"])
    assert found["trace", "all"]["input_tokens"] == 15


def test_tools_are_in_the_order_of_the_run_that_called_them() -> None:
    found = calls(*RUN)
    assert found["agent", "planner"]["sequence"] == "search x2 → ask"
    assert found["agent", "Helper"]["sequence"] == "look"
    assert found["tool", "ask"]["sequence"] is None
    assert calls(RUN[0])["agent", "planner"]["sequence"] == NO_TOOLS
    assert describe_sequence(["a", "b", "b", "a"]) == "a → b x2 → a"


def test_traces_are_kept_apart_though_their_spans_have_one_id() -> None:
    spans = [{**each, "trace_id": trace} for trace in ("t1", "t2") for each in RUN]
    rows = observe(frame(*spans))
    assert rows[rows["name"] == "planner"]["input_tokens"].tolist() == [15, 15]
    assert set(rows[rows["name"] == "all"]["trace_id"]) == {"t1", "t2"}


def test_what_runs_still_is_left_out() -> None:
    assert calls(span("run", None, 0, None, type="agent_run", entity_id="planner", status="running")) == {}


def test_orphans_and_circles_are_no_fault() -> None:
    spans = (
        span("t", "gone", 0, 5, entity_id="search"),
        span("a", "b", 0, 5, type="agent_run", entity_id="x", input_tokens=1),
        span("b", "a", 0, 5, type="tool_call", entity_id="y"),
    )
    assert set(calls(*spans)) == {("tool", "search"), ("agent", "x"), ("tool", "y")}


def test_nothing_gives_nothing() -> None:
    empty = observe(frame(span("a")).iloc[:0])
    assert list(empty.columns) == [
        *("kind", "name", "trace_id", "duration_ms", "failed", "input_tokens", "output_tokens", "cost", "sequence")
    ]
    assert empty.empty


def test_ten_thousand_levels_are_no_burden() -> None:
    spans = [span(f"s{i}", f"s{i - 1}" if i else None, i, 5, type="workflow_step") for i in range(9_999)]
    spans[0] |= {"type": "agent_run", "entity_id": "deep"}
    spans.append(span("gen", "s9998", 9999, 1, type="model_generation", model="m", input_tokens=7))
    assert calls(*spans)["agent", "deep"]["input_tokens"] == 7


def test_a_price_is_found_by_model_or_provider_and_model() -> None:
    assert find_price(PRICES, "GPT-5-mini", "OpenAI") == PRICES[0]
    assert find_price(PRICES, "gpt-5") is None
    assert find_price(PRICES, "Small", "anyone") == PRICES[1]
    assert find_price((Price("*", 1, 1), *PRICES), "small") == Price("*", 1, 1)
    assert price_trace(frame(*RUN), PRICES) == pytest.approx(40 / 1e6)
    assert price_trace(frame(*RUN), ()) is None
