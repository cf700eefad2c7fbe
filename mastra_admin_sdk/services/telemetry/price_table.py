"""The setting ``prices``: what the tokens of each model cost.

```toml
[prices]
"gpt-4o-mini*" = {input = 0.15, output = 0.60}
"openai*/gpt-4o" = {input = 2.50, output = 10.00}
"local/*" = {input = 0, output = 0}
currency = "USD"
```
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mastra_admin_sdk.errors import SettingError
from mastra_admin_sdk.ports.observability import Price

CURRENCY = "currency"
_SIDES = ("input", "output")
_HINT = 'Write "model" = {input = 0.15, output = 0.6}: money per million tokens; * stands for any text in a model.'


def read_prices(table: Mapping[str, Any]) -> tuple[Price, ...]:
    """Return the prices of a table, the most precise first: without ``*`` before with it, long before short.

    Raises:
        SettingError: an entry is no price.
    """
    prices = [_read_price(model, entry) for model, entry in table.items() if model != CURRENCY]
    return tuple(sorted(prices, key=_rank))


def read_currency(table: Mapping[str, Any]) -> str:
    """Return the currency of a table: US dollars unless it names another."""
    currency = table.get(CURRENCY, "USD")
    if not isinstance(currency, str) or not currency.strip():
        raise SettingError(f"The currency of the setting prices can't be {currency!r}.", hint='Such as "EUR".')
    return currency.strip()


def _rank(price: Price) -> tuple[bool, int, str]:
    return "*" in price.model, -len(price.model.replace("*", "")), price.model


def _read_price(model: str, entry: Any) -> Price:
    given = dict(entry) if isinstance(entry, Mapping) else {}
    unknown = sorted(set(given) - set(_SIDES))
    amounts = [given.get(side, 0) for side in _SIDES]
    if not given or unknown or not all(map(_is_amount, amounts)):
        raise SettingError(f"The setting prices has no price for {model!r}: {entry!r}.", hint=_HINT)
    return Price(model, *(float(amount) for amount in amounts))


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
