"""What to select and how to name it: columns, orders, limits."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from mastra_admin_sdk.adapters.observability.clickhouse.frames import TRAVELLING, Dtype, find_dtype
from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import TelemetryFilter

T = TypeVar("T")


def pick_columns(filters: TelemetryFilter, known: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are asked for.

    Raises:
        InvalidInput: there is none of that name; the hint names the nearest.
    """
    if filters.columns is None:
        return tuple(known)
    for name in filters.columns:
        check_name("column", name, known)
    return tuple(dict.fromkeys(filters.columns))


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that isn't among those that are known, with the nearest of them."""
    names = list(known)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise InvalidInput(
            f"There is no {kind} {name!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"{kind.capitalize()}s: {', '.join(names)}.",
        )


def find_order(filters: TelemetryFilter, known: Mapping[str, T]) -> T:
    """Return what stands for an order; the first that is known unless one is asked for."""
    wanted = filters.order or next(iter(known))
    check_name("order", wanted, known)
    return known[wanted]


def list_expressions(columns: Iterable[str]) -> str:
    """Return what to select for columns of ours, in the form that arrives quickest (see `frames.make_frame`).

    The driver makes a Python object of every time and of every text of low cardinality; numbers and plain text it
    passes on as they are.
    """
    forms = {
        Dtype.TIME: "toUnixTimestamp64Milli({name}) AS {name}" + TRAVELLING,
        Dtype.CATEGORY: "CAST({name}, 'String') AS {name}" + TRAVELLING,
    }
    return ", ".join(forms.get(find_dtype(name), "{name}").format(name=name) for name in columns)


def limit_to(filters: TelemetryFilter) -> str:
    """Return the clause that cuts an answer, behind one row more than was asked for: it tells whether there is more."""
    return "" if filters.limit is None else f" LIMIT {int(filters.limit) + 1}"


def make_statement(sql: str, values: Mapping[str, Any]) -> Statement:
    """Return a statement whose columns don't depend on its values."""
    return Statement(sql, values, has_fixed_columns=True)
