"""One trace as an object: its spans as a DataFrame, shown as a waterfall."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_admin_sdk.display.trace import build_tree, render_trace_html, render_trace_text

if TYPE_CHECKING:
    import pandas as pd


class Trace:
    """One trace. ``frame`` holds its spans, oldest first (`ports.observability.SPAN_COLUMNS`)."""

    def __init__(self, trace_id: str, frame: pd.DataFrame) -> None:
        self.id = trace_id
        self.frame = frame

    @property
    def duration_ms(self) -> float:
        """Milliseconds from the first start to the last end of its spans."""
        ends = self.frame["end_time"].dropna()
        if ends.empty:
            return 0.0
        return float((ends.max() - self.frame["start_time"].min()).total_seconds() * 1000)

    @property
    def status(self) -> str:
        """``error`` when its root failed, ``running`` while its root runs, else ``ok``."""
        return str(build_tree(self.frame)[0].status)

    def to_text(self, width: int = 80) -> str:
        """Return the tree of spans as text of at most ``width`` columns."""
        return render_trace_text(build_tree(self.frame), width=width)

    def _repr_html_(self) -> str:
        return render_trace_html(build_tree(self.frame))

    def __repr__(self) -> str:
        return self.to_text()
