"""The spans of a trace as rows for a view that draws them itself, such as the panel's (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .spans import find_end, format_time
from .text import measure, printable, truncate
from .tree import TraceNode, walk

ROW_FIELDS = ("id", "depth", "name", "type", "status", "start_ms", "duration_ms", "time", "facts", "children", "errors")
"""What each row says, in order: ``children`` counts those directly below, ``errors`` what failed anywhere below."""

_LONGEST_NAME = 200


def list_trace_rows(nodes: Sequence[TraceNode]) -> list[list[Any]]:
    """Return a row a span (`ROW_FIELDS`), each before what is below it.

    Names are fit to be shown: on one line, without control characters and what turns text around. Times are
    milliseconds; ``start_ms`` counts from the first start.
    """
    errors = _count_errors(nodes)
    return [_build_row(node, errors[node.span_id]) for node in walk(nodes)]


def find_end_ms(nodes: Sequence[TraceNode]) -> float:
    """Return where the last span ends, in milliseconds from the first start."""
    return find_end(nodes)


def _build_row(node: TraceNode, errors: int) -> list[Any]:
    return [
        node.span_id,
        node.depth,
        _shorten(node.name),
        printable(node.type)[:60],
        node.status,
        round(node.start_ms, 3),
        None if node.duration_ms is None else round(node.duration_ms, 3),
        format_time(node),
        _list_facts(node),
        len(node.children),
        errors,
    ]


def _list_facts(node: TraceNode) -> str:
    facts = [printable(node.model)[:60]] if node.model else []
    if node.input_tokens is not None or node.output_tokens is not None:
        facts.append(f"{node.input_tokens or 0:,} → {node.output_tokens or 0:,} tokens")
    return " · ".join([*facts, *([node.note] if node.note else [])])


def _shorten(name: str) -> str:
    cleaned = printable(name[: _LONGEST_NAME + 1])
    return cleaned if measure(cleaned) <= _LONGEST_NAME else truncate(cleaned, _LONGEST_NAME)


def _count_errors(nodes: Sequence[TraceNode]) -> dict[str, int]:
    """Return how many spans below each failed, however deep they are."""
    found: dict[str, int] = {}
    for node in reversed(list(walk(nodes))):
        found[node.span_id] = sum(found[child.span_id] + (child.status == "error") for child in node.children)
    return found
