"""From records of OpenTelemetry to log lines and metrics as docs/telemetry-format.md has them: pure functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .attributes import Attributes, drop_empty
from .records import Batch, LogRecord, PointRecord, format_time

SOURCE = "otlp"
"""What says of a log line that it came from OpenTelemetry."""

_LEVELS = (
    ("trace", "debug"),
    ("debug", "debug"),
    ("info", "info"),
    ("warn", "warn"),
    ("err", "error"),
    ("fatal", "fatal"),
    ("crit", "fatal"),
)
_NUMBERS = ((9, "debug"), (13, "info"), (17, "warn"), (21, "error"), (25, "fatal"))
_UNIQUE = ("log.record.uid",)


def make_log(record: LogRecord, batch: Batch[LogRecord], *, now_ns: int) -> dict[str, Any]:
    """Return a log line's ``data``.

    Parameters:
        record: what was logged.
        batch: where it was.
        now_ns: its time when the sender gave none.

    Raises:
        OverflowError: a time that no calendar has.
    """
    given = Attributes(record.attributes)
    logged = given.take_below("mastra.log.")
    metadata = given.take_below("mastra.metadata.")
    origin = {**batch.origin, **drop_empty({"eventName": record.event_name})}
    data = {
        "timestamp": format_time(record.time_ns or record.observed_ns or now_ns),
        "level": find_level(record.severity_text, record.severity_number),
        "message": _find_message(record, given),
        "source": SOURCE,
        "traceId": record.trace_id.strip("0") and record.trace_id,
        "spanId": record.span_id.strip("0") and record.span_id,
        "metadata": metadata,
        "data": {
            **given.rest(),
            **logged,
            **({"body": record.body} if not isinstance(record.body, str | None) else {}),
            **({"otel": origin} if origin else {}),
        },
    }
    return {**drop_empty(data), "message": data["message"]}


def make_metric(point: PointRecord, batch: Batch[PointRecord], *, now_ns: int) -> dict[str, Any]:
    """Return a metric's ``data``; of a histogram the value is its sum, and ``metadata`` has its counts.

    Raises:
        OverflowError: a time that no calendar has.
    """
    return {
        "timestamp": format_time(point.time_ns or now_ns),
        "name": point.name,
        "value": point.value,
        "labels": {name: _to_text(value) for name, value in point.attributes.items()},
        "metadata": drop_empty(
            {
                "kind": point.kind,
                "unit": point.unit,
                **point.more,
                "otel": batch.origin,
            }
        ),
    }


def find_level(text: str, number: int) -> str:
    """Return the level of a severity: what its text begins with, else its number; ``info`` when nothing is said."""
    low = text.lower()
    told = next((level for start, level in _LEVELS if low.startswith(start)), None)
    if told or not number:
        return told or "info"
    return next((level for limit, level in _NUMBERS if number < limit), "fatal")


def find_own_id(record: LogRecord) -> str | None:
    """Return the id that a sender gave a log record, if it gives any."""
    return Attributes(record.attributes).find_text(_UNIQUE)


def make_id(*parts: Any) -> str:
    """Return an id made of what is said: the same for the same, whenever and however often it comes."""
    text = json.dumps(parts, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _find_message(record: LogRecord, given: Attributes) -> str:
    if isinstance(record.body, str):
        return record.body
    if isinstance(record.body, Mapping):
        told = record.body.get("message", record.body.get("msg"))
        if isinstance(told, str):
            return told
    if record.body is not None:
        return _to_text(record.body)
    return given.find_text(["exception.message", "message"]) or record.event_name


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
