"""What tokens cost by a price table (pure): the same rule as in the store's own queries."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.ports.observability import Price

if TYPE_CHECKING:
    import pandas as pd

_GENERATION = "model_generation"


def find_price(prices: tuple[Price, ...], model: str, provider: str = "") -> Price | None:
    """Return the first price whose pattern fits the model's name, or ``provider/name`` where it has a slash."""
    whole = f"{provider}/{model}".casefold()
    for price in prices:
        pattern = _compile(price.model)
        if pattern.fullmatch(model.casefold()) or ("/" in price.model and pattern.fullmatch(whole)):
            return price
    return None


def price_spans(frame: pd.DataFrame, prices: Sequence[Price]) -> list[float]:
    """Return what the tokens of each span cost; not a number where a model has no price, or there are no tokens."""
    if "model" not in frame:
        return [math.nan] * len(frame)
    table = tuple(prices)
    columns = [_list_cells(frame, name) for name in ("model", "provider", "input_tokens", "output_tokens")]
    known = {
        pair: find_price(table, str(pair[0]), str(pair[1] or "")) if pair[0] else None
        for pair in set(zip(*columns[:2], strict=True))
    }
    return [
        _multiply(known[model, provider], given, made) for model, provider, given, made in zip(*columns, strict=True)
    ]


def price_trace(frame: pd.DataFrame, prices: Sequence[Price]) -> float | None:
    """Return what the tokens of a trace cost, each counted once; ``None`` when none of its models has a price."""
    costs = [cost for cost in price_spans(pick_counted(frame), prices) if not math.isnan(cost)]
    return sum(costs) if costs else None


def pick_counted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the spans of one trace whose tokens count: generations, as steps repeat theirs; all where none has any."""
    tells = frame["input_tokens"].notna() | frame["output_tokens"].notna()
    counted = frame[(frame["type"] == _GENERATION) & tells]
    return frame if counted.empty else counted


def _multiply(price: Price | None, given: Any, made: Any) -> float:
    if price is None or (given is None and made is None):
        return math.nan
    return ((given or 0) * price.input + (made or 0) * price.output) / 1e6


def _list_cells(frame: pd.DataFrame, name: str) -> list[Any]:
    column = frame[name].astype(object)
    return column.where(column.notna(), None).tolist()


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.casefold().split("*"))), re.DOTALL)
