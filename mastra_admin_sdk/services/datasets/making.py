"""Items of datasets, from spans and from tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import DatasetItem
from mastra_admin_sdk.services.telemetry.values import is_missing, read_value

if TYPE_CHECKING:
    import pandas as pd

ITEM_COLUMNS = ("input", "expected", "target", "metadata", "trace_id", "span_id")
"""What a table of items is read from, and written as; only ``input`` is needed."""

RUN_KINDS: Mapping[str, str] = {"agent_run": "agent", "workflow_run": "workflow"}
"""Types of spans whose input can be given to something again, and what they are runs of."""

_SHOWN = 10


def make_item(dataset_id: str, span: Mapping[str, Any], *, expected: bool) -> DatasetItem:
    """Return an item that is what a span was given, and with ``expected`` what it gave back."""
    kind = RUN_KINDS.get(str(span["type"]))
    entity = span["entity_id"] if isinstance(span["entity_id"], str) else None
    return DatasetItem(
        dataset_id,
        input=_read_stored(span["input"]),
        expected=_read_stored(span["output"]) if expected else None,
        target=f"{kind}:{entity}" if kind and entity else None,
        source_trace_id=span["trace_id"],
        source_span_id=span["span_id"],
    )


def pick_span(spans: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the span of a trace that can be run again: its outermost agent or workflow, else a root that has input.

    Parameters:
        spans: of one trace, oldest first.
    """
    by_id = {span["span_id"]: span for span in spans}
    runs = [span for span in spans if span["type"] in RUN_KINDS]
    if runs:
        return min(runs, key=lambda span: _measure_depth(span, by_id))
    roots = [span for span in spans if span["parent_span_id"] not in by_id]
    return next((span for span in roots if span["input"]), None)


def read_items(dataset_id: str, frame: pd.DataFrame) -> list[DatasetItem]:
    """Return an item for each row.

    Raises:
        InvalidInput: a column is missing or a value can't be kept as JSON; row and column are named.
    """
    if "input" not in frame.columns and not frame.empty:
        raise InvalidInput("The table has no column 'input'.", hint=f"Columns: {', '.join(ITEM_COLUMNS)}.")
    wanted = [name for name in ITEM_COLUMNS if name in frame.columns]
    items, faults = [], []
    for label, row in zip(frame.index, frame[wanted].to_dict("records"), strict=True):
        try:
            items.append(_read_item(dataset_id, {str(name): value for name, value in row.items()}))
        except ValueError as exc:
            faults.append(f"row {label!r}, {exc}")
    if faults:
        raise InvalidInput(f"Nothing was added: {faults[0]}.", evidence={"faults": faults[:_SHOWN]})
    return items


def list_rows(items: Sequence[DatasetItem]) -> Iterator[dict[str, Any]]:
    """Yield items as rows of a table."""
    for item in items:
        yield {
            "id": item.id,
            "input": item.input,
            "expected": item.expected,
            "target": item.target,
            "metadata": dict(item.metadata),
            "trace_id": item.source_trace_id,
            "span_id": item.source_span_id,
            "created_at": item.created_at,
        }


def _read_stored(value: object) -> Any:
    return read_value(value) if isinstance(value, str) else None


def _measure_depth(span: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> int:
    depth, seen = 0, {span["span_id"]}
    while (parent := by_id.get(span["parent_span_id"])) is not None and parent["span_id"] not in seen:
        span = parent
        seen.add(parent["span_id"])
        depth += 1
    return depth


def _read_item(dataset_id: str, row: Mapping[str, Any]) -> DatasetItem:
    metadata = _clean("metadata", row.get("metadata")) or {}
    if not isinstance(metadata, dict):
        raise ValueError(f"column 'metadata': it is {type(metadata).__name__}, not a mapping")
    texts = {name: _read_text(name, row.get(name)) for name in ("target", "trace_id", "span_id")}
    return DatasetItem(
        dataset_id,
        input=_clean("input", row["input"]),
        expected=_clean("expected", row.get("expected")),
        metadata=metadata,
        target=texts["target"],
        source_trace_id=texts["trace_id"],
        source_span_id=texts["span_id"],
    )


def _read_text(column: str, value: object) -> str | None:
    if is_missing(value) or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"column {column!r}: {value!r} is {type(value).__name__}, not text")
    if column == "target" and not value.startswith(("agent:", "workflow:")):
        raise ValueError(f"column 'target': {value!r} is neither agent:<id> nor workflow:<id>")
    return value


def _clean(column: str, value: object) -> Any:
    """Return a value as JSON has it."""
    if is_missing(value):
        return None
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_simplify))
    except (TypeError, ValueError, RecursionError) as exc:
        raise ValueError(f"column {column!r}: it can't be kept as JSON ({exc})") from exc


def _simplify(value: object) -> Any:
    for name in ("tolist", "isoformat"):  # numpy's and pandas' values, and times
        method = getattr(value, name, None)
        if callable(method):
            return method()
    raise TypeError(f"{type(value).__name__} is no JSON")
