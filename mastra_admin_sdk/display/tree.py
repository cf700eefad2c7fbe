"""The spans of one trace as a tree (pure; the frame's own pandas does the work)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MISSING_PARENT = "its parent isn't here"
CYCLE = "its parents lead back to it"


@dataclass(frozen=True, slots=True, eq=False)
class TraceNode:
    """One span in its place. Times are milliseconds; ``start_ms`` counts from the first start in the trace.

    ``depth`` is 0 for a root. ``status`` is ``ok``, ``error`` or ``running``; ``duration_ms`` is ``None`` while it
    runs or when nothing tells it. ``note`` says why a span with a parent is a root here. ``span`` is its row of the
    frame by column, ``None`` for what isn't there. ``input``, ``output``, ``attributes`` and ``metadata`` are as the
    frame has them, usually JSON text.
    """

    span_id: str
    name: str
    type: str
    status: str
    start_ms: float
    duration_ms: float | None
    depth: int = 0
    error: str | None = None
    note: str = ""
    entity_name: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    span: Mapping[str, Any] = field(default_factory=dict, repr=False)
    children: tuple[TraceNode, ...] = field(default=(), repr=False)

    @property
    def end_ms(self) -> float:
        """Where it ends, from the first start in the trace; its start when that isn't known."""
        return self.start_ms + max(self.duration_ms or 0.0, 0.0)

    @property
    def self_ms(self) -> float | None:
        """Milliseconds in which none of its children ran; ``None`` when its duration isn't known."""
        return None if self.duration_ms is None else max(self.end_ms - self.start_ms - _measure_children(self), 0.0)

    @property
    def input(self) -> Any:
        """What went in."""
        return self.span.get("input")

    @property
    def output(self) -> Any:
        """What came out."""
        return self.span.get("output")

    @property
    def attributes(self) -> Any:
        """What its type has, such as the model."""
        return self.span.get("attributes")

    @property
    def metadata(self) -> Any:
        """What the app added."""
        return self.span.get("metadata")


def build_tree(frame: pd.DataFrame) -> tuple[TraceNode, ...]:
    """Build the tree of a trace.

    A span whose parent isn't in the frame becomes a root with a note, so does the earliest of spans whose parents
    go in a circle. Of rows with the same span id one counts: one that has ended, else the first.

    Parameters:
        frame: spans with the columns of `ports.observability.SPAN_COLUMNS`; columns may be missing, rows in any order.

    Returns:
        The roots: those without a parent first, each kind by its start; children by their start. Empty without rows.
    """
    rows = _drop_duplicates(_read_rows(frame))
    children: dict[str, list[str]] = {key: [] for key in rows}
    roots: list[tuple[str, str]] = []
    orphans: list[tuple[str, str]] = []
    for key in sorted(rows, key=lambda key: rows[key]["start_ms"]):
        parent = rows[key]["parent_span_id"]
        if not parent:
            roots.append((key, ""))
        elif parent not in rows:
            orphans.append((key, MISSING_PARENT))
        else:
            children[parent].append(key)
    roots += orphans
    order = _order(roots, children, rows)
    return _build_nodes(order, rows)


def walk(nodes: Iterable[TraceNode]) -> Iterator[TraceNode]:
    """Yield nodes and all below them, each before its children, without recursion."""
    stack = list(nodes)[::-1]
    while stack:
        node = stack.pop()
        yield node
        stack += node.children[::-1]


_COLUMNS = (
    *("span_id", "parent_span_id", "name", "type", "status", "duration_ms", "entity_name", "model"),
    *("input_tokens", "output_tokens", "error"),
)


def _measure_children(node: TraceNode) -> float:
    """Milliseconds of a node's time in which at least one of its children ran; those come by their start."""
    covered, reached = 0.0, node.start_ms
    for child in node.children:
        end = min(child.end_ms, node.end_ms)
        covered += max(end - max(child.start_ms, reached), 0.0)
        reached = max(reached, end)
    return covered


def _read_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    every = {str(name): _list_values(frame, name) for name in frame.columns}
    spans = [dict(zip(every, values, strict=True)) for values in zip(*every.values(), strict=True)]
    starts, ends = _list_times(frame)
    return [_read_row(index, *each) for index, each in enumerate(zip(spans, starts, ends, strict=True))]


