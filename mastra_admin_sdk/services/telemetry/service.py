"""Reading telemetry: what people ask goes to the store, and answers say what they leave out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.ports.observability import Grouping, Listing, ObservabilityStore, TelemetryFilter
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import Resolver

from .asking import EVERYTHING, Asked, Asker
from .ingestion import Ingester
from .moments import Moment as Moment
from .moments import parse_moment as parse_moment
from .places import write_place
from .price_table import read_currency, read_prices
from .tailing import follow
from .trace_ids import complete_trace_id

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAILED = (Listing.SPANS, Listing.LOGS)
Read = Callable[[ObservabilityStore, TelemetryFilter], "pd.DataFrame"]


class TelemetryService:
    """Answers questions about what agents did. Every read first sees that what the files hold is stored.

    With ``count=True`` an answer is a number, with ``chunks`` an iterator of DataFrames, else a DataFrame.
    """

    def __init__(self, parts: Parts, resolver: Resolver, ingester: Ingester) -> None:
        self._parts, self._resolver, self._ingester = parts, resolver, ingester
        table = parts.settings.prices
        self.prices, self.currency = read_prices(table), read_currency(table)
        self._asker = Asker(parts, resolver, self.prices)

    def make_filter(self, **filters: Any) -> TelemetryFilter:
        """Turn what a person wrote into a filter; `NotFound` and `InvalidInput` say what was not understood."""
        return self._asker.understand(Listing.SPANS, filters).filters

    def spans(self, **filters: Any) -> pd.DataFrame:
        """Return spans (`ports.columns.SPAN_COLUMNS`)."""
        return self._list(Listing.SPANS, filters, lambda store, wanted: store.spans(wanted))

    def logs(self, **filters: Any) -> pd.DataFrame:
        """Return log lines (`ports.columns.LOG_COLUMNS`)."""
        return self._list(Listing.LOGS, filters, lambda store, wanted: store.logs(wanted))

    def traces(self, **filters: Any) -> pd.DataFrame:
        """Return a row a trace (`ports.columns.TRACE_COLUMNS`)."""
        return self._list(Listing.TRACES, filters, lambda store, wanted: store.traces(wanted))

    def metrics(self, **filters: Any) -> pd.DataFrame:
        """Return metric points (`ports.columns.METRIC_COLUMNS`)."""
        return self._list(Listing.METRICS, filters, lambda store, wanted: store.metrics(wanted))

    def scores(self, **filters: Any) -> pd.DataFrame:
        """Return scores (`ports.columns.SCORE_COLUMNS`)."""
        return self._list(Listing.SCORES, filters, lambda store, wanted: store.scores(wanted))

    def feedback(self, **filters: Any) -> pd.DataFrame:
        """Return feedback (`ports.columns.FEEDBACK_COLUMNS`)."""
        return self._list(Listing.FEEDBACK, filters, lambda store, wanted: store.feedback(wanted))

    def latency(self, **filters: Any) -> pd.DataFrame:
        """Return how long spans took, by name unless said otherwise (`ports.columns.LATENCY_MEASURES`)."""
        asked, grouping = self._understand_groups("latency", filters, "name")
        return self._summarize(asked, lambda store, wanted: store.latency(wanted, grouping))

    def usage(self, **filters: Any) -> pd.DataFrame:
        """Return tokens and cost, by model unless said otherwise (`ports.columns.USAGE_MEASURES`)."""
        asked, grouping = self._understand_groups("usage", filters, "model")
        return self._summarize(asked, lambda store, wanted: store.usage(wanted, grouping))

    def errors(self, **filters: Any) -> pd.DataFrame:
        """Return kinds of errors (`ports.columns.ERROR_COLUMNS`)."""
        asked = self._asker.understand("errors", filters)
        return self._summarize(asked, lambda store, wanted: store.errors(wanted))

    def threads(self, **filters: Any) -> pd.DataFrame:
        """Return a row a thread (`ports.columns.THREAD_COLUMNS`)."""
        asked = self._asker.understand("threads", filters)
        return self._summarize(asked, lambda store, wanted: store.threads(wanted))

    def tail(self, of: str = "spans", *, poll: float | None = None, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield spans that end, or log lines, as they arrive."""
        if of not in _TAILED:
            raise InvalidInput(f"{of!r} can't be followed.", hint=f"There are: {', '.join(_TAILED)}.")
        asked = self._asker.understand(of, {"limit": None, **filters})
        if asked.count or asked.chunks:
            raise InvalidInput("What arrives comes row by row.", hint="Leave count and chunks out.")
        # An age by default is for answers that end: this one begins now.
        wanted = replace(asked.filters, since=None) if asked.default_since else asked.filters
        if filters.get("since") == EVERYTHING:
            wanted = replace(wanted, since=_EPOCH)
        seconds = poll if poll is not None else float(self._parts.settings.telemetry_poll_seconds)
        return follow(self._open, Listing(of), wanted, poll=seconds)

    def rejects(self, limit: int = 1000) -> pd.DataFrame:
        """Return lines that could not be stored (`ports.columns.REJECT_COLUMNS`)."""
        return self._open().rejects(limit)

    def complete_trace_id(self, given: str) -> str:
        """Return the id of the one trace that begins so, of 6 characters or more; a whole id as it is.

        Raises:
            NotFound: no trace begins so, or too little is given.
            InvalidInput: several do; the hint names some.
        """
        return complete_trace_id(self._open(), given)

    def trace(self, trace_id: str, *, wait: float = 0.0) -> pd.DataFrame:
        """Return the spans of one trace, oldest first; wait up to ``wait`` seconds until its root has ended.

        Parameters:
            trace_id: its id, or as much of the beginning as `complete_trace_id` takes.

        Raises:
            NotFound: no span of that trace is stored.
            InvalidInput: several traces begin so.
        """
        deadline = time.monotonic() + wait
        while True:
            frame = self._find_trace(trace_id, may_come=time.monotonic() < deadline)
            if is_complete(frame) or time.monotonic() >= deadline:
                break
            time.sleep(0.1)
        if frame.empty:
            raise NotFound(
                f"There is no trace {trace_id!r}.",
                hint="Traces appear within about three seconds; wait for one with trace(id, wait=10). "
                "admin.traces() lists those that are stored.",
            )
        return frame

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run a read-only query with bound parameters (``%(name)s``)."""
        return self._open().sql(query, parameters)

    def _find_trace(self, given: str, *, may_come: bool) -> pd.DataFrame:
        store = self._open()
        try:
            return store.trace(complete_trace_id(store, given))
        except NotFound:
            if not may_come:
                raise
            return store.trace(given)

    def _list(self, listing: Listing, given: Mapping[str, Any], read: Read) -> pd.DataFrame:
        asked = self._asker.understand(listing, given)
        store = self._open()
        if asked.count:
            return cast("pd.DataFrame", store.count(listing, asked.filters))
        if asked.chunks:
            parts = store.iterate(listing, asked.filters, asked.chunks)
            return cast("pd.DataFrame", self._answer_parts(asked, parts))
        return self._answer(asked, read(store, asked.filters), "newest")

    def _summarize(self, asked: Asked, read: Read) -> pd.DataFrame:
        store = self._open()
        if asked.count:
            return cast("pd.DataFrame", len(read(store, replace(asked.filters, limit=None, columns=None))))
        frame = read(store, asked.filters)
        if asked.chunks:
            size = asked.chunks
            parts = (frame.iloc[start : start + size] for start in range(0, len(frame), size))
            return cast("pd.DataFrame", self._answer_parts(asked, parts))
        return self._answer(asked, frame)

    def _answer_parts(self, asked: Asked, parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for part in parts:
            yield self._answer(asked, part, "newest")

    def _answer(self, asked: Asked, frame: pd.DataFrame, order: str | None = None) -> pd.DataFrame:
        from .answers import make_answer

        facts = asked.list_facts(order)
        if place := frame.attrs.pop("place", None):
            facts["next"] = write_place(asked.question, asked.filters.order, place)
        if "cost" in frame and asked.question != Listing.METRICS:
            facts |= {"currency": self.currency, "unpriced": self._find_unpriced(asked, frame)}
        return make_answer(frame, facts)

    def _find_unpriced(self, asked: Asked, frame: pd.DataFrame) -> str | None:
        """Return ``all`` when nothing has a price, ``some`` when a model that is used has none."""
        if not self.prices:
            return "all" if asked.question == "usage" and len(frame) else None
        if not {"input_tokens", "output_tokens"} <= set(frame.columns):
            return None
        has_tokens = frame["input_tokens"].notna() | frame["output_tokens"].notna()
        return "some" if bool((has_tokens & frame["cost"].isna()).any()) else None

    def _understand_groups(self, question: str, given: Mapping[str, Any], by: str) -> tuple[Asked, Grouping]:
        asked = self._asker.understand(question, given)
        is_said = given.get("by") is not None or asked.grouping.bucket is not None
        return asked, asked.grouping if is_said else replace(asked.grouping, by=(by,))

    def _open(self) -> ObservabilityStore:
        self._ingester.catch_up()
        self._parts.observability.init()
        return self._parts.observability


def is_complete(frame: pd.DataFrame) -> bool:
    """True when a trace's root is there and every span of it has ended."""
    if frame.empty:
        return False
    has_root = bool((frame["parent_span_id"].isna() | (frame["parent_span_id"] == "")).any())
    return has_root and not bool((frame["status"] == "running").any())
