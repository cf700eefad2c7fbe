"""The protocol of Mastra's own platform exporter: JSON bodies such as ``{"spans": [...]}`` (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.telemetry.lines import LineType

from .otlp_json import load_json

_LONGEST_ID = 200


class Signal(StrEnum):
    """What is published; the part of the path that says so, and the field of the body that holds it."""

    SPANS = "spans"
    LOGS = "logs"
    METRICS = "metrics"
    SCORES = "scores"
    FEEDBACK = "feedback"

    @property
    def line_type(self) -> LineType:
        """What lines are made of it."""
        return LineType(self.value if self is Signal.FEEDBACK else self.value[:-1])


# By these names the platform knows a span's fields beside Mastra's own; older exporters send only them.
_ALIASES = {"spanId": "id", "spanType": "type", "startedAt": "startTime", "endedAt": "endTime", "error": "errorInfo"}
_PLATFORM_ONLY = frozenset({*_ALIASES, "createdAt", "updatedAt"})
_OWN_IDS = {
    Signal.LOGS: "logId",
    Signal.METRICS: "metricId",
    Signal.SCORES: "scoreId",
    Signal.FEEDBACK: "feedbackId",
}


def read_records(signal: Signal, body: bytes) -> list[Any]:
    """Return the records of a request; none is a request that asks whether it would be let in.

    Raises:
        InvalidInput: the body isn't ``{"<signal>": [...]}``.
    """
    records = load_json(body).get(signal.value)
    if not isinstance(records, list):
        raise InvalidInput(f"The body has no list {signal.value!r}.", hint=f'Send {{"{signal.value}": [...]}}.')
    return records


def find_fault(signal: Signal, record: Any) -> str | None:
    """Return why a record can't be kept, ``None`` when it can."""
    if not isinstance(record, Mapping):
        return "a record that is no object"
    if signal is not Signal.SPANS:
        return None
    data = make_data(signal, record)
    missing = [name for name in ("id", "traceId", "startTime") if not _is_text(data.get(name))]
    return f"a span without {missing[0]}" if missing else None


def make_data(signal: Signal, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line's ``data``: the record as Mastra exported it, without what the platform's protocol adds."""
    if signal is not Signal.SPANS:
        # Through this exporter comes what was written by Mastra's logger, and nothing else.
        return {**({"source": "logger"} if signal is Signal.LOGS else {}), **record}
    own = {name: value for name, value in record.items() if name not in _PLATFORM_ONLY}
    for alias, name in _ALIASES.items():
        if own.get(name) is None and record.get(alias) is not None:
            own[name] = record[alias]
    return own


def find_event(data: Mapping[str, Any]) -> str:
    """Return which moment of a span is told: it has ended, or is only an event, or goes on."""
    return "ended" if data.get("endTime") or data.get("isEvent") else "started"


def find_own_id(signal: Signal, record: Mapping[str, Any]) -> str | None:
    """Return the id that Mastra gave a record."""
    found = record.get(_OWN_IDS.get(signal, "id"))
    return found if _is_text(found) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID
