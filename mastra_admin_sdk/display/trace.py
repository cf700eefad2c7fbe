"""The waterfall of a trace, as text for terminals; as HTML it is in `waterfall`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .selection import Hidden, Selection, select_nodes
from .spans import describe_cut, describe_hidden, find_bar, find_end, format_time, summarize
from .text import pad, truncate
from .tree import TraceNode, build_tree, walk
from .waterfall import render_trace_html

__all__ = ["TraceNode", "build_tree", "render_trace_html", "render_trace_text", "walk"]

_NARROWEST = 20
_NO_BAR_BELOW = 48
_TIME_WIDTH = 11


def render_trace_text(nodes: Sequence[TraceNode], width: int = 80, *, limit: int | None = None) -> str:
    """Return the tree of a trace as lines of at most ``width`` terminal columns (20 at least).

    Each line has a span's place in the tree, its name, a bar for its part of the time and its duration; a failed
    span is marked with ``✗`` and followed by its error.

    Parameters:
        nodes: the roots, from `build_tree`.
        width: columns of the terminal.
        limit: how many spans to show at most; what is left out is counted in its place. All unless given.
    """
    if not nodes:
        return summarize(nodes)
    width = max(width, _NARROWEST)
    bar_width = width // 4 if width >= _NO_BAR_BELOW else 0
    layout = _Layout(width, bar_width, width - _TIME_WIDTH - bar_width - bool(bar_width), find_end(nodes))
    selection = select_nodes(nodes, limit)
    lines = [truncate(summarize(nodes), width)]
    for prefix, below, item in _walk_with_prefix(nodes, selection, layout.label_width):
        if isinstance(item, Hidden):
            lines.append(truncate(f"{_cut_left(prefix, layout.label_width // 2)}{describe_hidden(item)}", width))
            continue
        lines.append(_render_line(prefix, item, layout))
        if item.error:
            lines.append(truncate(f"{_cut_left(below, layout.label_width // 2)}{item.error}", width))
    if not selection.is_whole:
        lines.append(truncate(describe_cut(len(selection.shown), selection.total), width))
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Layout:
    width: int
    bar_width: int
    label_width: int
    end: float


_Item = TraceNode | Hidden


def _walk_with_prefix(
    nodes: Sequence[TraceNode], selection: Selection, longest: int
) -> Iterator[tuple[str, str, _Item]]:
    """Yield the lines drawn before a span, those before what is below it, and the span or what is left out there."""
    stack: list[tuple[str, str, _Item]] = [("", "", item) for item in reversed(_list_items("", nodes, selection))]
    while stack:
        prefix, below, item = stack.pop()
        inner = [] if isinstance(item, Hidden) else _list_items(item.span_id, item.children, selection)
        yield prefix, below + ("│ " if inner else "  "), item
        for index, child in enumerate(reversed(inner)):
            # Only the end of a long prefix is ever shown: cutting keeps ten thousand levels from adding up.
            stack.append(
                (
                    (below + ("└─ " if index == 0 else "├─ "))[-4 * longest :],
                    (below + ("   " if index == 0 else "│  "))[-4 * longest :],
                    child,
                )
            )


def _list_items(owner: str, children: Sequence[TraceNode], selection: Selection) -> list[_Item]:
    shown: list[_Item] = [child for child in children if child.span_id in selection.shown]
    return [*shown, selection.hidden[owner]] if owner in selection.hidden else shown


def _render_line(prefix: str, node: TraceNode, layout: _Layout) -> str:
    mark = "✗ " if node.status == "error" else ""
    note = f" ({node.note})" if node.note else ""
    label = pad(f"{_cut_left(prefix, layout.label_width // 2)}{mark}{node.name}{note}", layout.label_width)
    time = f"{format_time(node):>{_TIME_WIDTH}}"
    return f"{label} {_draw_bar(node, layout)}{time}" if layout.bar_width else f"{label}{time}"


def _cut_left(prefix: str, width: int) -> str:
    return prefix if len(prefix) <= width else "…" + prefix[len(prefix) - width + 1 :]


def _draw_bar(node: TraceNode, layout: _Layout) -> str:
    start, length = find_bar(node, layout.end)
    first = min(int(start * layout.bar_width), layout.bar_width - 1)
    cells = min(max(round(length * layout.bar_width), 1), layout.bar_width - first)
    return (" " * first + ("▒" if node.status == "running" else "█") * cells).ljust(layout.bar_width)
