"""DataFrames with fixed columns and dtypes, also when they are empty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def make_frame(columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a DataFrame.

    Parameters:
        columns: name and dtype of each column, in order. Text is ``object`` with ``None`` for "not there".
        rows: a mapping each; what a row doesn't have is null, what ``columns`` doesn't name is left out.
    """
    import pandas as pd

    listed = list(rows)
    return pd.DataFrame(
        {name: _make_series([row.get(name) for row in listed], dtype) for name, dtype in columns.items()}
    )


def _make_series(values: list[Any], dtype: str) -> pd.Series[Any]:
    import pandas as pd

    if dtype.startswith("datetime64"):
        return pd.Series(pd.to_datetime(pd.Series(values, dtype="object"), utc=True).astype(dtype))  # type: ignore[call-overload]
    if dtype == "float64":
        return pd.Series([float("nan") if value is None else float(value) for value in values], dtype=dtype)
    if dtype == "category":
        # Of text also when there is none: a category without values would be one of numbers.
        known = sorted({str(value) for value in values if value is not None})
        return pd.Series(pd.Categorical(values, categories=pd.Index(known, dtype="object")))
    return pd.Series(values, dtype=dtype)
