"""Telemetry lines that are made in Python: whose they are, what they say, and how they read in a file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mastra_admin_sdk.ports.observability import Stream

from .cutting import LONGEST_TEXT, cut_data


class LineType(StrEnum):
    """What a line tells."""

    SPAN = "span"
    LOG = "log"
    METRIC = "metric"
    SCORE = "score"
    FEEDBACK = "feedback"

    @property
    def stream(self) -> Stream:
        """In which kind of file such lines stand."""
        return Stream.LOGS if self is LineType.LOG else Stream.SPANS


@dataclass(frozen=True, slots=True)
class LineOwner:
    """Whose lines they are. ``None`` where that isn't known: an app elsewhere has no deployment here."""

    project_id: str | None = None
    deployment_id: str | None = None
    build_id: str | None = None
    process_id: str | None = None


@dataclass(frozen=True, slots=True)
class TelemetryLine:
    """One line: ``data`` as docs/telemetry-format.md has it for its type.

    ``event`` is ``started``, ``updated`` or ``ended``, only for spans. ``timestamp_ms`` is when the line was made; the
    moment of writing unless given. ``id`` has to be given where the same line may be written again: logs, metrics,
    scores and feedback with the same id and time are stored once. Spans are known by their own ids.
    """

    type: LineType
    event: str | None
    timestamp_ms: int | None
    data: Mapping[str, Any]
    id: str | None = None


Policy = Callable[[LineOwner, Sequence[TelemetryLine]], Sequence[TelemetryLine]]
"""What becomes of lines before they are written: fewer of them, or the same with less in them."""


def encode_line(owner: LineOwner, line: TelemetryLine, *, line_id: str, now_ms: int) -> bytes:
    """Return a line as it stands in a file, with its line end.

    Numbers that JSON doesn't have (``nan``, ``inf``) become ``null``; what is no JSON at all becomes text. What is too
    long or nested too deep is cut, with a mark that says so.
    """
    try:
        encoded = _encode(owner, line, line.data, line_id, now_ms)
        if len(encoded) <= LONGEST_TEXT:
            return encoded
    except RecursionError:  # nested deeper than Python goes
        pass
    return _encode(owner, line, cut_data(line.data), line_id, now_ms)


def _encode(owner: LineOwner, line: TelemetryLine, data: Mapping[str, Any], line_id: str, now_ms: int) -> bytes:
    record = {
        "id": line.id or line_id,
        "type": line.type.value,
        **({"event": line.event} if line.event else {}),
        "projectId": owner.project_id,
        "deploymentId": owner.deployment_id,
        "buildId": owner.build_id,
        "processId": owner.process_id,
        "timestamp": now_ms if line.timestamp_ms is None else line.timestamp_ms,
        "data": data,
    }
    # Half of a surrogate pair, which JSON can name and UTF-8 can't hold, becomes a question mark.
    return _dump(record).encode("utf-8", "replace") + b"\n"


def _dump(record: Mapping[str, Any]) -> str:
    try:
        return _to_json(record)
    except (ValueError, TypeError):  # a number that JSON doesn't have, or a key that is no text
        return _to_json(_clean(record))


def _to_json(value: object) -> str:
    # No spaces: the store's parser takes that as a sign of lines that need no second look.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_simplify)


def _simplify(value: object) -> object:
    """Return what JSON can hold for a value of another library: numpy's numbers, times, mappings that are no dict."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return list(value)
    isoformat, item = getattr(value, "isoformat", None), getattr(value, "item", None)
    if callable(isoformat):
        return isoformat()
    return _clean(item()) if callable(item) else str(value)


def _clean(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
