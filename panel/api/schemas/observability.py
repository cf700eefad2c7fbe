"""What agents did: spans, traces, log lines, measures, and what people say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from .base import MOST_TEXT, Answer, Body, Moment, Page, Query, Reference, Text

Owner = str | None
Texts = Sequence[Text]


class Span(Answer):
    """One step of an agent; ``input``, ``output``, ``attributes`` and ``metadata`` are JSON or text, as stored."""

    span_id: str
    trace_id: str
    parent_span_id: str | None
    name: str | None
    type: str | None
    status: str | None = Field(examples=["ok"])
    start_time: Moment
    end_time: Moment | None
    duration_ms: float | None
    project_id: Owner
    deployment_id: Owner
    build_id: Owner
    entity_id: str | None
    entity_name: str | None
    model: str | None
    provider: str | None
    input_tokens: int | None
    output_tokens: int | None
    thread_id: str | None
    resource_id: str | None
    run_id: str | None
    error: str | None
    input: str | None
    output: str | None
    attributes: str | None
    metadata: str | None


class TraceRow(Answer):
    """What the spans of a trace come to; name, type and status are those of its root."""

    trace_id: str
    name: str | None
    type: str | None
    status: str | None
    start_time: Moment
    end_time: Moment | None
    duration_ms: float | None
    spans: int
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    project_id: Owner
    deployment_id: Owner
    build_id: Owner
    entity_id: str | None
    thread_id: str | None
    resource_id: str | None


class TelemetryLog(Answer):
    """A line that a server or its agent logged."""

    timestamp: Moment
    level: str | None
    message: str | None
    project_id: Owner
    deployment_id: Owner
    build_id: Owner
    process_id: Owner
    trace_id: str | None
    span_id: str | None
    source: str | None
    data: str | None


class MetricPoint(Answer):
    """One value of a metric."""

    timestamp: Moment
    name: str | None
    value: float | None
    project_id: Owner
    deployment_id: Owner
    build_id: Owner
    trace_id: str | None
    span_id: str | None
    model: str | None
    provider: str | None
    labels: str | None
    cost: float | None


class Score(Answer):
    """A number that somebody, or a scorer, gave a trace or span."""

    timestamp: Moment
    name: str | None
    score: float | None
    reason: str | None
    author: str | None
    project_id: Owner
    deployment_id: Owner
    build_id: Owner
    trace_id: str | None
    span_id: str | None
    data: str | None


class Feedback(Answer):
    """A note or label; ``label`` is what was given, ``value`` the number that it is, if it is one."""

    timestamp: Moment
    name: str | None
    value: float | None
    label: str | None
    comment: str | None
    author: str | None
    project_id: Owner
    deployment_id: Owner
    build_id: Owner
    trace_id: str | None
    span_id: str | None
    data: str | None


class TelemetryPage(Page):
    """A page of telemetry, and what it leaves out."""

    total: int | None = Field(description="How many there are on all pages; null where counting would take long.")
    since: Moment | None = Field(description="From when on was looked.")
    default_since: bool = Field(description="Whether that time is one that nobody asked for: `since=all` has none.")


class SpanPage(TelemetryPage):
    """A page of spans."""

    spans: Sequence[Span]


class TracePage(TelemetryPage):
    """A page of traces."""

    traces: Sequence[TraceRow]
    currency: str = Field(description="That of `cost`.", examples=["USD"])


class TelemetryLogPage(TelemetryPage):
    """A page of log lines."""

    logs: Sequence[TelemetryLog]


class MetricPage(TelemetryPage):
    """A page of metric points."""

    metrics: Sequence[MetricPoint]


class ScorePage(TelemetryPage):
    """A page of scores."""

    scores: Sequence[Score]


class FeedbackPage(TelemetryPage):
    """A page of feedback."""

    feedback: Sequence[Feedback]


class TraceTokens(Answer):
    """Tokens of a trace; ``cost`` is null when none of its models has a price."""

    input: int
    output: int
    cost: float | None
    currency: str


class WholeTrace(Answer):
    """A trace with all that belongs to it, each list oldest first."""

    trace_id: str
    status: str
    duration_ms: float | None
    tokens: TraceTokens
    spans: Sequence[Span]
    logs: Sequence[TelemetryLog]
    scores: Sequence[Score]
    feedback: Sequence[Feedback]


class WholeTraceItem(Answer):
    """One trace."""

    trace: WholeTrace


class SpanItem(Answer):
    """One span."""

    span: Span


class TelemetrySummary(Answer):
    """Rows of a question that sums up; their columns depend on what it is grouped by."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]] = Field(description="A value by column; times are ISO 8601.")
    truncated: bool = Field(description="Whether there are more than `limit`.")
    since: Moment | None = Field(description="From when on was looked.")
    default_since: bool = Field(description="Whether that time is one that nobody asked for: `since=all` has none.")


