"""The questions that a store answers: each one a statement, run, and made a DataFrame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.observability import (
    ERROR_COLUMNS,
    LATENCY_MEASURES,
    REJECT_COLUMNS,
    SPAN_COLUMNS,
    THREAD_COLUMNS,
    TRACE_COLUMNS,
    USAGE_MEASURES,
    Cursor,
    Grouping,
    Listing,
    ObservabilityStore,
    TelemetryFilter,
)

from . import queries
from .parameters import Statement, bind
from .queries.activity import build_activity

if TYPE_CHECKING:
    import pandas as pd

_SEARCHED_FIRST = 20_000
T = TypeVar("T")
Read = Callable[[Any, dict[str, Any]], T]


class Answers(ObservabilityStore):
    """Answers questions; how a statement is run is left to the store."""

    @abstractmethod
    def _ask(self, what: str, statement: Statement, read: Read[T]) -> T:
        """Run a statement: ``read`` gets a connection and the arguments of its query."""

    @abstractmethod
    def _stream(self, what: str, statement: Statement) -> Iterator[Any]:
        """Run a statement and yield its result as Arrow tables, as it comes; closing the iterator ends the query."""

    def spans(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return spans."""
        running, total = self._look_around(filters)
        columns = queries.pick_columns(filters, SPAN_COLUMNS)

        def read(filters: TelemetryFilter) -> pd.DataFrame:
            statement = queries.build_list(queries.SPANS, filters, running=running)
            return self._read_page("Reading spans", statement, columns, filters)

        frame = self._read_newest(filters, read)
        if total is not None and running:
            # Those that run were not counted with the others: as a rule there are none, or few.
            return self._cut(frame, filters, lambda: self.count(Listing.SPANS, filters))
        return self._cut(frame, filters, lambda: total)

    def logs(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return log lines."""
        return self._list(Listing.LOGS, filters)

    def metrics(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return metric points."""
        return self._list(Listing.METRICS, filters)

    def scores(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return scores."""
        return self._list(Listing.SCORES, filters)

    def feedback(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return feedback."""
        return self._list(Listing.FEEDBACK, filters)

    def traces(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return a row a trace."""
        running = self._has_open_spans()
        columns = queries.pick_columns(filters, TRACE_COLUMNS)

        def read(filters: TelemetryFilter) -> pd.DataFrame:
            return self._read_page("Reading traces", queries.build_traces(filters, running=running), columns, filters)

        return self._cut(self._read_newest(filters, read), filters, lambda: None)

    def trace(self, trace_id: str) -> pd.DataFrame:
        """Return all spans of one trace."""
        times = self._read_arrow(f"Looking for trace {trace_id}", queries.build_trace_times(trace_id)).to_pydict()
        first, last = min(times["first"], default=0), max(times["last"], default=0)
        statement = queries.build_trace(trace_id, first, last, running=any(times["open"]))
        return self._read(f"Reading trace {trace_id}", statement, SPAN_COLUMNS)

    def find_traces(self, beginning: str, limit: int) -> Sequence[str]:
        """Return ids of traces that begin with a text."""
        statement = queries.build_trace_ids(beginning, limit)
        return list(self._read_arrow("Looking for traces", statement).to_pydict()["trace_id"])

    def latency(self, filters: TelemetryFilter, grouping: Grouping) -> pd.DataFrame:
        """Return how long spans took."""
        columns = (*queries.list_group_columns(grouping), *LATENCY_MEASURES)
        return self._group("Measuring latency", queries.build_latency(filters, grouping), filters, columns)

    def usage(self, filters: TelemetryFilter, grouping: Grouping) -> pd.DataFrame:
        """Return tokens and cost."""
        columns = (*queries.list_group_columns(grouping), *USAGE_MEASURES)
        statement = queries.build_usage(filters, grouping, running=self._has_open_spans())
        return self._group("Adding up tokens", statement, filters, columns)

    def errors(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return kinds of errors."""
        return self._group("Grouping errors", queries.build_errors(filters), filters, ERROR_COLUMNS)

    def threads(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return a row a thread."""
        statement = queries.build_threads(filters, running=self._has_open_spans())
        return self._group("Reading threads", statement, filters, THREAD_COLUMNS)

    def count(self, listing: Listing, filters: TelemetryFilter) -> int:
        """Return how many rows a listing has."""
        has_spans = listing in {Listing.SPANS, Listing.TRACES}
        running = has_spans and self._has_open_spans()
        if listing is Listing.TRACES:
            statement = queries.build_trace_count(filters, running=running)
        else:
            statement = queries.build_count(_find_subject(listing), filters, running=running)
        return int(self._read_numbers(f"Counting {listing}", statement)["rows"])

    def iterate(self, listing: Listing, filters: TelemetryFilter, rows: int) -> Iterator[pd.DataFrame]:
        """Yield a listing in parts."""
        if listing is Listing.TRACES:
            return self._iterate_traces(filters, rows)
        return self._iterate_pages(_find_subject(listing), filters, rows)

    def follow(
        self, listing: Listing, filters: TelemetryFilter, after: Cursor | None = None
    ) -> tuple[pd.DataFrame, Cursor]:
        """Return what arrived after a cursor."""
        if listing not in {Listing.SPANS, Listing.LOGS}:
            raise InvalidInput(f"The {listing} can't be followed.", hint="Spans and logs can.")
        subject = _find_subject(listing)
        if after is None and filters.since is None:
            newest = self._read_keys(f"Following {listing}", queries.build_newest_arrival(subject), ())
            empty, _ = self._follow(subject, replace(filters, limit=0), Cursor((0,)))
            return empty, queries.read_cursor(Cursor((0,)), newest[1])
        return self._follow(subject, filters, after or Cursor())

    def activity(self, since: datetime, until: datetime) -> pd.DataFrame:
        """Return what happened in a range of time, a row a deployment."""
        from .results import read_any

        statement = build_activity(since, until)
        return self._ask("Counting traces", statement, lambda client, call: read_any(client, call))

    def rejects(self, limit: int = 1000) -> pd.DataFrame:
        """Return lines that could not be stored."""
        return self._read("Reading rejected lines", queries.build_rejects(limit), REJECT_COLUMNS)

    def count_rejects(self) -> int:
        """Return how many lines could not be stored."""
        # Without a DataFrame: a process that only ingests never loads pandas.
        statement = bind(queries.COUNT_REJECTS, None)
        return self._ask("Counting rejected lines", statement, lambda client, call: int(client.execute(**call)[0][0]))

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run one read-only query."""
        from .results import read_any

        statement = bind(query, parameters)
        return self._ask("The query", statement, lambda client, call: read_any(client, call))

    def _list(self, listing: Listing, filters: TelemetryFilter) -> pd.DataFrame:
        subject = _find_subject(listing)
        columns = queries.pick_columns(filters, subject.columns)
        frame = self._read_page(f"Reading {listing}", queries.build_list(subject, filters), columns, filters)
        return self._cut(frame, filters, lambda: self.count(listing, filters) if _is_quick(filters) else None)

    def _group(self, what: str, statement: Statement, filters: TelemetryFilter, columns: Sequence[str]) -> pd.DataFrame:
        frame = self._read(what, statement, queries.pick_columns(filters, columns))
        return self._cut(frame, filters, lambda: None)

    def _iterate_pages(self, subject: queries.Subject, filters: TelemetryFilter, rows: int) -> Iterator[pd.DataFrame]:
        columns = queries.pick_columns(filters, subject.columns)
        keys = [f"{queries.KEY}{place}" for place in range(len(subject.key) + 1)]
        left, after = filters.limit, filters.after or ()
        while left is None or left > 0:
            page = queries.Page(rows if left is None else min(rows, left), after)
            running = subject is queries.SPANS and self._has_open_spans()
            table = self._read_arrow(
                f"Reading {subject.name}", queries.build_list(subject, filters, running=running, page=page)
            )
            if table.num_rows:
                yield _make_frame(table, columns)
            if table.num_rows < page.rows:
                return
            after = tuple(table.column(key)[-1].as_py() for key in keys)
            left = None if left is None else left - table.num_rows

    def _iterate_traces(self, filters: TelemetryFilter, rows: int) -> Iterator[pd.DataFrame]:
        import pyarrow as pa

        columns = queries.pick_columns(filters, TRACE_COLUMNS)
        # The statement asks for one more than the limit.
        asked = filters if filters.limit is None else replace(filters, limit=filters.limit - 1)
        statement = queries.build_traces(asked, running=self._has_open_spans())
        waiting: list[Any] = []
        for table in self._stream("Reading traces", statement):
            waiting.append(table)
            while sum(part.num_rows for part in waiting) >= rows:
                whole = pa.concat_tables(waiting)
                yield _make_frame(whole.slice(0, rows), columns)
                waiting = [whole.slice(rows)]
        if any(part.num_rows for part in waiting):
            yield _make_frame(pa.concat_tables(waiting), columns)

    def _follow(self, subject: queries.Subject, filters: TelemetryFilter, after: Cursor) -> tuple[pd.DataFrame, Cursor]:
        columns = queries.pick_columns(filters, subject.columns)
        statement = queries.build_arrivals(subject, filters, after)
        frame, rows = self._read_keys(f"Following {subject.name}", statement, columns)
        return frame, queries.read_cursor(after, rows)

    def _look_around(self, filters: TelemetryFilter) -> tuple[bool, int | None]:
        """Return whether spans run, and how many have ended, where that is wanted and quick to tell."""
        if filters.limit is None or not _is_quick(filters):
            return self._has_open_spans(), None
        found = self._read_numbers("Counting spans", queries.build_look_around(filters))
        return bool(found["open"]), found["rows"]

    def _has_open_spans(self) -> bool:
        # A span that ends after this look is found among the finished ones; one that begins is seen by the next read.
        return bool(self._read_numbers("Counting open spans", queries.build_open_count())["open"])

    def _cut(self, frame: pd.DataFrame, filters: TelemetryFilter, count: Callable[[], int | None]) -> pd.DataFrame:
        """Leave out the row that only shows that there is more, and say how much more."""
        is_cut = filters.limit is not None and len(frame) > filters.limit
        if not is_cut:
            frame.attrs["truncated"] = False
            return frame
        total = count()
        frame = frame.iloc[: filters.limit]
        # What was counted before may be less by now.
        more = max(total, len(frame) + 1) if total is not None else None
        frame.attrs = {**frame.attrs, "truncated": True, "total": more}
        return frame

    def _read(self, what: str, statement: Statement, columns: Sequence[str]) -> pd.DataFrame:
        return self._ask(what, statement, lambda client, call: _make_frame(client.query_arrow(**call), columns))

    def _read_newest(self, filters: TelemetryFilter, read: Callable[[TelemetryFilter], pd.DataFrame]) -> pd.DataFrame:
        """Read rows; where long texts have to be searched, first those of the newest spans, which are often enough."""
        if _is_quick(filters) or not filters.limit or filters.order not in {None, "newest"}:
            return read(filters)
        newest = self._read_numbers("Looking for the newest spans", queries.build_newest(filters, _SEARCHED_FIRST))
        if newest["rows"] == _SEARCHED_FIRST:
            frame = read(replace(filters, since=datetime.fromtimestamp(newest["begin"] / 1000, UTC)))
            if len(frame) > filters.limit:
                return frame
        return read(filters)

    def _read_page(
        self, what: str, statement: Statement, columns: Sequence[str], filters: TelemetryFilter
    ) -> pd.DataFrame:
        """Return rows; of more than the limit with the place of the last that will be left."""
        table = self._read_arrow(what, statement)
        frame = _make_frame(table, columns)
        if filters.limit and table.num_rows > filters.limit:
            keys = [name for name in table.column_names if name.startswith(queries.KEY)]
            frame.attrs["place"] = tuple(table.column(key)[filters.limit - 1].as_py() for key in keys)
        return frame

    def _read_arrow(self, what: str, statement: Statement) -> Any:
        return self._ask(what, statement, lambda client, call: client.query_arrow(**call))

    def _read_numbers(self, what: str, statement: Statement) -> dict[str, int]:
        """Return the only row of an answer."""
        (row,) = self._read_arrow(what, statement).to_pylist()
        return {name: int(value) for name, value in row.items()}

    def _read_keys(
        self, what: str, statement: Statement, columns: Sequence[str]
    ) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
        table = self._read_arrow(what, statement)
        stored_at, hashes = (table.column(name).to_pylist() for name in (queries.STORED_AT, queries.HASH))
        return _make_frame(table, columns), list(zip(stored_at, hashes, strict=True))


def _find_subject(listing: Listing) -> queries.Subject:
    return queries.SPANS if listing is Listing.SPANS else queries.LISTS[listing]


def _is_quick(filters: TelemetryFilter) -> bool:
    """Tell whether the rows that match can be counted without reading long texts."""
    return not filters.text and not filters.attributes


def _make_frame(table: Any, columns: Sequence[str]) -> pd.DataFrame:
    from .frames import make_frame

    return make_frame(table, columns)
