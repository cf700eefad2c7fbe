"""Values beside the query: types, text forms, and what can't be bound."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement, bind, encode
from mastra_admin_sdk.errors import InvalidInput

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


@pytest.mark.parametrize(
    ("value", "type", "text"),
    [
        ("it's\t\\", "String", "it's\\t\\\\"),
        (5, "Int64", "5"),
        (np.int64(7), "Int64", "7"),
        (True, "Bool", "true"),
        (0.5, "Float64", "0.5"),
        (MOMENT, "DateTime64(6, 'UTC')", "2026-01-02 03:04:05.678901"),
        (MOMENT.astimezone(timezone(timedelta(hours=9))), "DateTime64(6, 'UTC')", "2026-01-02 03:04:05.678901"),
        (pd.Timestamp(MOMENT), "DateTime64(6, 'UTC')", "2026-01-02 03:04:05.678901"),
        (date(2026, 1, 2), "Date", "2026-01-02"),
        (uuid.UUID(int=1), "UUID", "00000000-0000-0000-0000-000000000001"),
        (["a", "b'c"], "Array(String)", "['a', 'b\\'c']"),
        ([1, 2.5], "Array(Float64)", "[1, 2.5]"),
        ((), "Array(String)", "[]"),
    ],
    ids=[
        "text",
        "int",
        "numpy",
        "bool",
        "float",
        "time",
        "zone",
        "pandas",
        "date",
        "uuid",
        "texts",
        "numbers",
        "empty",
    ],
)
def test_a_value_gets_a_typed_placeholder(value: Any, type: str, text: str) -> None:
    statement = bind("SELECT %(x)s", {"x": value})
    assert statement.sql == f"SELECT {{x:{type}}}"
    assert encode(statement.values["x"]) == text


def test_nothing_becomes_null() -> None:
    assert bind("SELECT %(x)s", {"x": None}) == Statement("SELECT NULL", {})


def test_without_parameters_a_query_stays_as_it_is() -> None:
    assert bind("SELECT 5 % 3, '%(x)s', '%%'", None) == Statement("SELECT 5 % 3, '%(x)s', '%%'")


def test_with_parameters_two_per_cent_signs_are_one() -> None:
    assert bind("SELECT %(x)s %% 3 WHERE a LIKE '%b'", {"x": 1}).sql == "SELECT {x:Int64} % 3 WHERE a LIKE '%b'"


def test_placeholders_of_clickhouse_itself_get_their_values_too() -> None:
    assert bind("SELECT {x:String}", {"x": "a"}) == Statement("SELECT {x:String}", {"x": "a"})


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"y": 1}, "no parameter 'x'"),
        ({"x": object()}, "can't be bound"),
        ({"x": [1, "a"]}, "mixes"),
        ({"x": datetime(2026, 1, 1)}, "no time zone"),
    ],
    ids=["missing", "object", "mixed-list", "naive-time"],
)
def test_what_can_not_be_bound_is_refused_in_words(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        bind("SELECT %(x)s", parameters)
