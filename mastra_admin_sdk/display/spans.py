"""What the text and the HTML of a trace say of its spans alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .selection import Hidden
from .text import format_duration
from .tree import TraceNode, walk

EMPTY = "This trace has no spans."


def find_end(nodes: Iterable[TraceNode]) -> float:
    """Return where the last span ends, in milliseconds from the first start."""
    return max((node.end_ms for node in walk(nodes)), default=0.0)


def summarize(nodes: Sequence[TraceNode]) -> str:
    """Return a trace in a line: ``28 spans · 1.2 s · 1 failed``."""
    if not nodes:
        return EMPTY
    every = list(walk(nodes))
    errors = sum(node.status == "error" for node in every)
    running = sum(node.status == "running" for node in every)
    parts = [_count(len(every)), format_duration(find_end(nodes) / 1000)]
    parts += [f"{errors:,} failed"] if errors else []
    parts += [f"{running:,} running"] if running else []
    return " · ".join(parts)


def describe_hidden(hidden: Hidden) -> str:
    """Return what is left out at one place: ``… 42 more spans, 2 failed``."""
    failed = f", {hidden.errors:,} failed" if hidden.errors else ""
    return f"… {hidden.spans:,} more span{'' if hidden.spans == 1 else 's'}{failed}"


def describe_cut(shown: int, total: int) -> str:
    """Return that a trace is shown in part."""
    return f"{shown:,} of {_count(total)} shown: those that failed and the longest."


def format_time(node: TraceNode) -> str:
    """Return how long a span took, or ``running``."""
    if node.duration_ms is None:
        return "running" if node.status == "running" else "no end"
    return format_duration(max(node.duration_ms, 0.0) / 1000)


def find_bar(node: TraceNode, end: float) -> tuple[float, float]:
    """Return where a span's bar starts and how long it is, as parts of the whole trace between 0 and 1."""
    if end <= 0:
        return 0.0, 1.0
    start = min(max(node.start_ms / end, 0.0), 1.0)
    stop = 1.0 if node.duration_ms is None else min(node.end_ms / end, 1.0)
    return start, max(stop - start, 0.0)


def _count(spans: int) -> str:
    return f"{spans:,} span{'' if spans == 1 else 's'}"
