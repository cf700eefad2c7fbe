"""Tokens to money: prices as conditions on the model, first match wins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra_admin_sdk.ports.observability import Price

_MILLION = 1_000_000


def find_price(prices: Sequence[Price], prefix: str = "") -> str:
    """Return an expression for the number of a row's price, counted from 1; 0 when its model has none."""
    if not prices:
        return "0"
    model, provider = f"{prefix}model", f"{prefix}provider"
    tests = []
    for number, price in enumerate(prices):
        pattern = f"{{price_{number}:String}}"
        whole = f" OR concat({provider}, '/', {model}) ILIKE {pattern}" if "/" in price.model else ""
        tests.append(f"{model} ILIKE {pattern}{whole}, {number + 1}")
    return f"multiIf({', '.join(tests)}, 0)"


def multiply(price: str, input_tokens: str, output_tokens: str) -> str:
    """Return an expression for what tokens cost at the price with some number; null where there is none.

    Parameters:
        price, input_tokens, output_tokens: expressions.
    """
    parts = [
        f"ifNull({tokens}, 0) * arrayElement({{price_{side}:Array(Float64)}}, greatest({price}, 1))"
        for side, tokens in (("inputs", input_tokens), ("outputs", output_tokens))
    ]
    return f"if({price} = 0, NULL, ({' + '.join(parts)}) / {_MILLION})"


def bind_prices(prices: Sequence[Price]) -> dict[str, Any]:
    """Return the values of both expressions."""
    if not prices:
        return {}
    return {
        **{f"price_{number}": _make_pattern(price.model) for number, price in enumerate(prices)},
        "price_inputs": [float(price.input) for price in prices],
        "price_outputs": [float(price.output) for price in prices],
    }


def _make_pattern(model: str) -> str:
    escaped = "".join(f"\\{char}" if char in "\\%_" else char for char in model)
    return escaped.replace("*", "%")
