"""The spans of one trace as a tree that one can walk, search and measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mastra_admin_sdk.display.trace import render_trace_text
from mastra_admin_sdk.display.tree import TraceNode, build_tree, walk
from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.services.history.frames import make_frame

if TYPE_CHECKING:
    import pandas as pd

NODE_COLUMNS: Mapping[str, str] = {
    "depth": "int64",
    "span_id": "object",
    "parent_span_id": "object",
    "name": "object",
    "type": "category",
    "status": "category",
    "start_ms": "float64",
    "duration_ms": "float64",
    "self_ms": "float64",
    "children": "int64",
    "note": "object",
}
"""Columns and dtypes of a tree's frame. Times are milliseconds: ``start_ms`` from the trace's first start, ``self_ms``
those in which no child ran. ``note`` says why a span that has a parent stands at the top."""

_SHOWN_LINES = 200


class TraceTree:
    """The tree of a trace: iterating it yields each `TraceNode` before what is below it.

    ``roots`` are the spans at the top: those without a parent, then those whose parent isn't here, and of spans whose
    parents go in a circle the earliest. A node has ``span`` (its row of the trace's frame by column), ``children`` (by
    their start), ``depth`` (0 at the top), ``start_ms``, ``duration_ms`` and ``self_ms``.

    Example:
        >>> max(trace.tree, key=lambda node: node.self_ms or 0).name
        'chat gpt-5'
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.roots: tuple[TraceNode, ...] = build_tree(frame)
        self._nodes = {node.span_id: node for node in walk(self.roots)}
        self._parents = {child.span_id: node for node in self._nodes.values() for child in node.children}

    @property
    def depth(self) -> int:
        """How many levels it has; 0 without spans."""
        return max((node.depth + 1 for node in self._nodes.values()), default=0)

    @property
    def frame(self) -> pd.DataFrame:
        """A row a span in the order of the tree: columns of `NODE_COLUMNS`."""
        return make_frame(NODE_COLUMNS, (self._describe(node) for node in self))

    def parent(self, span_id: str) -> TraceNode | None:
        """Return the node that a span hangs below; ``None`` for one at the top."""
        return self._parents.get(self[span_id].span_id)

    def path(self, span_id: str) -> tuple[TraceNode, ...]:
        """Return the nodes from the top down to a span, that span last."""
        found = [self[span_id]]
        while above := self._parents.get(found[-1].span_id):
            found.append(above)
        return tuple(reversed(found))

    def __getitem__(self, span_id: str) -> TraceNode:
        if span_id not in self._nodes:
            raise NotFound(f"The trace has no span {span_id!r}.", hint="Its spans are in trace.frame['span_id'].")
        return self._nodes[span_id]

    def __contains__(self, span_id: object) -> bool:
        return span_id in self._nodes

    def __iter__(self) -> Iterator[TraceNode]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def __repr__(self) -> str:
        return render_trace_text(self.roots, limit=_SHOWN_LINES)

    def _describe(self, node: TraceNode) -> dict[str, object]:
        names = ("depth", "span_id", "name", "type", "status", "start_ms", "duration_ms", "self_ms")
        above = self._parents.get(node.span_id)
        return {
            **{name: getattr(node, name) for name in names},
            "parent_span_id": above.span_id if above else None,
            "children": len(node.children),
            "note": node.note or None,
        }
