"""What OpenTelemetry messages say, whichever way they were encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar

from .attributes import drop_empty, nest
from .conventions import UNKEPT

_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened in a span."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A span. Ids are hexadecimal, lower case, and empty when the sender left them out; times in ns since 1970."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    events: Sequence[EventRecord] = ()
    links: Sequence[Mapping[str, Any]] = ()
    status_code: int = 0
    status_message: str = ""
    trace_state: str = ""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log record; ``body`` is text or any other JSON value."""

    time_ns: int
    observed_ns: int
    severity_number: int
    severity_text: str
    body: Any
    attributes: Mapping[str, Any]
    trace_id: str = ""
    span_id: str = ""
    event_name: str = ""


@dataclass(frozen=True, slots=True)
class PointRecord:
    """A point of a metric: one number, or what a histogram counted."""

    name: str
    unit: str
    kind: str
    time_ns: int
    value: float | None
    attributes: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch(Generic[_T]):
    """Records of one resource and scope."""

    resource: Mapping[str, Any]
    scope: Mapping[str, Any]
    records: Sequence[_T]

    @cached_property
    def origin(self) -> Mapping[str, Any]:
        """Where all of the records are from, as it is kept with each."""
        return drop_empty({"resource": nest(self.resource, without=UNKEPT), "scope": dict(self.scope)})


def format_time(nanoseconds: int) -> str:
    """Return a time as the files have it: ISO 8601 in UTC with milliseconds.

    Raises:
        OverflowError: no calendar goes that far.
    """
    moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
