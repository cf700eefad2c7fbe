"""What values of a chart are in: how its axis is labelled, and how one of them is written (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.display.text import NOTHING, format_duration

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_TIME_STEPS = ((2.0, 1.0, "ms"), (120.0, 1000.0, "s"), (7200.0, 60_000.0, "min"), (math.inf, 3_600_000.0, "h"))


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit.

    Attributes:
        title: what the axis is called.
        axis: more of Plotly's axis, such as ``tickformat``.
        divisor: by what values are divided before they are drawn.
        is_whole: whether there is nothing between two whole numbers.
        write: how a value is written for people.
    """

    title: str
    axis: dict[str, Any]
    write: Callable[[float], str]
    divisor: float = 1.0
    is_whole: bool = False

    def format(self, value: float | None) -> str:
        """Return a value as people read it; what isn't known is a dash."""
        return NOTHING if is_missing(value) else self.write(float(value))  # type: ignore[arg-type]


def is_missing(value: float | None) -> bool:
    """True for what isn't a number: ``None``, NaN, pandas' NA."""
    return not isinstance(value, int | float) or not math.isfinite(value)


def measure_time(values: Iterable[float | None]) -> Unit:
    """Return the unit for durations in milliseconds: the axis is in what fits the longest of them."""
    longest = max((float(value) for value in values if value is not None and not is_missing(value)), default=0.0)
    _, divisor, name = next(step for step in _TIME_STEPS if longest / 1000 < step[0])
    return Unit(f"Time ({name})", {"tickformat": "~r"}, lambda ms: format_duration(ms / 1000), divisor)


def count_things(title: str) -> Unit:
    """Return the unit for counts; large ones are short on the axis: ``20k``."""
    return Unit(title, {"tickformat": "~s"}, lambda count: f"{count:,.0f}", is_whole=True)


def measure_share(title: str) -> Unit:
    """Return the unit for shares from 0 to 1, as percent."""
    return Unit(title, {"tickformat": ".0~%"}, lambda share: f"{100 * share:.3g} %")


def measure_money(currency: str) -> Unit:
    """Return the unit for money."""
    sign = _SIGNS.get(currency, "")
    prefix = {"tickprefix": sign} if sign else {"ticksuffix": f" {currency}"}
    return Unit(f"Cost ({currency})", {**prefix, "tickformat": "~r"}, lambda cost: _write_money(cost, sign, currency))


def _write_money(cost: float, sign: str, currency: str) -> str:
    digits = 2 if not cost or abs(cost) >= 1 else min(2 - math.floor(math.log10(abs(cost))), 8)
    text = f"{cost:,.{digits}f}"
    return f"{sign}{text}" if sign else f"{text} {currency}"
