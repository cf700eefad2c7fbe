"""Reads OTLP requests in protobuf. The messages come from opentelemetry-proto; they load on first use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mastra_admin_sdk.errors import InvalidInput

from .records import Batch, EventRecord, LogRecord, PointRecord, SpanRecord

if TYPE_CHECKING:
    from google.protobuf.message import Message

_HINT = "Send the request message of OTLP 1.x, as application/x-protobuf or application/json."
_KINDS = {"gauge": "gauge", "sum": "sum", "histogram": "histogram", "exponential_histogram": "histogram"}


def read_spans(body: bytes) -> list[Batch[SpanRecord]]:
    """Return the spans of an ``ExportTraceServiceRequest``.

    Raises:
        InvalidInput: it is none.
    """
    request = _parse(ExportTraceServiceRequest(), body)
    return [
        Batch(_read_pairs(group.resource.attributes), _read_scope(scoped.scope), [_read_span(s) for s in scoped.spans])
        for group in request.resource_spans
        for scoped in group.scope_spans
    ]


def read_logs(body: bytes) -> list[Batch[LogRecord]]:
    """Return the log records of an ``ExportLogsServiceRequest``.

    Raises:
        InvalidInput: it is none.
    """
    request = _parse(ExportLogsServiceRequest(), body)
    return [
        Batch(
            _read_pairs(group.resource.attributes),
            _read_scope(scoped.scope),
            [_read_log(r) for r in scoped.log_records],
        )
        for group in request.resource_logs
        for scoped in group.scope_logs
    ]


def read_points(body: bytes) -> list[Batch[PointRecord]]:
    """Return the points of an ``ExportMetricsServiceRequest``.

    Raises:
        InvalidInput: it is none.
    """
    request = _parse(ExportMetricsServiceRequest(), body)
    return [
        Batch(
            _read_pairs(group.resource.attributes),
            _read_scope(scoped.scope),
            [point for metric in scoped.metrics for point in _read_metric(metric)],
        )
        for group in request.resource_metrics
        for scoped in group.scope_metrics
    ]


def _parse(message: Any, body: bytes) -> Any:
    try:
        message.ParseFromString(body)
    except DecodeError as exc:
        raise InvalidInput("The body is no OTLP message in protobuf.", hint=_HINT) from exc
    return message


def _read_span(span: Any) -> SpanRecord:
    return SpanRecord(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_read_pairs(span.attributes),
        events=[EventRecord(item.name, item.time_unix_nano, _read_pairs(item.attributes)) for item in span.events],
        links=[_read_link(link) for link in span.links],
        status_code=span.status.code,
        status_message=span.status.message,
        trace_state=span.trace_state,
    )


def _read_link(link: Any) -> Mapping[str, Any]:
    return {
        "traceId": link.trace_id.hex(),
        "spanId": link.span_id.hex(),
        **({"attributes": _read_pairs(link.attributes)} if link.attributes else {}),
    }


def _read_log(record: Any) -> LogRecord:
    return LogRecord(
        time_ns=record.time_unix_nano,
        observed_ns=record.observed_time_unix_nano,
        severity_number=record.severity_number,
        severity_text=record.severity_text,
        body=_read_value(record.body),
        attributes=_read_pairs(record.attributes),
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
        event_name=record.event_name,
    )


def _read_metric(metric: Any) -> Iterator[PointRecord]:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    for point in getattr(metric, kind).data_points:
        value, more = _read_point(kind, point)
        attributes = _read_pairs(point.attributes)
        told = _KINDS.get(kind, kind)
        yield PointRecord(metric.name, metric.unit, told, point.time_unix_nano, value, attributes, more)


def _read_point(kind: str, point: Any) -> tuple[float | None, Mapping[str, Any]]:
    if kind in {"gauge", "sum"}:
        chosen = point.WhichOneof("value")
        return (float(getattr(point, chosen)) if chosen else None), {}
    # Of what was counted, the sum is the number; the mean of it is a division away.
    more: dict[str, Any] = {"count": point.count}
    if kind == "histogram":
        more |= {"bounds": list(point.explicit_bounds), "counts": list(point.bucket_counts)}
    return point.sum, more


def _read_scope(scope: Any) -> Mapping[str, Any]:
    told = {"name": scope.name, "version": scope.version}
    return {name: value for name, value in told.items() if value}


def _read_pairs(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _read_value(pair.value) for pair in pairs}


def _read_value(value: Message | Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    found = getattr(value, kind)
    if kind == "array_value":
        return [_read_value(item) for item in found.values]
    if kind == "kvlist_value":
        return _read_pairs(found.values)
    return f"[{len(found)} bytes]" if kind == "bytes_value" else found
