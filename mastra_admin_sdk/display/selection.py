"""Which spans of a large trace are shown: those that failed and the longest ones, each with what it is inside of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .tree import TraceNode, walk


@dataclass(frozen=True, slots=True)
class Hidden:
    """What isn't shown below one node: how many spans, and how many of them failed."""

    spans: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """``shown`` holds the ids of the spans to show; ``hidden`` what is left out directly below a span, by its id.

    What is left out at the top stands under ``""``.
    """

    shown: frozenset[str]
    hidden: dict[str, Hidden]
    total: int

    @property
    def is_whole(self) -> bool:
        """True when nothing is left out."""
        return len(self.shown) == self.total


def select_nodes(nodes: Sequence[TraceNode], limit: int | None) -> Selection:
    """Choose at most ``limit`` spans of a trace, so that what is chosen hangs together.

    First come the roots, then failed spans, then the longest; a span for whose line of ancestors no room is left
    is passed over.
    """
    every = list(walk(nodes))
    if limit is None or len(every) <= limit:
        return Selection(frozenset(node.span_id for node in every), {}, len(every))
    parents = {child.span_id: node for node in every for child in node.children}
    shown: set[str] = set()
    for node in sorted(every, key=_rank):
        line = _list_missing(node, parents, shown, limit - len(shown))
        shown.update(line)
        if len(shown) >= limit:
            break
    return Selection(frozenset(shown), _count_hidden(nodes, shown), len(every))


def _rank(node: TraceNode) -> tuple[bool, bool, float, float]:
    is_running = node.duration_ms is None
    return (
        node.depth > 0,
        node.status != "error",
        -float("inf") if is_running else -(node.duration_ms or 0.0),
        node.start_ms,
    )


def _list_missing(node: TraceNode, parents: dict[str, TraceNode], shown: set[str], room: int) -> list[str]:
    """The ids of a span and its ancestors that aren't shown yet; none when there is no room for all of them."""
    line: list[str] = []
    above: TraceNode | None = node
    while above is not None and above.span_id not in shown:
        if len(line) == room:
            return []
        line.append(above.span_id)
        above = parents.get(above.span_id)
    return line


def _count_hidden(nodes: Sequence[TraceNode], shown: set[str]) -> dict[str, Hidden]:
    found: dict[str, Hidden] = {}
    stack: list[tuple[str, TraceNode]] = [("", node) for node in nodes]
    while stack:
        owner, node = stack.pop()
        if node.span_id in shown:
            owner = node.span_id
        else:
            former = found.get(owner, Hidden())
            found[owner] = Hidden(former.spans + 1, former.errors + (node.status == "error"))
        stack += [(owner, child) for child in node.children]
    return found
