"""What one can ask of telemetry, as methods of `MastraAdmin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.services.parts import Parts

from .service import TelemetryService
from .stored import StoredTraces
from .traces import Trace

if TYPE_CHECKING:
    import pandas as pd


class TelemetryReads:
    """Spans, logs, traces, metrics and scores as DataFrames, one trace as an object, and SQL."""

    _telemetry: TelemetryService
    _parts: Parts

    def spans(self, **filters: Any) -> pd.DataFrame:
        """Return spans, newest first.

        Parameters:
            filters: ``project``, ``deployment``, ``build``; ``since`` and ``until`` (``"1h"``, aware datetimes);
                ``trace_id``, ``type``, ``status`` (``ok``, ``error``, ``running``), ``name``, ``text``,
                ``thread_id``, ``resource_id``; ``limit`` (1000; ``None`` for all), ``order``, ``columns``.

        Returns:
            A row a span, columns and dtypes of `ports.observability.SPAN_COLUMNS`: ``start_time`` and ``end_time``
            are UTC, ``duration_ms`` milliseconds, tokens counts. ``frame.attrs["truncated"]`` says whether the limit
            cut it.

        Example:
            >>> admin.spans(project="weather-agent", type="agent_run", status="error", since="24h")
        """
        return self._telemetry.spans(**filters)

    def logs(self, **filters: Any) -> pd.DataFrame:
        """Return log lines, newest first; filters as in `spans`, and ``level``."""
        return self._telemetry.logs(**filters)

    def traces(self, **filters: Any) -> pd.DataFrame:
        """Return a row a trace, newest first; filters as in `spans`."""
        return self._telemetry.traces(**filters)

    def metrics(self, **filters: Any) -> pd.DataFrame:
        """Return metric points, newest first; filters as in `spans`."""
        return self._telemetry.metrics(**filters)

    def scores(self, **filters: Any) -> pd.DataFrame:
        """Return scores, newest first; filters as in `spans`."""
        return self._telemetry.scores(**filters)

    def rejects(self, limit: int = 1000) -> pd.DataFrame:
        """Return telemetry lines that could not be stored, newest first, with the reason for each."""
        return self._telemetry.rejects(limit)

    def trace(self, trace_id: str, *, wait: float = 0.0) -> Trace:
        """Return one trace: a waterfall in a notebook, a tree in a terminal, ``.frame`` for its spans.

        Parameters:
            trace_id: 32 hex characters, as in the column ``trace_id``.
            wait: seconds to wait for it to be complete, right after a call.

        Raises:
            NotFound: no span of it is stored.
        """
        return Trace(trace_id, self._telemetry.trace(trace_id, wait=wait), StoredTraces(self._telemetry, self._parts))

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run a read-only query on the telemetry, with bound parameters.

        Example:
            >>> admin.sql("SELECT count() AS n FROM mastra_admin_spans WHERE name = %(name)s", {"name": "agent run"})
        """
        return self._telemetry.sql(query, parameters)
