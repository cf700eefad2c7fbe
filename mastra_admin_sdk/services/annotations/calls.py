"""Writing back: scores, notes and labels, as methods of `MastraAdmin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from mastra_admin_sdk.errors import InvalidInput

from .rows import Kind, Table, read_annotations
from .service import AnnotationService

if TYPE_CHECKING:
    import pandas as pd

Unknown = Literal["refuse", "skip"]


class AnnotationCalls:
    """`score`, `annotate` and `label`: what people say about traces and spans, stored like all telemetry."""

    _annotations: AnnotationService

    def score(
        self,
        table: pd.DataFrame | Table | None = None,
        *,
        trace_id: str | None = None,
        span_id: str | None = None,
        name: str | None = None,
        score: float | None = None,
        reason: str | None = None,
        author: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        remove: bool = False,
        unknown: Unknown = "refuse",
    ) -> pd.DataFrame:
        """Give traces or spans a number, by keywords or with a row of a table for each.

        A later score of the same author and name for the same trace or span replaces the earlier one. They are read
        with ``admin.scores()``.

        Parameters:
            table: a DataFrame or list of mappings with the columns ``trace_id``, ``span_id`` (missing: the trace as a
                whole), ``name``, ``score``, ``reason``, ``author``, ``metadata``; other columns are left alone.
            trace_id, span_id, name, score, reason, author, metadata: the same for every row, or for the one without a
                table. Of ``trace_id`` here, unlike in a table, the beginning will do, as in `admin.trace`. The author
                is whoever acts unless given, ``metadata`` is any mapping.
            remove: take back what was said; no ``score`` is needed.
            unknown: what to do about traces and spans that aren't stored: ``refuse`` all, or ``skip`` those.

        Returns:
            A row for each row given, in its order: ``trace_id``, ``span_id``, ``name``, ``author``, and ``outcome``:
            ``written``, ``replaced``, ``removed`` or ``unknown``. On return it is on the disk; the next read has it.

        Raises:
            InvalidInput: a row can't be used; the message names row and column. Nothing was written.
            NotFound: a trace or span isn't stored. Nothing was written.

        Example:
            >>> admin.score(trace_id=trace.id, name="helpful", score=1, reason="answers the question")
            >>> spans = admin.spans(type="agent_run", since="1d")
            >>> spans["score"] = spans["output"].str.len().between(10, 2000).astype(float)
            >>> admin.score(spans, name="length")
        """
        given = {"score": score, "reason": reason, "metadata": metadata}
        given |= {"trace_id": trace_id, "span_id": span_id, "name": name, "author": author}
        return self._annotate(Kind.SCORE, table, given, remove, unknown)

    def annotate(
        self,
        table: pd.DataFrame | Table | None = None,
        *,
        trace_id: str | None = None,
        span_id: str | None = None,
        name: str | None = None,
        value: str | float | None = None,
        comment: str | None = None,
        author: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        remove: bool = False,
        unknown: Unknown = "refuse",
    ) -> pd.DataFrame:
        """Leave notes on traces or spans: a text or number, a comment, or both. The name is ``note`` unless given.

        All else is as with `score`: columns ``value`` and ``comment`` take the place of ``score`` and ``reason``. They
        are read with ``admin.feedback()``.

        Example:
            >>> admin.annotate(trace_id=trace.id, comment="the tool was slow that day")
        """
        given = {"value": value, "comment": comment, "metadata": metadata}
        given |= {"trace_id": trace_id, "span_id": span_id, "name": name, "author": author}
        return self._annotate(Kind.NOTE, table, given, remove, unknown)

    def label(
        self,
        table: pd.DataFrame | Table | None = None,
        *,
        trace_id: str | None = None,
        span_id: str | None = None,
        label: str | None = None,
        name: str | None = None,
        comment: str | None = None,
        author: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        remove: bool = False,
        unknown: Unknown = "refuse",
    ) -> pd.DataFrame:
        """Put traces or spans into classes: one label of each name and author. The name is ``label`` unless given.

        All else is as with `score`: columns ``label`` and ``comment`` take the place of ``score`` and ``reason``. They
        are read with ``admin.feedback()``.

        Example:
            >>> admin.label(trace_id=trace.id, name="topic", label="weather")
        """
        given = {"label": label, "comment": comment, "metadata": metadata}
        given |= {"trace_id": trace_id, "span_id": span_id, "name": name, "author": author}
        return self._annotate(Kind.LABEL, table, given, remove, unknown)

    def _annotate(
        self,
        kind: Kind,
        table: pd.DataFrame | Table | None,
        given: Mapping[str, Any],
        remove: bool,
        unknown: Unknown,
    ) -> pd.DataFrame:
        if unknown not in get_args(Unknown):
            raise InvalidInput(f"unknown can't be {unknown!r}.", hint=f"There are: {', '.join(get_args(Unknown))}.")
        if isinstance(given["trace_id"], str):
            given = {**given, "trace_id": self._annotations.complete_trace_id(given["trace_id"])}
        found = read_annotations(kind, table, given, author=self._annotations.author, removed=remove)
        return self._annotations.write(found, skip_unknown=unknown == "skip")
