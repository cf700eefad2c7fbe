"""A telemetry store in memory: what the contract says, in plain Python."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from mastra_admin_sdk.adapters.observability.clickhouse import queries
from mastra_admin_sdk.adapters.observability.clickhouse.frames import Dtype, find_dtype, make_frame
from mastra_admin_sdk.errors import InvalidInput, QueryError
from mastra_admin_sdk.ports.columns import ANNOTATION_PREFIX
from mastra_admin_sdk.ports.observability import (
    ERROR_COLUMNS,
    LATENCY_MEASURES,
    REJECT_COLUMNS,
    SPAN_COLUMNS,
    THREAD_COLUMNS,
    TRACE_COLUMNS,
    USAGE_MEASURES,
    Chunk,
    Cursor,
    Erasure,
    Grouping,
    Listing,
    ObservabilityStore,
    Stream,
    TelemetryFilter,
)

from . import observability_questions as questions

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
        return self._list(Listing.SPANS, filters)

    def logs(self, filters: TelemetryFilter) -> pd.DataFrame:
        return self._list(Listing.LOGS, filters)

    def metrics(self, filters: TelemetryFilter) -> pd.DataFrame:
        return self._list(Listing.METRICS, filters)

    def scores(self, filters: TelemetryFilter) -> pd.DataFrame:
        return self._list(Listing.SCORES, filters)

    def feedback(self, filters: TelemetryFilter) -> pd.DataFrame:
        return self._list(Listing.FEEDBACK, filters)

    def traces(self, filters: TelemetryFilter) -> pd.DataFrame:
        return self._list(Listing.TRACES, filters)

    def latency(self, filters: TelemetryFilter, grouping: Grouping) -> pd.DataFrame:
        queries.build_latency(filters, grouping)
        ended = [row for row in questions.match(self._list_spans(), filters, queries.SPANS) if row["end_time"]]
        rows = self._group(ended, grouping, questions.measure_latency)
        rows = questions.sort_groups(rows, _list_times(grouping), filters.order, {"most": "count", "slowest": "p95_ms"})
        return _answer(rows, filters, (*queries.list_group_columns(grouping), *LATENCY_MEASURES))

    def usage(self, filters: TelemetryFilter, grouping: Grouping) -> pd.DataFrame:
        queries.build_usage(filters, grouping)
        found = questions.match(self._list_spans(), filters, queries.SPANS)
        counted = questions.count_once(found, self._list_spans())
        rows = self._group(counted, grouping, lambda rows: questions.measure_usage(rows, filters.prices))
        rows = questions.sort_groups(rows, _list_times(grouping), filters.order, {"most": "total_tokens"})
        return _answer(rows, filters, (*queries.list_group_columns(grouping), *USAGE_MEASURES))

    def errors(self, filters: TelemetryFilter) -> pd.DataFrame:
        queries.build_errors(filters)
        failed = [row for row in self._list_spans() if row["status"] == "error"]
        rows = questions.group_errors(questions.match(failed, filters, queries.SPANS))
        orders = {"most": ("count", True), "newest": ("last_seen", True), "oldest": ("first_seen", False)}
        name, is_reverse = orders[filters.order or "most"]
        rows.sort(key=lambda row: (row[name], row["last_seen"]), reverse=is_reverse)
        return _answer(rows, filters, ERROR_COLUMNS)

    def threads(self, filters: TelemetryFilter) -> pd.DataFrame:
        queries.build_threads(filters)
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in self._list_traces(filters):
            groups.setdefault(row["thread_id"], []).append(row)
        rows = [questions.summarize_thread(traces) for thread, traces in groups.items() if thread]
        orders = {"newest": ("last_seen", True), "oldest": ("first_seen", False), "most": ("traces", True)}
        name, is_reverse = orders[filters.order or "newest"]
        rows.sort(key=lambda row: row[name], reverse=is_reverse)
        return _answer(rows, filters, THREAD_COLUMNS)

    def count(self, listing: Listing, filters: TelemetryFilter) -> int:
        return len(self._find(listing, filters))

    def iterate(self, listing: Listing, filters: TelemetryFilter, rows: int) -> Iterator[pd.DataFrame]:
        found = _come_after(self._find(listing, filters), listing, filters)[: filters.limit]
        for start in range(0, len(found), rows):
            part = found[start : start + rows]
            yield _answer(part, replace(filters, limit=None), _find_columns(listing))

    def follow(
        self, listing: Listing, filters: TelemetryFilter, after: Cursor | None = None
    ) -> tuple[pd.DataFrame, Cursor]:
        subject = queries.SPANS if listing is Listing.SPANS else queries.LISTS.get(listing)
        if subject is None or listing not in {Listing.SPANS, Listing.LOGS}:
            raise InvalidInput(f"The {listing} can't be followed.", hint="Spans and logs can.")
        queries.build_arrivals(subject, filters, Cursor())
        rows = list(self._finished.values() if listing is Listing.SPANS else self._points["log"].values())
        start = after.position[0] if after else 0 if filters.since else len(rows)
        found = [(place, row) for place, row in enumerate(rows) if place >= start]
        matching = questions.match([row for _, row in found], filters, subject)[: filters.limit]
        is_whole = filters.limit is None or len(matching) < filters.limit
        last = len(rows) if is_whole else next(place for place, row in found if row is matching[-1]) + 1
        return _answer(matching, replace(filters, limit=None), _find_columns(listing)), Cursor((last,))

    def trace(self, trace_id: str) -> pd.DataFrame:
        rows = [row for row in self._list_spans() if row["trace_id"] == trace_id]
        rows.sort(key=lambda row: (row["start_time"], row["span_id"]))
        return _answer(rows, TelemetryFilter(limit=None), SPAN_COLUMNS)

    def find_traces(self, beginning: str, limit: int) -> Sequence[str]:
        return sorted({row["trace_id"] for row in self._list_spans() if row["trace_id"].startswith(beginning)})[:limit]

    def rejects(self, limit: int = 1000) -> pd.DataFrame:
        rows = sorted(self._rejects.values(), key=lambda row: (-row["time"].timestamp(), row["path"], row["position"]))
        return _answer(rows[:limit], TelemetryFilter(limit=None), REJECT_COLUMNS)

    def count_rejects(self) -> int:
        return len(self._rejects)

    def erase(self, erasure: Erasure, *, dry_run: bool = False) -> Mapping[str, int]:
        from .erasing import erase_rows

        points = {"logs": "log", "metrics": "metric", "scores": "score", "feedback": "feedback"}
        tables = {signal: [self._points[kind]] for signal, kind in points.items()}
        spans: list[Any] = [self._finished, self._open]
        return erase_rows({"spans": spans, **tables, "rejects": [self._rejects]}, erasure, dry_run=dry_run)

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        raise QueryError("Telemetry in memory knows no SQL.")

    def _list(self, listing: Listing, filters: TelemetryFilter) -> pd.DataFrame:
        found = self._find(listing, filters)
        rows = _come_after(found, listing, filters)
        frame = _answer(rows, filters, _find_columns(listing), is_counted=listing != "traces")
        if frame.attrs["truncated"]:
            frame.attrs |= {"total": len(found)} if frame.attrs["total"] is not None else {}
            frame.attrs |= {"place": _find_place(rows[filters.limit - 1], listing, filters)} if filters.limit else {}
        return frame

    def _find(self, listing: Listing, filters: TelemetryFilter) -> list[dict[str, Any]]:
        """Return all rows of a listing that match, in their order."""
        if listing is Listing.TRACES:
            queries.build_traces(filters)  # refuses what the store refuses
            return _sort(self._list_traces(filters), listing, filters)
        subject = queries.SPANS if listing is Listing.SPANS else queries.LISTS[listing]
        queries.build_list(subject, filters)
        stored = self._list_spans() if listing is Listing.SPANS else _leave_standing(self._points[_KINDS[listing]])
        return _sort(questions.match(stored, filters, subject), listing, filters)

    def _list_traces(self, filters: TelemetryFilter) -> list[dict[str, Any]]:
        fields = queries.SPANS.fields
        of_spans = {name: fields[name] for name in ("project_id", "deployment_ids", "build_id", "trace_id")}
        of_any = {name: fields[name] for name in ("model", "entity_id")}
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in questions.match_fields(self._list_spans(), filters, of_spans):
            groups.setdefault(row["trace_id"], []).append(row)
        chosen = [
            spans
            for spans in groups.values()
            if questions.search(questions.match_fields(spans, filters, of_any), filters, queries.SPANS)
        ]
        rows = [questions.summarize_trace(spans, filters.prices) for spans in chosen]
        of_traces = {name: name for name in ("type", "status", "name", "thread_id", "resource_id")}
        return questions.within(questions.match_fields(rows, filters, of_traces), filters, "start_time")

    def _group(
        self, rows: list[dict[str, Any]], grouping: Grouping, measure: Callable[[list[dict[str, Any]]], dict[str, Any]]
    ) -> list[dict[str, Any]]:
        names = queries.list_group_columns(grouping)
        return [
            {**dict(zip(names, key, strict=True)), **measure(found)}
            for key, found in questions.group(rows, grouping).items()
        ]

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
        if kind == "erased":
            return
        if kind == "span":
            self._insert_span(line, data, row)
            return
        own = data.get("timestamp")
        row["timestamp"] = self._check_time(_parse_time(own or line.get("timestamp")))
        context = data.get("correlationContext") or {}
        row |= {"trace_id": _text(data.get("traceId") or context.get("traceId"))}
        row |= {"span_id": _text(data.get("spanId") or context.get("spanId"))}
        self._points[kind].setdefault((row["id"], row["timestamp"]), row | _READERS[kind](data))

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
    if kind == "erased":
        return kind
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
        **{name: _text(data.get(_camel(name))) for name in ("name", "type", "entity_type", "entity_id", "entity_name")},
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


def _sort(rows: list[dict[str, Any]], listing: Listing, filters: TelemetryFilter) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: _rank(_find_place(row, listing, filters), filters))


def _come_after(rows: list[dict[str, Any]], listing: Listing, filters: TelemetryFilter) -> list[dict[str, Any]]:
    if not filters.after:
        return rows
    last = _rank(filters.after, filters)
    return [row for row in rows if _rank(_find_place(row, listing, filters), filters) > last]


def _rank(place: tuple[Any, ...], filters: TelemetryFilter) -> tuple[Any, ...]:
    return (place[0] if filters.order == "oldest" else -place[0], *place[1:])


def _find_place(row: dict[str, Any], listing: Listing, filters: TelemetryFilter) -> tuple[Any, ...]:
    keys = {Listing.SPANS: ("span_id", "trace_id"), Listing.TRACES: ("trace_id",)}.get(listing, ("id",))
    return (_MEASURES.get(filters.order or "", _find_moment)(row), *(row[key] for key in keys))


def _find_moment(row: dict[str, Any]) -> int:
    moment = row["timestamp"] if "timestamp" in row else row["start_time"]
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


_MEASURES: Mapping[str, Callable[[dict[str, Any]], int]] = {
    "slowest": lambda row: int(-(10**12) if row["duration_ms"] is None else row["duration_ms"]),
    "tokens": lambda row: (row["input_tokens"] or 0) + (row["output_tokens"] or 0),
    "cost": lambda row: -1 if row["cost"] is None else round(row["cost"] * 10**9),
    "spans": lambda row: int(row["spans"]),
    "errors": lambda row: int(row["errors"]),
}


def _answer(
    rows: list[dict[str, Any]], filters: TelemetryFilter, columns: Sequence[str], *, is_counted: bool = False
) -> pd.DataFrame:
    names = queries.pick_columns(filters, columns)
    is_cut = filters.limit is not None and len(rows) > filters.limit
    total = len(rows) if is_counted and not filters.text and not filters.attributes else None
    rows = rows if filters.limit is None else rows[: filters.limit]
    arrays = {
        name: pa.chunked_array([pa.array([row.get(name) for row in rows], _TYPES.get(find_dtype(name), pa.string()))])
        for name in names
    }
    frame = make_frame(pa.table(arrays), names)
    frame.attrs = {"truncated": is_cut, **({"total": total} if is_cut else {})}
    return frame


def _find_columns(listing: Listing) -> Sequence[str]:
    if listing is Listing.TRACES:
        return TRACE_COLUMNS
    return SPAN_COLUMNS if listing is Listing.SPANS else queries.LISTS[listing].columns


def _list_times(grouping: Grouping) -> list[str]:
    return [name for name in queries.list_group_columns(grouping) if find_dtype(name) is Dtype.TIME]


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


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _leave_standing(points: Mapping[Any, dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what its author has replaced or taken back since."""
    newest = {row["id"]: row["timestamp"] for row in sorted(points.values(), key=lambda row: row["timestamp"])}
    return [
        row
        for row in points.values()
        if not row["id"].startswith(ANNOTATION_PREFIX)
        or (row["timestamp"] == newest[row["id"]] and not json.loads(row["data"]).get("removed"))
    ]


_KINDS = {
    Listing.LOGS: "log",
    Listing.METRICS: "metric",
    Listing.SCORES: "score",
    Listing.FEEDBACK: "feedback",
}
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
        "author": _text(data.get("author")),
        "data": _json(data),
    },
    "feedback": lambda data: {
        "name": _text(data.get("feedbackType")),
        "label": _text(data.get("value")),
        "value": _number(data.get("value")),
        "comment": _text(data.get("comment")),
        "author": _text(data.get("author")),
        "data": _json(data),
    },
}
