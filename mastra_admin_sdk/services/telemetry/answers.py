"""Answers that say what they leave out: a DataFrame with a line below it, when it was cut or its time was limited."""

from __future__ import annotations

import copy
import html
from collections.abc import Mapping
from typing import Any

import pandas as pd

from .wording import PYTHON, list_notes


class TelemetryFrame(pd.DataFrame):
    """A DataFrame that says below its rows what isn't among them; all that is made of it is a plain `pandas.DataFrame`.

    ``attrs`` holds the same in words for programs (see `wording.list_notes`), as JSON can hold it.
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __reduce__(self) -> Any:
        # Whoever unpickles it need not have this package.
        return copy.copy, (self.copy(),)

    def __repr__(self) -> str:
        notes = "\n".join(self._list_notes())
        shown = repr(self.copy(deep=False))
        return f"{shown}\n\n{notes}" if notes else shown

    def _repr_html_(self) -> str | None:
        shown: str | None = self.copy(deep=False)._repr_html_()
        notes = "".join(f"<p>{html.escape(note, quote=False)}</p>" for note in self._list_notes())
        return None if shown is None else f"{shown}{notes}"

    def _list_notes(self) -> list[str]:
        return list_notes(self.attrs, len(self), PYTHON)


def make_answer(frame: pd.DataFrame, facts: Mapping[Any, Any]) -> pd.DataFrame:
    """Return a DataFrame with facts in its ``attrs``; one that shows them when there is something to say."""
    attrs = {**frame.attrs, **facts}
    answer = TelemetryFrame(frame) if list_notes(attrs, len(frame), PYTHON) else frame
    answer.attrs = attrs
    return answer
