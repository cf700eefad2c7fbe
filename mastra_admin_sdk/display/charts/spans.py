"""The waterfall of a trace as a figure: a bar a span, at its time (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra_admin_sdk.display.selection import select_nodes
from mastra_admin_sdk.display.spans import describe_cut, find_end, format_time, summarize
from mastra_admin_sdk.display.text import format_duration, printable
from mastra_admin_sdk.display.tree import TraceNode, walk

from .drawing import Drawing, escape, make_layout, measure_height, say_empty
from .themes import STRIPES, TONE
from .timelines import REST
from .units import Unit, measure_time

MOST_SPANS = 200
"""Spans that are drawn; of larger traces those that failed and the longest."""

_DEEPEST = 12
_LONGEST = 48
_SHORTEST = 0.002
_KINDS = ("agent_run", "model_generation", "tool_call", "workflow_run", "workflow_step")


def draw_trace(nodes: Sequence[TraceNode], *, title: str = "Trace", limit: int = MOST_SPANS) -> Drawing:
    """Return the waterfall of a trace: spans below each other in the order of the tree, failed ones striped.

    Parameters:
        nodes: the roots, from `display.tree.build_tree`.
        limit: how many spans to draw at most.
    """
    selection = select_nodes(nodes, limit)
    shown = [node for node in walk(nodes) if node.span_id in selection.shown]
    empty = "" if shown else "This trace has no spans."
    unit = measure_time([find_end(nodes)])
    cut = "" if selection.is_whole else describe_cut(len(shown), selection.total)
    layout = make_layout(
        title,
        x={"title": {"text": unit.title}, "rangemode": "tozero", **unit.axis},
        y=_describe_rows(shown),
        legend=bool(shown),
        barmode="overlay",
        bargap=0.2,
        hovermode="closest",
        height=measure_height(len(shown)),
    )
    figure = {"data": _draw(shown, unit, find_end(nodes)), "layout": say_empty(layout, empty)}
    rows = tuple(
        (printable(node.name), node.type, node.status, format_duration(node.start_ms / 1000), format_time(node))
        for node in shown
    )
    summary = empty or " ".join(filter(None, [f"{summarize(nodes)}.", cut]))
    return Drawing(figure, ("Span", "Type", "Status", "Starts at", "Took"), rows, summary, empty)


def _describe_rows(nodes: Sequence[TraceNode]) -> dict[str, Any]:
    labels = [f"{'   ' * min(node.depth, _DEEPEST)}{escape(node.name, _LONGEST)}" for node in nodes]
    return {
        "tickmode": "array",
        "tickvals": list(range(len(nodes))),
        "ticktext": labels,
        "range": [len(nodes) - 0.5, -0.5],
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }


def _draw(nodes: Sequence[TraceNode], unit: Unit, end: float) -> list[dict[str, Any]]:
    """A trace of the figure for each kind of span, and one for those that failed."""
    places = list(enumerate(nodes))
    kinds = dict.fromkeys(_find_tone(node) for node in nodes)
    return [_draw_kind(tone, [each for each in places if _find_tone(each[1]) == tone], unit, end) for tone in kinds]


def _draw_kind(tone: str, places: Sequence[tuple[int, TraceNode]], unit: Unit, end: float) -> dict[str, Any]:
    nodes = [node for _, node in places]
    shortest = end * _SHORTEST
    return {
        "type": "bar",
        "orientation": "h",
        "name": {"bad": "failed", "quiet": REST}.get(tone) or _KINDS[int(tone)].replace("_", " "),
        "base": [node.start_ms / unit.divisor for node in nodes],
        "x": [max(node.end_ms - node.start_ms, shortest) / unit.divisor for node in nodes],
        "y": [place for place, _ in places],
        "customdata": [_describe(node) for node in nodes],
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": dict(STRIPES) if tone == "bad" else {},
        "meta": {TONE: tone, "spans": [node.span_id for node in nodes]},
    }


def _describe(node: TraceNode) -> str:
    parts = [f"{escape(node.name)} ({escape(node.type)})", f"{format_time(node)}, {node.status}"]
    if node.error:
        parts.append(escape(node.error))
    return "<br>".join(parts)


def _find_tone(node: TraceNode) -> str:
    if node.status == "error":
        return "bad"
    return str(_KINDS.index(node.type)) if node.type in _KINDS else "quiet"
