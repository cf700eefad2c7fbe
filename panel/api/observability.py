"""``/api/observability``: what agents did."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint

from mastra_admin_sdk.models import TokenScope

from ..context import current_panel
from ..lookup import find_trace, telemetry_scope
from ..openapi import endpoint, make_field_error
from ..principals import needs
from ..records import list_records
from .schemas import observability as schemas

blueprint = Blueprint("api_observability", __name__)


@blueprint.get("/observability/spans")
@endpoint(conditional=True, fails=[404])
def list_spans(query: schemas.SpanQuery) -> schemas.SpanPage:
    """List spans, newest first unless ordered otherwise."""
    frame = current_panel().admin.spans(**_read(query))
    return schemas.SpanPage(spans=_make(schemas.Span, frame), **_describe(frame, query))


@blueprint.get("/observability/traces")
@endpoint(conditional=True, fails=[404])
def list_traces(query: schemas.TraceQuery) -> schemas.TracePage:
    """List traces, a row each.

    Type, status and name are those of the root; text, attributes, agent and model of any span.
    """
    frame = current_panel().admin.traces(**_read(query))
    currency = str(frame.attrs.get("currency") or "USD")
    return schemas.TracePage(traces=_make(schemas.TraceRow, frame), currency=currency, **_describe(frame, query))


@blueprint.get("/observability/traces/<trace_id>")
@endpoint(conditional=True, fails=[422])
def read_trace(trace_id: str) -> schemas.WholeTraceItem:
    """Show a trace with its spans, log lines, scores and feedback."""
    trace = find_trace(trace_id)
    tokens = trace.tokens
    return schemas.WholeTraceItem(
        trace=schemas.WholeTrace(
            trace_id=trace.id,
            status=trace.status,
            duration_ms=trace.duration_ms,
            tokens=schemas.TraceTokens(
                input=tokens.input, output=tokens.output, cost=tokens.cost, currency=tokens.currency
            ),
            spans=_make(schemas.Span, trace.frame),
            logs=_make(schemas.TelemetryLog, trace.logs),
            scores=_make(schemas.Score, trace.scores),
            feedback=_make(schemas.Feedback, trace.feedback),
        )
    )


@blueprint.get("/observability/traces/<trace_id>/spans/<span_id>")
@endpoint(conditional=True, fails=[422])
def read_span(trace_id: str, span_id: str) -> schemas.SpanItem:
    """Show a span."""
    trace = find_trace(trace_id)
    node = trace.tree[span_id]
    return schemas.SpanItem(span=_make(schemas.Span, trace.frame[trace.frame["span_id"] == node.span_id])[0])


@blueprint.post("/observability/traces/<trace_id>/annotations")
@endpoint(status=201)
@needs(TokenScope.DEPLOY)
def annotate_trace(trace_id: str, body: schemas.NewAnnotation) -> schemas.AnnotationItem:
    """Score, label or comment a trace or a span, in the name of whoever asks."""
    trace = find_trace(trace_id)
    if body.span_id is not None:
        trace.tree[body.span_id]
    written = list_records(_annotate(trace.id, body))[0]
    return schemas.AnnotationItem(annotation=schemas.Annotation(**written))


@blueprint.get("/observability/logs")
@endpoint(conditional=True, fails=[404])
def list_telemetry_logs(query: schemas.LogQuery) -> schemas.TelemetryLogPage:
    """List log lines, newest first."""
    frame = current_panel().admin.logs(**_read(query))
    return schemas.TelemetryLogPage(logs=_make(schemas.TelemetryLog, frame), **_describe(frame, query))


@blueprint.get("/observability/metrics")
@endpoint(conditional=True, fails=[404])
def list_metrics(query: schemas.MetricQuery) -> schemas.MetricPage:
    """List metric points, newest first."""
    frame = current_panel().admin.metrics(**_read(query))
    return schemas.MetricPage(metrics=_make(schemas.MetricPoint, frame), **_describe(frame, query))


@blueprint.get("/observability/scores")
@endpoint(conditional=True, fails=[404])
def list_scores(query: schemas.AnnotationQuery) -> schemas.ScorePage:
    """List scores, newest first."""
    frame = current_panel().admin.scores(**_read(query))
    return schemas.ScorePage(scores=_make(schemas.Score, frame), **_describe(frame, query))


@blueprint.get("/observability/feedback")
@endpoint(conditional=True, fails=[404])
def list_feedback(query: schemas.AnnotationQuery) -> schemas.FeedbackPage:
    """List feedback, newest first."""
    frame = current_panel().admin.feedback(**_read(query))
    return schemas.FeedbackPage(feedback=_make(schemas.Feedback, frame), **_describe(frame, query))


@blueprint.get("/observability/latency")
@endpoint(conditional=True, fails=[404])
def measure_latency(query: schemas.LatencyQuery) -> schemas.TelemetrySummary:
    """Measure how long spans took: counts, errors and percentiles in milliseconds, by name unless said otherwise."""
    return _sum_up(current_panel().admin.latency(**_read(query)))


@blueprint.get("/observability/usage")
@endpoint(conditional=True, fails=[404])
def add_up_usage(query: schemas.UsageQuery) -> schemas.TelemetrySummary:
    """Add up tokens and what they cost, by model unless said otherwise."""
    return _sum_up(current_panel().admin.usage(**_read(query)))


@blueprint.get("/observability/errors")
@endpoint(conditional=True, fails=[404])
def group_errors(query: schemas.ErrorQuery) -> schemas.TelemetrySummary:
    """Group errors that differ only in numbers, ids, quoted text and paths, with an example of each kind."""
    return _sum_up(current_panel().admin.errors(**_read(query)))


@blueprint.get("/observability/threads")
@endpoint(conditional=True, fails=[404])
def list_threads(query: schemas.ThreadQuery) -> schemas.TelemetrySummary:
    """List threads, the one used last first."""
    return _sum_up(current_panel().admin.threads(**_read(query)))


def _read(query: schemas.TelemetryQuery) -> dict[str, Any]:
    """Return what the SDK is asked, within what the principal may see."""
    asked = query.filters()
    if query.attributes is not None:
        asked["attributes"] = _read_attributes(query.attributes)
    if cursor := getattr(query, "cursor", None):
        asked["after"] = cursor
    return {**asked, **telemetry_scope(query.project, list(query.deployment) or None, query.build)}


def _read_attributes(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise make_field_error({"attributes": 'It has to be a JSON object, such as {"usage.inputTokens": 12}.'})
    return found


def _make(kind: Any, frame: Any) -> list[Any]:
    return [kind(**row) for row in list_records(frame)]


def _describe(frame: Any, query: schemas.TelemetryPageQuery) -> dict[str, Any]:
    attrs = frame.attrs
    is_whole = not attrs.get("truncated") and query.cursor is None
    return {
        "next": attrs.get("next"),
        "total": len(frame) if is_whole else attrs.get("total"),
        "since": attrs["since"],
        "default_since": attrs["default_since"],
    }


def _sum_up(frame: Any) -> schemas.TelemetrySummary:
    attrs = frame.attrs
    return schemas.TelemetrySummary(
        columns=[str(name) for name in frame.columns],
        rows=list_records(frame, as_json=True),
        truncated=bool(attrs.get("truncated")),
        since=attrs["since"],
        default_since=attrs["default_since"],
    )


def _annotate(trace_id: str, body: schemas.NewAnnotation) -> Any:
    admin = current_panel().admin
    about: dict[str, Any] = {
        "trace_id": trace_id,
        "span_id": body.span_id,
        "remove": body.remove,
        **({"name": body.name} if body.name is not None else {}),
    }
    if body.kind == "score":
        return admin.score(**about, score=body.score, reason=body.comment)
    if body.kind == "label":
        return admin.label(**about, label=body.label, comment=body.comment)
    return admin.annotate(**about, comment=body.comment)
