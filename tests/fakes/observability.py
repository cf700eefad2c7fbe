"""A telemetry store in memory: what the contract says, in plain Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from mastra_admin_sdk.adapters.observability.clickhouse.frames import Dtype, find_dtype, make_frame
from mastra_admin_sdk.adapters.observability.clickhouse.queries import build_list, build_spans, build_traces
from mastra_admin_sdk.errors import QueryError
from mastra_admin_sdk.ports.observability import (
    LOG_COLUMNS,
    METRIC_COLUMNS,
    REJECT_COLUMNS,
    SCORE_COLUMNS,
    SPAN_COLUMNS,
    TRACE_COLUMNS,
    Chunk,
    ObservabilityStore,
    Stream,
    TelemetryFilter,
)

_LONE_SURROGATE = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_TYPES = {
    Dtype.TIME: pa.timestamp("ms", tz="UTC"),
    Dtype.NUMBER: pa.float64(),
    Dtype.COUNT: pa.int64(),
}
_SPAN_KINDS = {"span", "metric", "score", "feedback"}
_OWNERS = {"projectId": "project_id", "deploymentId": "deployment_id", "buildId": "build_id", "processId": "process_id"}
_TOLD = ("start_time", "parent_span_id", "name", "type", "project_id", "deployment_id", "build_id")


class _Rejected(Exception):
    pass


@dataclass
class FakeObservabilityStore(ObservabilityStore):
    """Keeps rows in dictionaries by their ids, so that whatever comes again changes nothing."""

    retention_days: int = 90
    running: bool = False
    _finished: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    _open: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    _points: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {"log": {}, "metric": {}, "score": {}, "feedback": {}}
    )
    _rejects: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)

    def init(self) -> None:
        self.running = True

    def close(self) -> None:
        return None

    def stop(self) -> None:
        self.running = False

    def status(self) -> Mapping[str, Any]:
        return {"engine": "memory", "running": self.running, "version": "1.0"}

    def describe(self) -> str:
        return "telemetry in memory"

    def insert(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            position = chunk.position
            for raw in chunk.body.removesuffix(b"\n").split(b"\n"):
                self._insert_line(chunk, raw, position)
                position += len(raw) + 1

    def spans(self, filters: TelemetryFilter) -> pd.DataFrame:
        build_spans(filters)  # refuses what the store refuses
        names = ("project_id", "deployment_ids", "build_id", "trace_id", "type", "status", "name")
        rows = _match(self._list_spans(), filters, (*names, "thread_id", "resource_id"), "start_time")
        rows = _search(rows, filters, ("name", "input", "output", "error"))
        return _answer(_cut(_sort(rows, filters, "start_time"), filters), filters, SPAN_COLUMNS)

    def logs(self, filters: TelemetryFilter) -> pd.DataFrame:
        build_list("logs", filters)
        return self._list(filters, "log", LOG_COLUMNS, "message")

    def metrics(self, filters: TelemetryFilter) -> pd.DataFrame:
        build_list("metrics", filters)
        return self._list(filters, "metric", METRIC_COLUMNS, "name")

    def scores(self, filters: TelemetryFilter) -> pd.DataFrame:
        build_list("scores", filters)
        return self._list(filters, "score", SCORE_COLUMNS, "reason")

    def traces(self, filters: TelemetryFilter) -> pd.DataFrame:
        build_traces(filters)
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in _match(self._list_spans(), filters, ("project_id", "deployment_ids", "build_id", "trace_id"), None):
            groups.setdefault(row["trace_id"], []).append(row)
        rows = [_summarize(spans) for spans in groups.values()]
        rows = _match(rows, filters, ("type", "status", "name", "thread_id", "resource_id"), "start_time")
        rows = _search(rows, filters, ("name",))
        return _answer(_cut(_sort(rows, filters, "start_time"), filters), filters, TRACE_COLUMNS)

    def trace(self, trace_id: str) -> pd.DataFrame:
        rows = [row for row in self._list_spans() if row["trace_id"] == trace_id]
        rows.sort(key=lambda row: (row["start_time"], row["span_id"]))
        return _answer(rows, TelemetryFilter(), SPAN_COLUMNS)

    def rejects(self, limit: int = 1000) -> pd.DataFrame:
        rows = sorted(self._rejects.values(), key=lambda row: (-row["time"].timestamp(), row["path"], row["position"]))
        return _answer(rows[:limit], TelemetryFilter(), REJECT_COLUMNS)

    def count_rejects(self) -> int:
        return len(self._rejects)

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        raise QueryError("Telemetry in memory knows no SQL.")

    def _list(self, filters: TelemetryFilter, kind: str, columns: Sequence[str], text: str) -> pd.DataFrame:
        names = ("project_id", "deployment_ids", "build_id", "trace_id", "level", "name")
        rows = _match(self._points[kind].values(), filters, names, "timestamp")
        rows = _search(rows, filters, (text,))
        return _answer(_cut(_sort(rows, filters, "timestamp"), filters), filters, columns)

    def _list_spans(self) -> list[dict[str, Any]]:
        return [*self._finished.values(), *(row for key, row in self._open.items() if key not in self._finished)]

    def _insert_line(self, chunk: Chunk, raw: bytes, position: int) -> None:
        try:
            if chunk.reason:
                raise _Rejected(chunk.reason)
            line = _parse(raw)
            kind = _check_kind(chunk.stream, line)
            row = {ours: _text(line.get(theirs)) for theirs, ours in _OWNERS.items()}
            row["id"] = _text(line.get("id")) or raw.decode("utf-8", errors="replace")
            data = line.get("data") if isinstance(line.get("data"), dict) else {}
            self._insert_row(kind, line, data, row)
        except _Rejected as exc:
            key = (chunk.stream, chunk.path, position, raw)
            text = raw.decode("utf-8", errors="replace")
            row = {"time": datetime.now(UTC), "stream": str(chunk.stream), "reason": str(exc), "line": text}
            self._rejects.setdefault(key, {**row, "path": chunk.path, "position": position})

    def _insert_row(self, kind: str, line: dict[str, Any], data: dict[str, Any], row: dict[str, Any]) -> None:
        if kind == "span":
            self._insert_span(line, data, row)
            return
        own = data.get("timestamp")
        row["timestamp"] = self._check_time(_parse_time(own or line.get("timestamp")))
        context = data.get("correlationContext") or {}
        row |= {"trace_id": _text(data.get("traceId") or context.get("traceId"))}
        row |= {"span_id": _text(data.get("spanId") or context.get("spanId"))}
        self._points[kind].setdefault(row["id"], row | _READERS[kind](data))

    def _insert_span(self, line: dict[str, Any], data: dict[str, Any], row: dict[str, Any]) -> None:
        key = (_text(data.get("traceId")), _text(data.get("id")))
        if not all(key):
            raise _Rejected("no trace id or span id")
        event = line.get("event")
        if event not in {"started", "updated", "ended"}:
            raise _Rejected("unknown event")
        row |= _read_span(data)
        known = self._open.get(key, {})
        row |= {name: known.get(name) or row[name] for name in _TOLD}
        row["start_time"] = self._check_time(row["start_time"])
        if event != "ended":
            if key not in self._finished:
                self._open[key] = {**row, "end_time": None, "duration_ms": None, "status": "running"}
            return
        row["end_time"] = _find_end(line, data, row)
        row["duration_ms"] = (row["end_time"] - row["start_time"]) / timedelta(milliseconds=1)
        row["status"] = "error" if data.get("errorInfo") else "ok"
        self._finished.setdefault(key, row)

    def _check_time(self, moment: datetime | None) -> datetime:
        if moment is None:
            raise _Rejected("no time")
        now = datetime.now(UTC)
        oldest = now - timedelta(days=self.retention_days) if self.retention_days else datetime(1970, 1, 2, tzinfo=UTC)
        if not oldest <= moment <= now + timedelta(days=1):
            raise _Rejected("a time outside the kept range")
        return moment


def _parse(raw: bytes) -> dict[str, Any]:
    if not raw:
        raise _Rejected("an empty line")
    try:
        line = json.loads(_LONE_SURROGATE.sub(rb"\1", raw))
    except ValueError:
        raise _Rejected("not JSON") from None
    if not isinstance(line, dict):
        raise _Rejected("not an object")
    return line


def _check_kind(stream: Stream, line: dict[str, Any]) -> str:
    kind = line.get("type")
    if kind not in {*_SPAN_KINDS, "log"}:
        raise _Rejected("unknown type")
    if (kind == "log") is not (stream is Stream.LOGS):
        raise _Rejected("a line in the wrong stream")
    return str(kind)


def _read_span(data: dict[str, Any]) -> dict[str, Any]:
    attributes, metadata = data.get("attributes") or {}, data.get("metadata") or {}
    usage = attributes.get("usage") or {}
    error = data.get("errorInfo")
    return {
        **{name: _text(data.get(_camel(name))) for name in ("name", "type", "entity_id", "entity_name")},
        "span_id": data["id"],
        "trace_id": data["traceId"],
        "parent_span_id": _text(data.get("parentSpanId")),
        "is_root": bool(data.get("isRootSpan")),
        "start_time": _parse_time(data.get("startTime")),
        "model": _text(attributes.get("model")),
        "provider": _text(attributes.get("provider")),
        "input_tokens": usage.get("inputTokens", usage.get("promptTokens")),
        "output_tokens": usage.get("outputTokens", usage.get("completionTokens")),
        **{name: _text(metadata.get(_camel(name)) or data.get(_camel(name))) for name in _CONTEXT},
        "error": error["message"] if isinstance(error, dict) and "message" in error else _json(error),
        **{name: _json(data.get(name)) for name in ("input", "output", "attributes", "metadata")},
    }


def _find_end(line: dict[str, Any], data: dict[str, Any], row: dict[str, Any]) -> datetime:
    if data.get("endTime"):
        end = _parse_time(data["endTime"])
    else:
        end = row["start_time"] if data.get("isEvent") else _parse_time(line.get("timestamp"))
    if end is None:
        raise _Rejected("no end time")
    return end


def _summarize(spans: list[dict[str, Any]]) -> dict[str, Any]:
    root = min(spans, key=lambda row: (not row["is_root"], row["parent_span_id"] != "", row["start_time"]))
    counted = [row for row in spans if row["type"] == "model_generation"] or spans
    is_over = all(row["status"] != "running" for row in spans)
    start = min(row["start_time"] for row in spans)
    end = max(row["end_time"] for row in spans) if is_over else None
    names = ("trace_id", "name", "type", "status", "project_id", "deployment_id", "build_id", "entity_id")
    by_time = sorted(spans, key=lambda row: row["start_time"])
    return {
        **{name: root[name] for name in names},
        "start_time": start,
        "end_time": end,
        "duration_ms": (end - start) / timedelta(milliseconds=1) if end else None,
        "spans": len(spans),
        "errors": sum(row["status"] == "error" for row in spans),
        **{name: _add(row[name] for row in counted) for name in ("input_tokens", "output_tokens")},
        **{name: next((row[name] for row in by_time if row[name]), "") for name in ("thread_id", "resource_id")},
    }


def _match(
    rows: Iterable[dict[str, Any]], filters: TelemetryFilter, names: Sequence[str], time: str | None
) -> list[dict[str, Any]]:
    wanted = {name: getattr(filters, name) for name in names if getattr(filters, name) is not None}
    found = [row for row in rows if all(_is_among(row, name, value) for name, value in wanted.items())]
    if time and filters.since:
        found = [row for row in found if row[time] >= filters.since]
    if time and filters.until:
        found = [row for row in found if row[time] < filters.until]
    return found


def _is_among(row: dict[str, Any], name: str, wanted: Any) -> bool:
    found = row.get("deployment_id" if name == "deployment_ids" else name)
    return found == wanted if isinstance(wanted, str) else found in wanted


def _search(rows: list[dict[str, Any]], filters: TelemetryFilter, names: Sequence[str]) -> list[dict[str, Any]]:
    if not filters.text:
        return rows
    return [row for row in rows if any(filters.text.casefold() in str(row[name]).casefold() for name in names)]


def _sort(rows: list[dict[str, Any]], filters: TelemetryFilter, time: str) -> list[dict[str, Any]]:
    if filters.order == "slowest":
        return sorted(rows, key=lambda row: -(row["duration_ms"] if row["duration_ms"] is not None else -1e18))
    return sorted(rows, key=lambda row: row[time], reverse=filters.order in {None, "newest"})


def _cut(rows: list[dict[str, Any]], filters: TelemetryFilter) -> list[dict[str, Any]]:
    return rows if filters.limit is None else rows[: filters.limit]


def _answer(rows: list[dict[str, Any]], filters: TelemetryFilter, columns: Sequence[str]) -> pd.DataFrame:
    names = filters.columns or columns
    arrays = {
        name: pa.chunked_array([pa.array([row.get(name) for row in rows], _TYPES.get(find_dtype(name), pa.string()))])
        for name in names
    }
    return make_frame(pa.table(arrays), names)


def _parse_time(value: Any) -> datetime | None:
    if isinstance(value, int) and value > 0:
        return datetime.fromtimestamp(value / 1000, UTC)
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else _json(value)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _add(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


_CONTEXT = ("thread_id", "resource_id", "run_id")
_READERS = {
    "log": lambda data: {
        **{name: _text(data.get(name)) for name in ("level", "message", "source")},
        "data": _json(data.get("data")),
    },
    "metric": lambda data: {
        "name": _text(data.get("name")),
        "value": data.get("value"),
        "labels": _json(data.get("labels")),
        "model": (data.get("costContext") or {}).get("model"),
        "provider": (data.get("costContext") or {}).get("provider"),
        "cost": (data.get("costContext") or {}).get("estimatedCost"),
    },
    "score": lambda data: {
        "name": _text(data.get("scorerName") or data.get("scorerId") or data.get("name")),
        "score": data.get("score"),
        "reason": _text(data.get("reason")),
        "data": _json(data),
    },
    "feedback": lambda data: {"name": _text(data.get("feedbackType")), "value": _text(data.get("value"))},
}