def _read_row(index: int, span: dict[str, Any], start: float | None, end: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {name: span.get(name) for name in _COLUMNS}
    row["span_id"] = str(row["span_id"] or f"row {index}")
    if row["duration_ms"] is None and end is not None and start is not None:
        row["duration_ms"] = end - start
    return {**row, "span": span, "start_ms": start or 0.0}


def _list_values(frame: pd.DataFrame, name: str) -> list[Any]:
    if name not in frame:
        return [None] * len(frame)
    values = frame[name].astype(object)
    return values.where(values.notna(), None).tolist()


def _list_times(frame: pd.DataFrame) -> tuple[list[float | None], list[float | None]]:
    import pandas as pd

    starts, ends = (
        pd.to_datetime(pd.Series(_list_values(frame, name), dtype=object), utc=True, errors="coerce", format="ISO8601")
        for name in ("start_time", "end_time")
    )
    first = starts.min()
    offsets = [(times - first).dt.total_seconds() * 1000 for times in (starts, ends)]
    listed = [[None if value != value else float(value) for value in each] for each in offsets]
    return listed[0], listed[1]


def _drop_duplicates(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = {}
    for row in rows:
        former = kept.get(row["span_id"])
        if former is None or (former["duration_ms"] is None and row["duration_ms"] is not None):
            kept[row["span_id"]] = row
    return kept


def _order(
    roots: list[tuple[str, str]], children: dict[str, list[str]], rows: dict[str, dict[str, Any]]
) -> list[tuple[str, str | None, int, str]]:
    """Return (span id, parent id or None, depth, note) with each parent before its children."""
    order: list[tuple[str, str | None, int, str]] = []
    seen: set[str] = set()

    def descend(root: str, note: str) -> None:
        stack: list[tuple[str, str | None, int, str]] = [(root, None, 0, note)]
        while stack:
            place = stack.pop()
            key, _, depth, _ = place
            if key not in seen:
                seen.add(key)
                order.append(place)
                stack += [(child, key, depth + 1, "") for child in reversed(children[key])]

    for key, note in roots:
        descend(key, note)
    for key in rows:
        if key not in seen:
            descend(_find_cycle_start(key, rows), CYCLE)
    return order


def _find_cycle_start(key: str, rows: dict[str, dict[str, Any]]) -> str:
    path: dict[str, None] = {}
    while key not in path:
        path[key] = None
        key = rows[key]["parent_span_id"]
    members = list(path)
    return min(members[members.index(key) :], key=lambda member: rows[member]["start_ms"])


def _build_nodes(
    order: Sequence[tuple[str, str | None, int, str]], rows: dict[str, dict[str, Any]]
) -> tuple[TraceNode, ...]:
    below: dict[str | None, list[TraceNode]] = {}
    for key, parent, depth, note in reversed(order):
        node = _build_node(rows[key], depth, note, tuple(reversed(below.pop(key, []))))
        below.setdefault(parent, []).append(node)
    return tuple(reversed(below.get(None, [])))


def _build_node(row: dict[str, Any], depth: int, note: str, children: tuple[TraceNode, ...]) -> TraceNode:
    error = _read_error(row["error"])
    return TraceNode(
        span_id=row["span_id"],
        name=str(row["name"] or row["type"] or "span"),
        type=str(row["type"] or ""),
        status=_read_status(row, error),
        start_ms=row["start_ms"],
        duration_ms=None if row["duration_ms"] is None else float(row["duration_ms"]),
        depth=depth,
        error=error,
        note=note,
        entity_name=row["entity_name"],
        model=row["model"],
        input_tokens=_read_count(row["input_tokens"]),
        output_tokens=_read_count(row["output_tokens"]),
        span=row["span"],
        children=children,
    )


def _read_status(row: dict[str, Any], error: str | None) -> str:
    if error or str(row["status"]).lower() in ("error", "failed"):
        return "error"
    if row["duration_ms"] is None or str(row["status"]).lower() == "running":
        return "running"
    return "ok"


def _read_error(value: Any) -> str | None:
    """Return the message of an error, which is text, or JSON with a ``message``."""
    found = value
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            found = value  # text that only looks like JSON is a message too
    if isinstance(found, dict):
        found = found.get("message") or value
    return str(found) if found else None


def _read_count(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
