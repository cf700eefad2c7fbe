"""Where telemetry is stored and read, as pandas DataFrames.

Every DataFrame has fixed columns and dtypes, also when it is empty: times are ``datetime64[ms, UTC]``, text of few
distinct values is ``category``, other text ``object`` with ``None`` for "not there" unless said otherwise, durations
are milliseconds. `SPAN_COLUMNS` and its like list them.

``frame.attrs["truncated"]`` says whether the limit cut an answer, and then ``frame.attrs["total"]`` how many rows there
are in all, or ``None`` where counting would take as long as reading. A listing that was cut also has
``frame.attrs["place"]``: given as ``after``, the next answer begins behind its last row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .columns import ACTIVITY_COLUMNS as ACTIVITY_COLUMNS
from .columns import ERROR_COLUMNS as ERROR_COLUMNS
from .columns import FEEDBACK_COLUMNS as FEEDBACK_COLUMNS
from .columns import LATENCY_MEASURES as LATENCY_MEASURES
from .columns import LOG_COLUMNS as LOG_COLUMNS
from .columns import METRIC_COLUMNS as METRIC_COLUMNS
from .columns import REJECT_COLUMNS as REJECT_COLUMNS
from .columns import SCORE_COLUMNS as SCORE_COLUMNS
from .columns import SPAN_COLUMNS as SPAN_COLUMNS
from .columns import THREAD_COLUMNS as THREAD_COLUMNS
from .columns import TRACE_COLUMNS as TRACE_COLUMNS
from .columns import USAGE_MEASURES as USAGE_MEASURES

if TYPE_CHECKING:
    import pandas as pd


class Stream(StrEnum):
    """The two kinds of telemetry file: what observability exports, and log lines."""

    SPANS = "spans"
    LOGS = "logs"


class Listing(StrEnum):
    """Answers with a row for each thing that is stored: these can be counted, and read in parts."""

    SPANS = "spans"
    LOGS = "logs"
    METRICS = "metrics"
    SCORES = "scores"
    FEEDBACK = "feedback"
    TRACES = "traces"


Values = str | tuple[str, ...]
"""One value, or any of several."""

Scalar = str | float | bool
"""What stands at the end of a path in JSON."""


@dataclass(frozen=True, slots=True)
class Price:
    """What the tokens of a model cost, per million.

    ``model`` is matched with the model's name and with ``provider/name``, in any case; ``*`` stands for any text.
    """

    model: str
    input: float
    output: float


@dataclass(frozen=True, slots=True)
class TelemetryFilter:
    """What to read. ``None`` means "all"; times are aware, ``since`` inclusive, ``until`` exclusive.

    Of several values any will do; an empty tuple matches nothing. ``entity_id`` is the id or the name of an agent, tool
    or workflow. ``text`` is looked for in any case. ``attributes`` holds what stands at paths such as
    ``usage.inputTokens`` or ``metadata.plan``: the first word may name a JSON column, else it is in ``attributes``
    (of log lines, scores and feedback ``data``, of metrics ``labels``).

    Of traces, type, status and name are those of the root, thread and user those of the trace, and text, attributes,
    model and entity of any of its spans.

    With ``roots``, spans are only those that begin their trace: one a trace, as a rule.

    ``columns`` picks columns; ``order`` is ``newest``, ``oldest`` or, for spans and traces, ``slowest`` and ``tokens``,
    for traces also ``cost``, ``spans`` and ``errors``: the most first, and what has none last. ``after`` is the
    ``place`` of an answer in the same order; counts leave it out of account. ``prices`` say what tokens cost; the first
    that matches counts.
    """

    project_id: Values | None = None
    deployment_ids: tuple[str, ...] | None = None
    build_id: Values | None = None
    trace_id: Values | None = None
    type: Values | None = None
    status: Values | None = None
    level: Values | None = None
    name: Values | None = None
    text: str | None = None
    attributes: Mapping[str, Scalar | tuple[Scalar, ...]] = field(default_factory=dict)
    entity_id: Values | None = None
    model: Values | None = None
    thread_id: Values | None = None
    resource_id: Values | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = 1000
    order: str | None = None
    after: tuple[Any, ...] | None = None
    columns: tuple[str, ...] | None = None
    prices: tuple[Price, ...] = ()
    roots: bool = False


@dataclass(frozen=True, slots=True)
class Grouping:
    """What an answer is grouped by: ``by`` from `columns.GROUPS`, and by time in buckets of some length.

    Days, weeks (from Monday) and months, and buckets of whole days, begin at midnight in ``timezone``, an IANA name.
    """

    by: tuple[str, ...] = ()
    bucket: timedelta | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far somebody has followed what arrives. What is in it is the store's own."""

    position: tuple[Any, ...] = ()
    seen: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What to remove for good.

    With ``trace_ids``: all that belongs to these traces, and lines that are no span but hold one of ``mentions``, texts
    such as ``"resourceId":"u1"``. Else all of an owner, or of everybody, by its own time; ``None`` means "any".
    """

    project_id: str | None = None
    deployment_ids: tuple[str, ...] | None = None
    build_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    trace_ids: tuple[str, ...] | None = None
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Complete JSONL lines of one file, at most about 8 MB: ``body`` ends with a line end.

    ``path`` and ``position`` say where it came from, for the record of a rejected line. With a ``reason`` the body is
    one line, or the beginning of one, that is refused for it: it is recorded as rejected and not read.
    """

    stream: Stream
    body: bytes
    path: str = ""
    position: int = 0
    reason: str = ""


