"""One span of a DataFrame, with its JSON read: what exports are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_TRACE_ID, _SPAN_ID = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A span; ``None`` where the DataFrame has nothing. Times are nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    type: str
    status: str
    start_ns: int
    end_ns: int | None
    owners: Mapping[str, str]
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
    input: Any
    output: Any
    attributes: Mapping[str, Any]
    metadata: Mapping[str, Any]

    @property
    def has_otel_ids(self) -> bool:
        """Whether OpenTelemetry can have a span of these ids."""
        return bool(_TRACE_ID.fullmatch(self.trace_id) and _SPAN_ID.fullmatch(self.span_id))


def read_rows(frame: pd.DataFrame) -> Iterator[SpanRow]:
    """Yield the spans of a DataFrame with all columns of spans."""
    for record in frame.to_dict("records"):
        row = {str(name): _drop_missing(value) for name, value in record.items()}
        read: dict[str, Any] = {
            **{name: row[name] for name in _TEXTS},
            **{name: None if row[name] is None else int(row[name]) for name in ("input_tokens", "output_tokens")},
            **{name: read_json(row[name]) for name in ("input", "output")},
            **{name: _read_object(row[name]) for name in ("attributes", "metadata")},
        }
        yield SpanRow(
            trace_id=row["trace_id"],
            span_id=row["span_id"],
            parent_id=row["parent_span_id"],
            name=row["name"] or "",
            type=row["type"] or "generic",
            status=row["status"] or "ok",
            start_ns=_count_nanoseconds(row["start_time"]) or 0,
            end_ns=_count_nanoseconds(row["end_time"]),
            owners={name: row[name] for name in ("project_id", "deployment_id", "build_id") if row[name]},
            **read,
        )


_TEXTS = ("entity_id", "entity_name", "model", "provider", "thread_id", "resource_id", "run_id", "error")


def read_json(text: str | None) -> Any:
    """Return the value of a column of JSON; text that is none, as it is."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_object(text: str | None) -> dict[str, Any]:
    value = read_json(text)
    return value if isinstance(value, dict) else {}


def _drop_missing(value: Any) -> Any:
    # Of the values of a DataFrame only missing ones are unequal to themselves, or pandas' NA and NaT.
    return None if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value else value


def _count_nanoseconds(moment: Any) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000) * 1_000_000
