"""What one can ask of telemetry, as methods of `MastraAdmin`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.services.parts import Parts

from .service import TelemetryService
from .stored import StoredTraces
from .traces import Trace

if TYPE_CHECKING:
    import pandas as pd


class TelemetryReads:
    """Questions answered as DataFrames, what arrives, one trace as an object, and SQL."""

    _telemetry: TelemetryService
    _parts: Parts

    def spans(self, **filters: Any) -> Any:
        """Return spans, newest first.

        Parameters:
            filters: whose: ``team``, ``project``, ``deployment``, ``build``, ``branch``, each one or a list; ids of
                what was deleted too. When: ``since`` and ``until``: ages such as ``"1h"``, dates, aware datetimes or
                Timestamps; ``since="all"`` has no beginning. What: ``type``, ``status`` (``ok``, ``error``,
                ``running``), ``name``, ``agent`` (id or name; of a tool or workflow too), ``model``, ``thread``,
                ``user``, ``trace_id``, each one value or a list; ``text``, in any case;
                ``attributes={"usage.inputTokens": 12}``; ``roots=True`` leaves out what is inside of other spans.
                How: ``limit`` (1000; ``None`` for all), ``order`` (``newest``, ``oldest``, ``slowest``, ``tokens``),
                ``columns``; ``after``: the ``frame.attrs["next"]`` of an answer that was cut, for what comes behind
                it. ``count=True`` returns how many there are, ``chunks=50_000`` an iterator of DataFrames.

        Returns:
            A row a span, columns and dtypes of `ports.columns.SPAN_COLUMNS`: ``start_time`` and ``end_time`` are UTC,
            ``duration_ms`` milliseconds, tokens counts. What was cut is said below the rows and in ``frame.attrs``; a
            search for text or attributes goes 24 hours back unless a time is given.

        Raises:
            InvalidInput: there is no such filter or column; the hint names those that are near.

        Example:
            >>> admin.spans(project="weather-agent", type=["agent_run", "tool_call"], status="error", since="24h")
        """
        return self._telemetry.spans(**filters)

    def logs(self, **filters: Any) -> Any:
        """Return log lines, newest first; filters as in `spans`, with ``level`` and without what only spans have."""
        return self._telemetry.logs(**filters)

    def traces(self, **filters: Any) -> Any:
        """Return a row a trace, newest first (`ports.columns.TRACE_COLUMNS`); filters as in `spans`.

        ``type``, ``status`` and ``name`` are those of its root; ``text``, ``attributes``, ``agent`` and ``model`` of
        any of its spans. ``order`` is also ``cost``, ``spans`` or ``errors``: the most first. ``cost`` is in US dollars
        by the setting ``prices``, missing where a model has no price.
        """
        return self._telemetry.traces(**filters)

    def metrics(self, **filters: Any) -> Any:
        """Return metric points, newest first; filters as in `spans`, of what only they have ``name`` and ``model``."""
        return self._telemetry.metrics(**filters)

    def scores(self, **filters: Any) -> Any:
        """Return scores, newest first; filters as in `spans`, of what only they have ``name``."""
        return self._telemetry.scores(**filters)

    def feedback(self, **filters: Any) -> Any:
        """Return feedback, newest first (`ports.columns.FEEDBACK_COLUMNS`); filters as in `scores`."""
        return self._telemetry.feedback(**filters)

    def latency(self, **filters: Any) -> Any:
        """Return how long ended spans took: count, errors and percentiles in milliseconds.

        Parameters:
            filters: as in `spans`. ``by``: columns to group by (``["name"]`` unless given; `ports.columns.GROUPS`, also
                ``agent``, ``hour``, ``day``, ``week`` and ``month``); ``bucket``: a length of time such as ``"5m"``;
                ``timezone``: whose days (UTC). ``order``: ``most``, ``slowest``, with times ``oldest`` or ``newest``.
                The last 24 hours unless a time is given.

        Returns:
            A row a group: its columns, then `ports.columns.LATENCY_MEASURES`; ``error_rate`` is from 0 to 1.

        Example:
            >>> admin.latency(project="weather-agent", by=["name"], bucket="5m", since="2h")
        """
        return self._telemetry.latency(**filters)

    def usage(self, **filters: Any) -> Any:
        """Return tokens and what they cost, grouped as in `latency` (``by=["model"]`` unless given).

        Returns:
            A row a group: its columns, then `ports.columns.USAGE_MEASURES`; ``cost`` is in US dollars by the setting
            ``prices``. Steps repeat the tokens of their generation: each token is counted once.

        Example:
            >>> admin.usage(by=["agent", "model", "day"], since="30d", timezone="Europe/Berlin")
        """
        return self._telemetry.usage(**filters)

    def errors(self, **filters: Any) -> Any:
        """Return kinds of errors, the most frequent first, with an example of each; filters as in `spans`.

        Messages that differ only in numbers, ids, quoted text, addresses and paths are one kind. The last 24 hours
        unless a time is given. ``order``: ``most``, ``newest``, ``oldest``.

        Returns:
            A row a kind (`ports.columns.ERROR_COLUMNS`): the message without what differs, counts of spans and traces,
            when it was first and last seen, and the newest span that ended so.
        """
        return self._telemetry.errors(**filters)

    def threads(self, **filters: Any) -> Any:
        """Return a row a thread, the one used last first (`ports.columns.THREAD_COLUMNS`); filters as in `traces`.

        Of the traces of the last 24 hours unless a time is given. ``order``: ``newest``, ``oldest``, ``most``.
        """
        return self._telemetry.threads(**filters)

    def tail(self, of: str = "spans", *, poll: float | None = None, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield spans as they end, or log lines, each once, in the order in which they arrive.

        Ctrl-C while it waits ends the loop, and so does closing the iterator.

        Parameters:
            of: ``spans`` or ``logs``.
            poll: seconds between two looks; the setting ``telemetry_poll_seconds`` unless given.
            filters: as in `spans` or `logs`. With ``since`` it begins with what is stored already; ``limit`` ends it.

        Example:
            >>> for span in admin.tail(project="weather-agent", status="error"):
            ...     print(span["name"], span["error"])
        """
        return self._telemetry.tail(of, poll=poll, **filters)

    def rejects(self, limit: int = 1000) -> pd.DataFrame:
        """Return telemetry lines that could not be stored, newest first, with the reason for each."""
        return self._telemetry.rejects(limit)

    def trace(self, trace_id: str, *, wait: float = 0.0) -> Trace:
        """Return one trace: a waterfall in a notebook, a tree in a terminal.

        A `Trace` has ``frame``, ``tree``, ``logs``, ``scores``, ``duration``, ``tokens``, ``find(…)``, ``to_json()``
        and ``url``.

        Parameters:
            trace_id: 32 hex characters, as in the column ``trace_id``; 6 or more will do if no other begins so.
            wait: seconds to wait for it to be complete, right after a call.

        Raises:
            NotFound: no span of it is stored.
            InvalidInput: several begin so; the hint names some.
        """
        frame = self._telemetry.trace(trace_id, wait=wait)
        return Trace(str(frame["trace_id"].iloc[0]), frame, StoredTraces(self._telemetry, self._parts))

    def complete_trace_id(self, beginning: str) -> str:
        """Return the whole id of the one trace that begins so: for filters, which compare whole ids.

        Raises:
            NotFound: no trace begins so, or less than 6 characters are given.
            InvalidInput: several do; the hint names some.

        Example:
            >>> admin.spans(trace_id=admin.complete_trace_id("f98b9b94f12a"))
        """
        return self._telemetry.complete_trace_id(beginning)

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run a read-only query on the telemetry, with bound parameters.

        Example:
            >>> admin.sql("SELECT count() AS n FROM mastra_admin_spans WHERE name = %(name)s", {"name": "agent run"})
        """
        return self._telemetry.sql(query, parameters)
