"""What the page of a trace says of it and of one of its spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import url_for

from mastra_admin_sdk.display.spans import format_time
from mastra_admin_sdk.display.text import format_duration, printable
from mastra_admin_sdk.display.tree import TraceNode
from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.services.telemetry.traces import Trace

from .payloads import clean_line, clean_lines, make_payload, shape_line
from .records import list_records
from .telemetry import find_owners, number_builds

FIELDS = {"input": "Input", "output": "Output", "attributes": "Attributes", "metadata": "Metadata", "error": "Error"}
"""What of a span is shown as a whole text."""

_FACTS = (
    ("Agent or tool", "entity_name"),
    ("Id of it", "entity_id"),
    ("Model", "model"),
    ("Provider", "provider"),
    ("User", "resource_id"),
    ("Thread", "thread_id"),
    ("Run", "run_id"),
)
_LONGEST_ERROR = 4000


def pick_span(trace: Trace, span_id: str | None) -> TraceNode | None:
    """Return the span that is asked for, the root where none is; none of a trace without spans.

    Raises:
        NotFound: the trace has no such span.
    """
    if not span_id:
        return trace.root
    if span_id not in trace.tree:
        raise NotFound(
            f"This trace has no span {span_id[:60]!r}.",
            hint="Open the trace without ?span= and choose one of its spans.",
        )
    return trace.tree[span_id]


def describe_trace(trace: Trace, *, most_logs: int) -> dict[str, Any]:
    """Return what the page says of the trace as a whole."""
    root, tokens = trace.root, trace.tokens
    logs = [shape_line(row) for row in list_records(trace.logs.head(most_logs), as_json=True)]
    owner = {name: root.span.get(name) if root else None for name in ("project_id", "deployment_id", "build_id")}
    callers = {name: _find_first(trace, name) for name in ("thread_id", "resource_id", "run_id")}
    return {
        "trace": {
            "id": trace.id,
            "name": clean_line(root.name, 200) if root else "Trace",
            "status": trace.status,
            "start": _to_iso(trace.frame["start_time"].min()) if len(trace.frame) else None,
            "duration": None if trace.duration_ms is None else format_duration(trace.duration_ms / 1000),
            "spans": len(trace.tree),
            "errors": sum(node.status == "error" for node in trace.tree),
            "tokens": tokens,
            "is_running": trace.duration_ms is None,
            **owner,
            **callers,
        },
        "logs": logs,
        "more_logs": max(0, len(trace.logs) - len(logs)),
        "opinions": list_opinions(trace),
        "owners": find_owners(),
        "builds": number_builds([owner]),
    }


def describe_span(trace: Trace, node: TraceNode) -> dict[str, Any]:
    """Return what is shown of one span."""
    span = node.span
    logs = trace.logs
    own = list_records(logs[logs["span_id"] == node.span_id].head(100), as_json=True) if len(logs) else []
    parent = trace.tree.parent(node.span_id)
    return {
        "id": node.span_id,
        "trace_id": trace.id,
        "name": clean_line(node.name, 200),
        "type": printable(node.type)[:60],
        "status": node.status,
        "note": node.note,
        "start": _to_iso(span.get("start_time")),
        "offset": format_duration(node.start_ms / 1000) if node.start_ms else "",
        "duration": format_time(node),
        "own": format_duration(node.self_ms / 1000) if node.children and node.self_ms is not None else "",
        "error": clean_lines(node.error, _LONGEST_ERROR) if node.error else "",
        "tokens": None
        if node.input_tokens is None and node.output_tokens is None
        else (node.input_tokens or 0, node.output_tokens or 0),
        "facts": list(_list_facts(span)),
        "parent": _link(trace, parent) if parent else None,
        "payloads": [
            payload
            for name, title in FIELDS.items()
            if name != "error" and (payload := make_payload(name, title, span.get(name)))
        ],
        "logs": [shape_line(row) for row in own],
        "opinions": list_opinions(trace, node.span_id),
    }


def list_opinions(trace: Trace, span_id: str | None = None) -> list[dict[str, Any]]:
    """Return scores, labels and notes on a trace as a whole, or on one of its spans, oldest first."""
    rows = [_shape_score(row) for row in list_records(trace.scores, as_json=True)]
    rows += [_shape_feedback(row) for row in list_records(trace.feedback, as_json=True)]
    found = [row for row in rows if (row["span_id"] or None) == span_id]
    return sorted(found, key=lambda row: str(row["time"]))


def _shape_score(row: Mapping[str, Any]) -> dict[str, Any]:
    value = "" if row["score"] is None else f"{row['score']:.4g}"
    return _shape_opinion(row, "score", value, row["reason"])


def _shape_feedback(row: Mapping[str, Any]) -> dict[str, Any]:
    return _shape_opinion(row, "feedback", row["label"] or "", row["comment"])


def _shape_opinion(row: Mapping[str, Any], kind: str, value: str, text: str | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "time": row["timestamp"],
        "name": clean_line(row["name"] or kind, 100),
        "value": clean_line(value, 200),
        "text": clean_lines(text or "", 2000),
        "author": clean_line(row["author"] or "", 100),
        "span_id": row["span_id"],
    }


def _list_facts(span: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    facts = [(label, clean_line(str(span[name]), 120)) for label, name in _FACTS if span.get(name)]
    return [fact for place, fact in enumerate(facts) if fact[1] not in {other[1] for other in facts[:place]}]


def _find_first(trace: Trace, column: str) -> str | None:
    known = trace.frame[column].dropna()
    return clean_line(str(known.iloc[0]), 120) if len(known) else None


def _link(trace: Trace, node: TraceNode) -> dict[str, str]:
    url = url_for("pages.traces.show", trace_id=trace.id, span=node.span_id)
    return {"id": node.span_id, "name": clean_line(node.name, 80), "status": node.status, "url": url}


def _to_iso(moment: Any) -> str | None:
    return None if moment is None or moment != moment else moment.isoformat(timespec="milliseconds")