class TelemetryQuery(Query):
    """Whose telemetry, of when."""

    project: Reference | None = None
    deployment: Sequence[Reference] = Field((), max_length=50, description="One, or several.")
    build: Reference | None = None
    branch: Texts = Field((), max_length=50, description="All that is deployed of it.")
    since: Text | None = Field(None, description="An age such as `1h`, a time with its zone, or `all`.")
    until: Text | None = Field(None, description="As `since`; now unless given.")
    text: Text | None = Field(None, description="What it says somewhere, in any case.")
    attributes: Text | None = Field(
        None, description="Values at paths as a JSON object.", examples=['{"usage.inputTokens": 12}']
    )
    trace_id: Texts = Field((), max_length=50)
    limit: int = Field(100, ge=1, le=1000, description="How many rows at most.")

    def filters(self) -> dict[str, Any]:
        """Return what the SDK takes as it is: all but whose it is and where a page begins."""
        left_out = {"project", "deployment", "build", "cursor", "attributes"}
        given = self.model_dump(exclude_none=True, exclude_defaults=True)
        found = {name: value for name, value in given.items() if name not in left_out}
        return {**found, "limit": self.limit}


class TelemetryPageQuery(TelemetryQuery):
    """A page of telemetry."""

    cursor: str | None = Field(
        None, min_length=1, max_length=4000, pattern=r"^[A-Za-z0-9_-]+$", description="`next` of the page before."
    )


class _OfSpans(TelemetryQuery):
    type: Texts = Field((), max_length=50, examples=[["agent_run"]])
    name: Texts = Field((), max_length=50)
    agent: Texts = Field((), max_length=50, description="Id or name of an agent, tool or workflow.")
    model: Texts = Field((), max_length=50)
    thread: Texts = Field((), max_length=50)
    user: Texts = Field((), max_length=50)


class _WithStatus(_OfSpans):
    status: Sequence[Literal["ok", "error", "running"]] = Field((), max_length=3)


class SpanQuery(TelemetryPageQuery, _WithStatus):
    """Which spans."""

    roots: bool = Field(False, description="Leave out what is inside of other spans.")
    order: Literal["newest", "oldest", "slowest", "tokens"] = "newest"


class TraceQuery(TelemetryPageQuery, _WithStatus):
    """Which traces."""

    order: Literal["newest", "oldest", "slowest", "tokens", "cost", "spans", "errors"] = "newest"


class LogQuery(TelemetryPageQuery):
    """Which log lines."""

    level: Sequence[Literal["debug", "info", "warn", "error", "fatal"]] = Field((), max_length=5)
    order: Literal["newest", "oldest"] = "newest"


class MetricQuery(TelemetryPageQuery):
    """Which metric points."""

    name: Texts = Field((), max_length=50)
    model: Texts = Field((), max_length=50)
    order: Literal["newest", "oldest"] = "newest"


class AnnotationQuery(TelemetryPageQuery):
    """Which scores or feedback."""

    name: Texts = Field((), max_length=50)
    order: Literal["newest", "oldest"] = "newest"


class _Grouped(_WithStatus):
    roots: bool = Field(False, description="Leave out what is inside of other spans.")
    by: Texts = Field((), max_length=10, description="Columns to group by.", examples=[["name", "hour"]])
    bucket: Text | None = Field(None, description="Length of a step of time, such as `5m`.")
    timezone: Text | None = Field(None, description="Whose days: an IANA name; UTC unless given.")


class LatencyQuery(_Grouped):
    """Of what, and by what, latency is measured."""

    order: Literal["most", "slowest", "newest", "oldest"] | None = None


class UsageQuery(_Grouped):
    """Of what, and by what, tokens are added up."""

    order: Literal["most", "newest", "oldest"] | None = None


class ErrorQuery(_OfSpans):
    """Which errors."""

    roots: bool = Field(False, description="Leave out what is inside of other spans.")
    order: Literal["most", "newest", "oldest"] | None = None


class ThreadQuery(_WithStatus):
    """Which threads."""

    order: Literal["newest", "oldest", "most"] | None = None


class NewAnnotation(Body):
    """What somebody says of a trace or a span. The same name by the same author again replaces what was said before."""

    kind: Literal["score", "note", "label"]
    span_id: str | None = Field(None, min_length=1, max_length=100, description="The trace as a whole unless given.")
    name: str | None = Field(None, min_length=1, max_length=200, description="Needed for a score.")
    score: float | None = Field(None, description="Of a score.")
    label: str | None = Field(None, min_length=1, max_length=1000, description="Of a label.")
    comment: str | None = Field(None, min_length=1, max_length=MOST_TEXT, description="Why; or the note itself.")
    remove: bool = Field(False, description="Take back what was said.")


class Annotation(Answer):
    """What became of it."""

    trace_id: str
    span_id: str | None
    name: str
    author: str
    outcome: str = Field(description="`written`, `replaced` or `removed`.")


class AnnotationItem(Answer):
    """One annotation."""

    annotation: Annotation
