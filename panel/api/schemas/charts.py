"""Charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field

from mastra_admin_sdk.display.charts.chart import Chart as SdkChart

from .base import Answer, Query, Reference, Text

Group = Literal[
    "project", "deployment", "build", "agent", "model", "provider", "type", "name", "entity", "user", "thread"
]


class ChartTable(Answer):
    """What a chart shows, as a table of texts."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Chart(Answer):
    """A chart, ready to be drawn by Plotly."""

    name: str = Field(examples=["latency"])
    title: str = Field(examples=["Latency of requests"])
    summary: str = Field(description="What is to be seen, in a sentence.")
    empty: str = Field(description="Why there is nothing to draw; empty when there is something.")
    notes: Sequence[str] = Field(description="What has to be said of it, such as that a model has no price.")
    figure: dict[str, Any] = Field(description="Plotly's `data` and `layout`, without colours.")
    themes: dict[str, Any] = Field(
        description="For `light` and `dark` what to merge into the figure: `layout`, and an item of `data` a trace."
    )
    table: ChartTable


class ChartItem(Answer):
    """One chart."""

    chart: Chart

    @classmethod
    def of(cls, chart: SdkChart) -> Self:
        """Return a chart as the API answers it."""
        return cls(chart=Chart.model_validate(chart.to_dict()))


class TimeChartQuery(Query):
    """What a chart over time is about; the last 24 hours unless it says otherwise."""

    project: Reference | None = None
    deployment: Sequence[Reference] = Field((), max_length=50, description="One, or several.")
    build: Reference | None = None
    since: Text | None = Field(None, description="An age such as `7d`, a time with its zone, or `all`.")
    until: Text | None = Field(None, description="As `since`; now unless given.")
    by: Group | None = Field(None, description="What it is split by.")
    bucket: Text | None = Field(None, description="Length of a step, such as `5m`; one that suits the time.")
    timezone: Text = Field("UTC", description="Whose clocks and days: an IANA name.")
    agent: Text | None = None
    model: Text | None = None
    name: Text | None = None
    type: Text | None = None
    status: Literal["ok", "error"] | None = None
    user: Text | None = None
    thread: Text | None = None

    def filters(self) -> dict[str, Any]:
        """Return what `admin.charts` takes, but for whose they are."""
        owners = {"project", "deployment", "build"}
        given = self.model_dump(exclude_none=True)
        return {name: value for name, value in given.items() if name not in owners}


class LatencyChartQuery(TimeChartQuery):
    """What a chart of latency is about."""

    percentile: Literal[50, 95, 99] = Field(95, description="Which one is drawn of each group, with `by`.")


class BuildChartQuery(Query):
    """Whose builds are drawn."""

    project: Reference | None = None
    deployment: Reference | None = None
    limit: int = Field(20, ge=1, le=100, description="How many builds at most, the newest.")
