"""The waterfall of a trace, as text for terminals and as HTML for notebooks and the panel."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .pages import render_template
from .text import format_duration, measure, pad, printable, truncate
from .tree import TraceNode, build_tree, walk

__all__ = ["TraceNode", "build_tree", "render_trace_html", "render_trace_text", "walk"]

EMPTY = "This trace has no spans."
_NARROWEST = 20
_NO_BAR_BELOW = 48
_TIME_WIDTH = 11
_DEEPEST_INDENT = 24
_PAYLOAD_BUDGET = 2_000_000
_PAYLOAD_LONGEST = 4_000
_PAYLOAD_SHORTEST = 200


def render_trace_text(nodes: Sequence[TraceNode], width: int = 80) -> str:
    """Return the tree of a trace as lines of at most ``width`` terminal columns (20 at least).

    Each line has a span's place in the tree, its name, a bar for its part of the time and its duration; a failed
    span is marked with ``✗`` and followed by its error.
    """
    if not nodes:
        return EMPTY
    width = max(width, _NARROWEST)
    bar_width = width // 4 if width >= _NO_BAR_BELOW else 0
    layout = _Layout(width, bar_width, width - _TIME_WIDTH - bar_width - bool(bar_width), _find_end(nodes))
    lines = [truncate(_summarize(nodes), width)]
    for prefix, below, node in _walk_with_prefix(nodes, layout.label_width):
        lines.append(_render_line(prefix, node, layout))
        if node.error:
            lines.append(truncate(f"{_cut_left(below, layout.label_width // 2)}{node.error}", width))
    return "\n".join(lines)


def render_trace_html(nodes: Sequence[TraceNode], *, styles: bool = True) -> str:
    """Return the waterfall of a trace as HTML that needs no script and nothing from elsewhere.

    Input, output and attributes of a span fold out; long ones are cut, which says so: the frame has the whole.

    Parameters:
        nodes: the roots, from `build_tree`.
        styles: whether to bring the style sheet along; a page that has it (`pages.load_styles`) needn't.
    """
    every = list(walk(nodes))
    end = _find_end(nodes)
    longest = min(max(_PAYLOAD_BUDGET // max(2 * len(every), 1), _PAYLOAD_SHORTEST), _PAYLOAD_LONGEST)
    return render_template(
        "trace.html.j2",
        styles=styles,
        summary=_summarize(nodes) if nodes else EMPTY,
        rows=[_build_row(node, end, longest) for node in every],
    )


# --- both -------------------------------------------------------------------------------------------------------------


def _find_end(nodes: Iterable[TraceNode]) -> float:
    return max((node.end_ms for node in walk(nodes)), default=0.0)


def _summarize(nodes: Sequence[TraceNode]) -> str:
    every = list(walk(nodes))
    errors = sum(node.status == "error" for node in every)
    running = sum(node.status == "running" for node in every)
    parts = [f"{len(every):,} span{'' if len(every) == 1 else 's'}", format_duration(_find_end(nodes) / 1000)]
    parts += [f"{errors:,} failed"] if errors else []
    parts += [f"{running:,} running"] if running else []
    return " · ".join(parts)


def _format_time(node: TraceNode) -> str:
    if node.duration_ms is None:
        return "running" if node.status == "running" else "no end"
    return format_duration(max(node.duration_ms, 0.0) / 1000)


def _find_span(node: TraceNode, end: float) -> tuple[float, float]:
    """Return where a span's bar starts and how long it is, as parts of the whole trace between 0 and 1."""
    if end <= 0:
        return 0.0, 1.0
    start = min(max(node.start_ms / end, 0.0), 1.0)
    stop = 1.0 if node.duration_ms is None else min(node.end_ms / end, 1.0)
    return start, max(stop - start, 0.0)


# --- text -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Layout:
    width: int
    bar_width: int
    label_width: int
    end: float


def _walk_with_prefix(nodes: Sequence[TraceNode], longest: int) -> Iterator[tuple[str, str, TraceNode]]:
    """Yield the lines drawn before a span, those before what is below it, and the span."""
    stack = [("", "", node) for node in reversed(nodes)]
    while stack:
        prefix, below, node = stack.pop()
        yield prefix, below + ("│ " if node.children else "  "), node
        for index, child in enumerate(reversed(node.children)):
            # Only the end of a long prefix is ever shown: cutting keeps ten thousand levels from adding up.
            stack.append(
                (
                    (below + ("└─ " if index == 0 else "├─ "))[-4 * longest :],
                    (below + ("   " if index == 0 else "│  "))[-4 * longest :],
                    child,
                )
            )


def _render_line(prefix: str, node: TraceNode, layout: _Layout) -> str:
    mark = "✗ " if node.status == "error" else ""
    note = f" ({node.note})" if node.note else ""
    label = pad(f"{_cut_left(prefix, layout.label_width // 2)}{mark}{node.name}{note}", layout.label_width)
    time = f"{_format_time(node):>{_TIME_WIDTH}}"
    return f"{label} {_draw_bar(node, layout)}{time}" if layout.bar_width else f"{label}{time}"


def _cut_left(prefix: str, width: int) -> str:
    return prefix if len(prefix) <= width else "…" + prefix[len(prefix) - width + 1 :]


def _draw_bar(node: TraceNode, layout: _Layout) -> str:
    start, length = _find_span(node, layout.end)
    first = min(int(start * layout.bar_width), layout.bar_width - 1)
    cells = min(max(round(length * layout.bar_width), 1), layout.bar_width - first)
    return (" " * first + ("▒" if node.status == "running" else "█") * cells).ljust(layout.bar_width)


# --- HTML -------------------------------------------------------------------------------------------------------------


def _build_row(node: TraceNode, end: float, longest: int) -> dict[str, Any]:
    start, length = _find_span(node, end)
    fields = (("Input", node.input), ("Output", node.output), ("Attributes", node.attributes))
    return {
        "indent": min(node.depth, _DEEPEST_INDENT),
        "depth": node.depth,
        "name": _clean(node.name, 300),
        "type": _clean(node.type, 60),
        "status": node.status,
        "note": node.note,
        "time": _format_time(node),
        "bar_start": f"{100 * start:.3f}%",
        "bar_length": f"{100 * length:.3f}%",
        "facts": _list_facts(node),
        "error": _clean(node.error, longest) if node.error else "",
        "payloads": [(title, *_format_payload(value, longest)) for title, value in fields if _says_something(value)],
    }


def _list_facts(node: TraceNode) -> list[str]:
    facts = [_clean(node.model, 60)] if node.model else []
    if node.input_tokens is not None or node.output_tokens is not None:
        facts.append(f"{node.input_tokens or 0:,} → {node.output_tokens or 0:,} tokens")
    return facts


def _says_something(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and value in ("", "{}", "[]", "null"))


def _format_payload(value: Any, longest: int) -> tuple[str, str]:
    """Return a payload as text, indented when it is short JSON, and a sentence when it was cut."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    if len(text) <= longest:
        return _keep_lines(_indent(text)), ""
    return _keep_lines(text[:longest]), f"cut after {longest:,} of {len(text):,} characters: the DataFrame has them all"


def _indent(text: str) -> str:
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text  # no JSON after all: shown as it is


def _keep_lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def _clean(text: str, longest: int) -> str:
    cleaned = printable(text[: longest + 1])
    return cleaned if measure(cleaned) <= longest else f"{cleaned[:longest]}…"
