"""Inputs and outputs of spans, as the store holds them: text, or JSON of anything else."""

from __future__ import annotations

import json
from typing import Any


def read_value(text: Any) -> Any:
    """Return a stored input or output: the value if it is JSON of an object, a list or a text, else the text itself.

    Text such as ``42`` or ``true`` stays text: it is more often what a person wrote than a number.
    """
    if not isinstance(text, str) or not text.lstrip().startswith(("{", "[", '"')):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # a text that only looks like JSON


def is_missing(value: object) -> bool:
    """True for ``None`` and for what a DataFrame has where there is nothing; never for a list or another object."""
    if value is None:
        return True
    import pandas as pd

    return bool(pd.api.types.is_scalar(value) and pd.isna(value))  # type: ignore[call-overload]
