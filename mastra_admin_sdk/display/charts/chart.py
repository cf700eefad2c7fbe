"""A chart: its data as a DataFrame, its picture as a figure of Plotly, and how a notebook shows it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.pages import render_template

from .drawing import Drawing
from .script import load_packed_script
from .themes import THEMES, apply_patch, find_theme, make_patch

if TYPE_CHECKING:
    import pandas as pd

HEIGHT = 360


@dataclass(frozen=True, eq=False, repr=False)
class Chart:
    """A chart.

    In a notebook it draws itself, without a network: the script comes along. Its theme is that of the notebook unless
    ``in_theme`` chose one; a table of the same is below it, also where scripts don't run.

    Attributes:
        name: which chart it is, such as ``latency``.
        title: what it is called.
        frame: what it is drawn of.
        drawing: the figure without colours, and the same as a table of texts.
        notes: what has to be said of it, such as that a price is missing.
        theme: ``light``, ``dark``, or empty for that of the page.

    Example:
        >>> chart = admin.charts.latency(project="weather-agent", since="24h")
        >>> chart.frame["p95_ms"].max()
        >>> plotly.graph_objects.Figure(chart.figure).write_html("latency.html")
    """

    name: str
    title: str
    frame: pd.DataFrame
    drawing: Drawing
    notes: tuple[str, ...] = ()
    theme: str = ""

    @property
    def figure(self) -> dict[str, Any]:
        """The figure as Plotly's JSON: ``{"data": […], "layout": {…}}``, light unless ``in_theme`` chose another."""
        figure = self.drawing.figure
        return apply_patch(figure, make_patch(figure, find_theme(self.theme or "light")))

    @property
    def empty(self) -> str:
        """Why there is nothing to draw; empty when there is something."""
        return self.drawing.empty

    @property
    def height(self) -> int:
        """How high its figure is, in pixels."""
        return int(self.drawing.figure["layout"].get("height", HEIGHT))

    def in_theme(self, theme: str) -> Chart:
        """Return the chart in ``light`` or ``dark``."""
        return replace(self, theme=find_theme(theme).name)

    def to_dict(self) -> dict[str, Any]:
        """Return all that is needed to draw it in either theme, as JSON can hold it: what the panel's pages get."""
        figure = self.drawing.figure
        return {
            "name": self.name,
            "title": self.title,
            "summary": self.drawing.summary,
            "empty": self.empty,
            "notes": list(self.notes),
            "figure": figure,
            "themes": {name: make_patch(figure, theme) for name, theme in THEMES.items()},
            "table": {"columns": list(self.drawing.columns), "rows": [list(row) for row in self.drawing.rows]},
        }

    def to_html(self, *, script: bool = True) -> str:
        """Return it as HTML that needs nothing from elsewhere.

        Parameters:
            script: whether to bring Plotly along (2 MB); a page that has it, or another chart that brought it, needn't.
        """
        return render_template(
            "chart.html.j2",
            id=f"ma-chart-{uuid.uuid4().hex[:12]}",
            chart=self,
            columns=self.drawing.columns,
            rows=self.drawing.rows,
            packed=load_packed_script() if script and not self.empty else "",
            # Nothing in it may end the element that holds it.
            data=json.dumps({**self.to_dict(), "theme": self.theme}).replace("<", "\\u003c"),
        )

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"<Chart {self.title!r}: {self.drawing.summary or f'{len(self.frame):,} rows'}>"
