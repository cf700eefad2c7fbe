"""Readable names beside ids in an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from mastra_admin_sdk.services.labels import ObjectNames

_RECORDS = frozenset({"project", "deployment", "build"})
_SHORT = 8


def name_groups(frame: pd.DataFrame, by: str | None, column: str | None, names: ObjectNames) -> pd.DataFrame:
    """Return an answer whose groups are in a column called ``by``, with the names of what ids stand for.

    What was deleted is called by the beginning of its id.
    """
    if by is None or column is None:
        return frame
    if by == column and frame[column].dtype != "category":
        return frame
    labels = frame[column].astype(object)
    if by in _RECORDS:
        known = {each: names.find(by, each) or str(each)[:_SHORT] for each in labels.unique()}
        labels = labels.map(known)
    attrs = frame.attrs
    named = frame.assign(**{by: labels.fillna("").astype(object)})
    named.attrs = attrs
    return named
