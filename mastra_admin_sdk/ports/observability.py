"""Where telemetry is stored and read, as pandas DataFrames.

Every DataFrame has fixed columns and dtypes, also when it is empty: times are ``datetime64[ms, UTC]``, text of few
distinct values is ``category``, other text ``object`` with ``None`` for "not there" unless said otherwise, durations
are milliseconds. `SPAN_COLUMNS` and its like list them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class Stream(StrEnum):
    """The two kinds of telemetry file: what observability exports, and log lines."""

    SPANS = "spans"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class TelemetryFilter:
    """What to read. ``None`` or empty means "all"; times are aware, ``since`` inclusive, ``until`` exclusive.

    ``columns`` picks columns; ``order`` is ``newest``, ``oldest`` or, for spans and traces, ``slowest``.
    """

    project_id: str | None = None
    deployment_id: str | None = None
    build_id: str | None = None
    trace_id: str | None = None
    type: str | None = None
    status: str | None = None
    level: str | None = None
    name: str | None = None
    text: str | None = None
    thread_id: str | None = None
    resource_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = 1000
    order: str = "newest"
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Complete JSONL lines of one file, at most about 8 MB: ``body`` ends with a line end.

    ``path`` and ``position`` say where it came from, for the record of a rejected line.
    """

    stream: Stream
    body: bytes
    path: str = ""
    position: int = 0


SPAN_COLUMNS: tuple[str, ...] = (
    "span_id",
    "trace_id",
    "parent_span_id",
    "name",
    "type",
    "status",
    "start_time",
    "end_time",
    "duration_ms",
    "project_id",
    "deployment_id",
    "build_id",
    "entity_id",
    "entity_name",
    "model",
    "provider",
    "input_tokens",
    "output_tokens",
    "thread_id",
    "resource_id",
    "run_id",
    "error",
    "input",
    "output",
    "attributes",
    "metadata",
)
LOG_COLUMNS: tuple[str, ...] = (
    "timestamp",
    "level",
    "message",
    "project_id",
    "deployment_id",
    "build_id",
    "process_id",
    "trace_id",
    "span_id",
    "source",
    "data",
)
METRIC_COLUMNS: tuple[str, ...] = (
    "timestamp",
    "name",
    "value",
    "project_id",
    "deployment_id",
    "build_id",
    "trace_id",
    "span_id",
    "model",
    "provider",
    "labels",
    "cost",
)
SCORE_COLUMNS: tuple[str, ...] = (
    "timestamp",
    "name",
    "score",
    "reason",
    "project_id",
    "deployment_id",
    "build_id",
    "trace_id",
    "span_id",
    "data",
)
TRACE_COLUMNS: tuple[str, ...] = (
    "trace_id",
    "name",
    "type",
    "status",
    "start_time",
    "end_time",
    "duration_ms",
    "spans",
    "errors",
    "input_tokens",
    "output_tokens",
    "project_id",
    "deployment_id",
    "build_id",
    "entity_id",
    "thread_id",
    "resource_id",
)
REJECT_COLUMNS: tuple[str, ...] = ("time", "stream", "reason", "line", "path", "project_id", "deployment_id")


class ObservabilityStore(ABC):
    """Stores telemetry lines and answers questions about them."""

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

    @abstractmethod
    def spans(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return spans, newest first, one row a span (`SPAN_COLUMNS`)."""

    @abstractmethod
    def logs(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return log lines, newest first (`LOG_COLUMNS`)."""

    @abstractmethod
    def traces(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return a row a trace, newest first (`TRACE_COLUMNS`); name, type and status are those of its root."""

    @abstractmethod
    def trace(self, trace_id: str) -> pd.DataFrame:
        """Return all spans of one trace, oldest first (`SPAN_COLUMNS`); empty when there is none."""

    @abstractmethod
    def metrics(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return metric points, newest first (`METRIC_COLUMNS`)."""

    @abstractmethod
    def scores(self, filters: TelemetryFilter) -> pd.DataFrame:
        """Return scores, newest first (`SCORE_COLUMNS`)."""

    @abstractmethod
    def rejects(self, limit: int = 1000) -> pd.DataFrame:
        """Return lines that could not be stored, newest first (`REJECT_COLUMNS`)."""

    @abstractmethod
    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run one read-only query with bound parameters (``%(name)s``) and return its result.

        Raises:
            QueryError: the engine refused it; the message has its reason.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words what this is, without any password: for reprs and ``doctor``."""