class ObservabilityStore(ABC):
    """Stores telemetry lines and answers questions about them."""

    @property
    def inserts_at_once(self) -> int:
        """How many inserts are worth sending at the same time: 1 unless it takes the next while it stores one."""
        return 1

    @abstractmethod
    def init(self) -> None:
        """Create or migrate the schema; starts the engine where that is ours. Can be repeated."""

    @abstractmethod
    def close(self) -> None:
        """Close connections; the engine serves others on. Can be repeated."""

    @abstractmethod
    def stop(self) -> None:
        """End an engine that is ours, cleanly; a server of somebody else's is left alone."""

    @abstractmethod
    def status(self) -> Mapping[str, Any]:
        """Return facts for ``ps`` and ``doctor`` without starting anything: ``{"engine", "running", "version", …}``."""

    @abstractmethod
    def insert(self, chunks: Sequence[Chunk]) -> None:
        """Store lines; on return they are kept. Repeating an insert changes nothing.

        Each line becomes a row or a reject with its reason; one bad line never stops the others.

        Raises:
            EngineUnavailable: nothing can be said about what was stored: repeat it.
        """

    def tidy(self) -> None:
        """Do what makes reads quicker, such as removing what newer rows replaced; called when nothing waits.

        It may do nothing, and nothing changes in what is read.
        """
        return

    @abstractmethod
    def spans(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return spans, newest first, one row a span (`SPAN_COLUMNS`).

        Raises:
            InvalidInput: there is no such column or order, or spans can't be filtered so; this and what follows.
        """

    @abstractmethod
    def logs(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return log lines, newest first (`LOG_COLUMNS`)."""

    @abstractmethod
    def traces(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return a row a trace, newest first (`TRACE_COLUMNS`); name, type and status are those of its root.

        Tokens are those of its model generations, or of all its spans when it has none: steps of a generation repeat
        its tokens. ``cost`` is missing where the tokens of one of its models have no price.
        """

    @abstractmethod
    def trace(self, trace_id: str) -> pd.DataFrame:
        """Return all spans of one trace, oldest first (`SPAN_COLUMNS`); empty when there is none."""

    @abstractmethod
    def find_traces(self, beginning: str, limit: int) -> Sequence[str]:
        """Return ids of traces that begin with a text, in their order; of those that run too."""

    @abstractmethod
    def metrics(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return metric points, newest first (`METRIC_COLUMNS`)."""

    @abstractmethod
    def scores(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return scores, newest first (`SCORE_COLUMNS`)."""

    @abstractmethod
    def feedback(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return feedback, newest first (`FEEDBACK_COLUMNS`)."""

    @abstractmethod
    def latency(self, filters: TelemetryFilter, grouping: Grouping) -> pd.DataFrame:
        """Return how long ended spans took: the columns of the grouping, then `LATENCY_MEASURES`.

        Percentiles are exact, with linear interpolation. ``order`` is ``oldest`` or ``newest`` by the groups of time
        (``oldest`` when there are any), ``most`` by count (else), or ``slowest`` by ``p95_ms``.
        """

    @abstractmethod
    def usage(self, filters: TelemetryFilter, grouping: Grouping) -> pd.DataFrame:
        """Return tokens and cost: the columns of the grouping, then `USAGE_MEASURES`.

        ``count`` is of the spans that have tokens of their own, as in `traces`: model generations as a rule. ``order``
        is ``oldest``, ``newest`` or ``most`` by all tokens, as in `latency`.
        """

    @abstractmethod
    def errors(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return a row for each kind of error, the most frequent first (`ERROR_COLUMNS`).

        Errors are of one kind when their messages are equal but for numbers, ids, quoted text and paths. ``order`` is
        ``most``, ``newest`` or ``oldest``.
        """

    @abstractmethod
    def threads(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return a row a thread, the one that was last used first (`THREAD_COLUMNS`); filters as in `traces`."""

    @abstractmethod
    def count(self, listing: Listing, filters: TelemetryFilter) -> int:
        """Return how many rows a listing would have without its limit."""

    @abstractmethod
    def iterate(self, listing: Listing, filters: TelemetryFilter, rows: int) -> Iterator[pd.DataFrame]:
        """Yield a listing in parts of at most ``rows`` rows; memory is bounded by one part, here and in the engine.

        Closing the iterator ends the query.
        """

    @abstractmethod
    def follow(
        self, listing: Listing, filters: TelemetryFilter, after: Cursor | None = None
    ) -> tuple[pd.DataFrame, Cursor]:
        """Return what arrived after a cursor, at most ``limit`` rows in the order they came, and the next cursor.

        Parameters:
            listing: spans, each when it has ended, or logs.
            after: what the last call returned; the first time ``None``, which skips what is stored already unless
                ``filters.since`` says from when it is wanted.
        """

    def activity(self, since: datetime, until: datetime) -> pd.DataFrame:
        """Return a row a deployment for the traces that ended in a range of time (`ACTIVITY_COLUMNS`).

        A trace failed when its root did, and took as long as its root. One that began more than a day before may be
        left out. Adapters that can count where the traces are do so; this reads them.
        """
        from .activity import LONGEST_TRACE, summarize

        columns = ("deployment_id", "status", "end_time", "duration_ms")
        wanted = TelemetryFilter(since=since - LONGEST_TRACE, until=until, limit=None, columns=columns)
        return summarize(self.traces(wanted), since, until)

    @abstractmethod
    def rejects(self, limit: int = 1000) -> pd.DataFrame:
        """Return lines that could not be stored, newest first (`REJECT_COLUMNS`)."""

    @abstractmethod
    def count_rejects(self) -> int:
        """Return how many lines could not be stored, of those that are still kept."""

    @abstractmethod
    def erase(self, erasure: Erasure, *, dry_run: bool = False) -> Mapping[str, int]:
        """Remove rows for good and return how many by signal: spans, logs, metrics, scores, feedback, rejects.

        On return no read finds them, and no table holds them. With ``dry_run`` they are only counted.

        Raises:
            EngineUnavailable: some may be left: repeat it.
        """

    @abstractmethod
    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run one read-only query with bound parameters (``%(name)s``) and return its result.

        Raises:
            QueryError: the engine refused it; the message has its reason.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words what this is, without any password: for reprs and ``doctor``."""
