"""Reads OTLP requests in JSON: as protobuf's JSON, but ids are hexadecimal and 64-bit numbers may be texts."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from mastra_admin_sdk.errors import InvalidInput

from .records import Batch, EventRecord, LogRecord, PointRecord, SpanRecord

_T = TypeVar("_T")
_HINT = 'Send the request message of OTLP 1.x in JSON, such as {"resourceSpans": [...]}.'
_BASE64_LENGTHS = frozenset({12, 24})
_KINDS = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponentialHistogram": "histogram",
    "summary": "summary",
}
_ENUMS = {
    "STATUS_CODE_OK": 1,
    "STATUS_CODE_ERROR": 2,
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
}


def load_json(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds.

    Raises:
        InvalidInput: it isn't JSON, or no object.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise InvalidInput("The body isn't JSON.", hint="See that it is complete and in UTF-8.") from exc
    if not isinstance(found, dict):
        raise InvalidInput("The body is no JSON object.", hint=_HINT)
    return found


def read_spans(body: bytes) -> list[Batch[SpanRecord]]:
    """Return the spans of a request; `InvalidInput` when it is none."""
    return _walk(body, ("resourceSpans", "scopeSpans", "spans"), lambda item: [_read_span(item)])


def read_logs(body: bytes) -> list[Batch[LogRecord]]:
    """Return the log records of a request; `InvalidInput` when it is none."""
    return _walk(body, ("resourceLogs", "scopeLogs", "logRecords"), lambda item: [_read_log(item)])


def read_points(body: bytes) -> list[Batch[PointRecord]]:
    """Return the points of the metrics of a request; `InvalidInput` when it is none."""
    return _walk(body, ("resourceMetrics", "scopeMetrics", "metrics"), _read_metric)


def _walk(
    body: bytes, names: tuple[str, str, str], read: Callable[[Mapping[str, Any]], Iterable[_T]]
) -> list[Batch[_T]]:
    outer, middle, inner = names
    try:
        return [
            Batch(
                _read_pairs(_list(group.get("resource") or {}, "attributes")),
                _read_scope(scoped.get("scope") or {}),
                [record for item in _list(scoped, inner) for record in read(item)],
            )
            for group in _list(load_json(body), outer)
            for scoped in _list(group, middle)
        ]
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as exc:
        raise InvalidInput(f"The body is no OTLP request: {exc}.", hint=_HINT) from exc


def _list(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = holder.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise InvalidInput(f"{name} is no list of objects.", hint=_HINT)
    return found


def _read_span(span: Mapping[str, Any]) -> SpanRecord:
    status = span.get("status") or {}
    return SpanRecord(
        trace_id=_read_id(span.get("traceId")),
        span_id=_read_id(span.get("spanId")),
        parent_id=_read_id(span.get("parentSpanId")),
        name=_read_text(span.get("name")),
        kind=_read_number(span.get("kind")),
        start_ns=_read_number(span.get("startTimeUnixNano")),
        end_ns=_read_number(span.get("endTimeUnixNano")),
        attributes=_read_pairs(_list(span, "attributes")),
        events=[_read_event(item) for item in _list(span, "events")],
        links=[_read_link(item) for item in _list(span, "links")],
        status_code=_read_number(status.get("code")),
        status_message=_read_text(status.get("message")),
        trace_state=_read_text(span.get("traceState")),
    )


def _read_event(event: Mapping[str, Any]) -> EventRecord:
    time_ns = _read_number(event.get("timeUnixNano"))
    return EventRecord(_read_text(event.get("name")), time_ns, _read_pairs(_list(event, "attributes")))


def _read_link(link: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = _read_pairs(_list(link, "attributes"))
    ids = {"traceId": _read_id(link.get("traceId")), "spanId": _read_id(link.get("spanId"))}
    return {**ids, **({"attributes": attributes} if attributes else {})}


def _read_log(record: Mapping[str, Any]) -> LogRecord:
    return LogRecord(
        time_ns=_read_number(record.get("timeUnixNano")),
        observed_ns=_read_number(record.get("observedTimeUnixNano")),
        severity_number=_read_number(record.get("severityNumber")),
        severity_text=_read_text(record.get("severityText")),
        body=_read_value(record.get("body")),
        attributes=_read_pairs(_list(record, "attributes")),
        trace_id=_read_id(record.get("traceId")),
        span_id=_read_id(record.get("spanId")),
        event_name=_read_text(record.get("eventName")),
    )


def _read_metric(metric: Mapping[str, Any]) -> Iterator[PointRecord]:
    name, unit = _read_text(metric.get("name")), _read_text(metric.get("unit"))
    for field, kind in _KINDS.items():
        for point in _list(metric.get(field) or {}, "dataPoints"):
            value, more = _read_point(kind, point)
            time_ns = _read_number(point.get("timeUnixNano"))
            yield PointRecord(name, unit, kind, time_ns, value, _read_pairs(_list(point, "attributes")), more)


def _read_point(kind: str, point: Mapping[str, Any]) -> tuple[float | None, Mapping[str, Any]]:
    if kind in {"gauge", "sum"}:
        given = point.get("asDouble", point.get("asInt"))
        return (float(given) if given is not None else None), {}
    more: dict[str, Any] = {"count": _read_number(point.get("count"))}
    if "bucketCounts" in point:
        more |= {"bounds": point.get("explicitBounds") or [], "counts": [int(item) for item in point["bucketCounts"]]}
    given = point.get("sum")
    return (float(given) if given is not None else None), more


def _read_scope(scope: Mapping[str, Any]) -> dict[str, Any]:
    told = {"name": _read_text(scope.get("name")), "version": _read_text(scope.get("version"))}
    return {name: value for name, value in told.items() if value}


def _read_pairs(pairs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {_read_text(pair.get("key")): _read_value(pair.get("value")) for pair in pairs}


def _read_value(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return None
    for kind, given in value.items():
        match kind:
            case "stringValue" | "boolValue":
                return given
            case "intValue":
                return _read_number(given)
            case "doubleValue":
                return float(given)
            case "arrayValue":
                return [_read_value(item) for item in _list(given, "values")]
            case "kvlistValue":
                return _read_pairs(_list(given, "values"))
            case "bytesValue":
                return f"[{len(given) * 3 // 4} bytes]"
    return None


def _read_id(given: Any) -> str:
    """Return an id as hexadecimal digits. Some libraries write base64 here, as plain protobuf does."""
    text = _read_text(given)
    if len(text) in _BASE64_LENGTHS and text.endswith("="):
        try:
            return base64.b64decode(text, validate=True).hex()
        except binascii.Error:
            return text
    return text.lower()


def _read_text(given: Any) -> str:
    if given is None:
        return ""
    if not isinstance(given, str):
        raise TypeError(f"{str(given)[:80]!r} is no text")
    return given


def _read_number(given: Any) -> int:
    if given is None or given == "":
        return 0
    return _ENUMS[given] if isinstance(given, str) and given in _ENUMS else int(given)
