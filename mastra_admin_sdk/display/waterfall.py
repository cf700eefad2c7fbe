"""The waterfall of a trace as HTML: nested bars that fold, without scripts and without anything from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .pages import render_template
from .selection import Selection, select_nodes
from .spans import describe_cut, describe_hidden, find_bar, find_end, format_time, summarize
from .text import format_bytes, format_duration, measure, printable
from .tree import TraceNode, walk

MOST_ROWS = 1_000
"""Spans that a waterfall shows unless it is asked for more."""

_DEEPEST = 24
"""Levels that are indented and nested; deeper ones stand below each other. Browsers stop nesting at 512 elements."""

_ALL_OPEN = 100
_SHORTEST_BAR = 0.003
_PAYLOAD_BUDGET = 1_000_000
_PAYLOAD_LONGEST = 4_000
_PAYLOAD_SHORTEST = 200


def render_trace_html(
    nodes: Sequence[TraceNode],
    *,
    styles: bool = True,
    limit: int | None = MOST_ROWS,
    facts: Sequence[str] = (),
    url: str | None = None,
) -> str:
    """Return the waterfall of a trace.

    A span folds out to its input, output and attributes, each folded again, and to what it called. Long texts are cut,
    and of a large trace the spans that failed and the longest are shown; both is said where it happens.

    Parameters:
        nodes: the roots, from `build_tree`.
        styles: whether to bring the style sheet along; a page that has it (`pages.load_styles`) needn't.
        limit: how many spans to show at most; ``None`` shows all.
        facts: what else to say in the first line, such as tokens.
        url: where the trace is shown in the panel.
    """
    selection = select_nodes(nodes, limit)
    end = find_end(nodes)
    longest = min(max(_PAYLOAD_BUDGET // max(2 * len(selection.shown), 1), _PAYLOAD_SHORTEST), _PAYLOAD_LONGEST)
    cut = "" if selection.is_whole else describe_cut(len(selection.shown), selection.total)
    return render_template(
        "trace.html.j2",
        styles=styles,
        summary=" · ".join([summarize(nodes), *map(printable, facts)]),
        url=url,
        cut=f"{cut} The DataFrame has all of them." if cut else "",
        ticks=[format_duration(end * part / 2000) if part else "0" for part in range(3)] if end > 0 else [],
        items=_list_items(nodes, selection, _Scale(end, longest)),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    end: float
    longest: int


def _list_items(nodes: Sequence[TraceNode], selection: Selection, scale: _Scale) -> Iterator[dict[str, Any]]:
    """Yield what stands below each other: spans, what is left out, and where a span with others inside ends."""
    opened = _list_opened(nodes, selection)
    stack: list[dict[str, Any] | TraceNode] = _list_inner("", nodes, selection, 0)
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            continue
        row = _build_row(item, scale)
        inner = _list_inner(item.span_id, item.children, selection, item.depth + 1)
        folds = bool(row["payloads"]) or (bool(inner) and item.depth < _DEEPEST)
        holds = bool(inner) and item.depth < _DEEPEST
        yield {**row, "kind": "span", "folds": folds, "holds": holds, "open": holds and item.span_id in opened}
        stack += [{"kind": "end"}, *inner] if holds else inner


def _list_inner(
    owner: str, children: Sequence[TraceNode], selection: Selection, depth: int
) -> list[dict[str, Any] | TraceNode]:
    """What is directly below a span, last first."""
    shown: list[dict[str, Any] | TraceNode] = [
        child for child in reversed(children) if child.span_id in selection.shown
    ]
    if owner not in selection.hidden:
        return shown
    text = describe_hidden(selection.hidden[owner])
    return [{"kind": "more", "text": text, "indent": min(depth, _DEEPEST)}, *shown]


def _list_opened(nodes: Sequence[TraceNode], selection: Selection) -> set[str]:
    """Return which spans are open at first: all of a small trace, else the upper ones and what leads to failures."""
    every = [node for node in walk(nodes) if node.span_id in selection.shown]
    if len(every) <= _ALL_OPEN:
        return {node.span_id for node in every}
    parents = {child.span_id: node.span_id for node in every for child in node.children}
    opened = {node.span_id for node in every if node.depth < 1}
    for node in every:
        above = parents.get(node.span_id) if node.status == "error" else None
        while above is not None and above not in opened:
            opened.add(above)
            above = parents.get(above)
    return opened


def _build_row(node: TraceNode, scale: _Scale) -> dict[str, Any]:
    start, length = find_bar(node, scale.end)
    length = max(length, _SHORTEST_BAR)
    start = min(start, 1 - length)
    fields = (("Input", node.input), ("Output", node.output), ("Attributes", node.attributes))
    return {
        "indent": min(node.depth, _DEEPEST),
        "name": _clean(node.name, 300),
        "title": _describe(node),
        "status": node.status,
        "note": node.note,
        "time": format_time(node),
        "bar_start": f"{100 * start:.3f}%",
        "bar_length": f"{100 * length:.3f}%",
        "facts": _list_facts(node),
        "error": _clean(node.error, scale.longest) if node.error else "",
        "payloads": [_build_payload(title, value, scale.longest) for title, value in fields if _says_something(value)],
    }


def _describe(node: TraceNode) -> str:
    """What one sees of a span when one points at it."""
    own = node.self_ms if node.children else None
    parts = [
        f"{_clean(node.name, 300)}{f' ({_clean(node.type, 60)})' if node.type else ''}",
        f"level {node.depth + 1}",
        *([f"starts at {format_duration(node.start_ms / 1000)}"] if node.start_ms else []),
        *([f"{format_duration(own / 1000)} of its own"] if own is not None else []),
        *([node.note] if node.note else []),
    ]
    return ", ".join(parts)


def _list_facts(node: TraceNode) -> list[str]:
    facts = [_clean(node.model, 60)] if node.model else []
    if node.input_tokens is not None or node.output_tokens is not None:
        facts.append(f"{node.input_tokens or 0:,} → {node.output_tokens or 0:,} tokens")
    return facts


def _says_something(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and value in ("", "{}", "[]", "null"))


def _build_payload(title: str, value: Any, longest: int) -> dict[str, str]:
    """Return a payload as text, indented when it is short JSON, with its size, and a sentence when it was cut."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    size = format_bytes(len(text.encode("utf-8", "replace")))
    if len(text) <= longest:
        return {"title": title, "size": size, "text": _keep_lines(_indent(text)), "cut": ""}
    cut = f"cut after {longest:,} of {len(text):,} characters: the DataFrame has them all"
    return {"title": title, "size": size, "text": _keep_lines(text[:longest]), "cut": cut}


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
