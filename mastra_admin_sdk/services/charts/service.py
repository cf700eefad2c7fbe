"""``admin.charts``: what agents did and what builds took, as charts that have their data with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.charts.chart import Chart
from mastra_admin_sdk.display.charts.drawing import Drawing
from mastra_admin_sdk.display.charts.timelines import (
    Axis,
    Series,
    Shape,
    draw_timeline,
    pick_series,
    split_series,
)
from mastra_admin_sdk.display.charts.units import Unit, count_things, measure_money, measure_share, measure_time
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import PHASES
from mastra_admin_sdk.ports.columns import PERIODS
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import DeploymentRef, ProjectRef, TeamRef
from mastra_admin_sdk.services.telemetry.service import TelemetryService
from mastra_admin_sdk.services.telemetry.wording import describe_unpriced

from .names import name_groups
from .questions import find_group, find_subject
from .ranges import read_range
from .summaries import add_up, join_answers

if TYPE_CHECKING:
    import pandas as pd

    from mastra_admin_sdk.services.collections import BuildCollection
    from mastra_admin_sdk.services.telemetry.traces import Trace

PERCENTILES = (50, 95, 99)
_NOTHING = "Nothing was recorded in this time."


class ChartService:
    """Charts over time, of builds and of one trace.

    Those over time take the filters of ``admin.spans``; the last 24 hours unless a time is given. ``by`` splits them:
    ``project``, ``deployment``, ``build``, ``agent``, ``model``, ``provider``, ``type``, ``name``, ``entity``,
    ``user`` or ``thread``. ``bucket`` is the length of a step, such as ``"5m"``; one that suits the time unless given.
    ``timezone`` is whose clocks and days are shown; times in ``frame`` are UTC.

    Latency, requests and errors count what was asked of servers: spans that begin their trace; model calls by model,
    agent runs by agent; with a filter such as ``type``, what that says.
    """

    def __init__(self, parts: Parts, telemetry: TelemetryService, builds: BuildCollection) -> None:
        self._parts, self._telemetry, self._builds = parts, telemetry, builds

    def latency(
        self,
        *,
        by: str | None = None,
        percentile: int = 95,
        bucket: str | timedelta | None = None,
        timezone: str = "UTC",
        **filters: Any,
    ) -> Chart:
        """Return how long it took: the median, 95th and 99th percentile; with ``by``, one percentile of each group.

        Parameters:
            percentile: 50, 95 or 99, with ``by``.

        Returns:
            A chart whose ``frame`` is that of ``admin.latency``: a row a step (and group), milliseconds.

        Raises:
            InvalidInput: there is no such filter, group, percentile or time zone.

        Example:
            >>> admin.charts.latency(by="agent", since="7d", timezone="Europe/Berlin")
        """
        if percentile not in PERCENTILES:
            raise InvalidInput(f"{percentile!r} is no percentile of a chart.", hint="There are: 50, 95, 99.")
        frame, axis, subject = self._measure(by, bucket, timezone, filters)
        column = f"p{percentile}_ms"
        if by is None:
            series = pick_series(frame, axis, {f"p{each}_ms": f"p{each}" for each in PERCENTILES})
        else:
            series = split_series(frame, axis, by, column, weight="count")
        title = f"Latency of {subject}" + (f" by {by} (p{percentile})" if by else "")
        unit = measure_time(value for each in series for value in each.values)
        return _make_timeline("latency", title, frame, axis, series, unit, Shape.LINES)

    def requests(
        self,
        *,
        by: str | None = None,
        bucket: str | timedelta | None = None,
        timezone: str = "UTC",
        **filters: Any,
    ) -> Chart:
        """Return how many there were, those that failed apart; with ``by``, of each group.

        Returns:
            A chart whose ``frame`` is that of ``admin.latency``: ``count`` and ``errors`` a step (and group).
        """
        frame, axis, subject = self._measure(by, bucket, timezone, filters)
        if by is None:
            counted = frame.assign(succeeded=frame["count"] - frame["errors"])
            labels = {"succeeded": "succeeded", "errors": "failed"}
            series = pick_series(counted, axis, labels, fill=0, tones=("good", "bad"))
        else:
            series = split_series(frame, axis, by, "count", weight="count", fill=0)
        title = f"{subject.capitalize()}{f' by {by}' if by else ''}"
        return _make_timeline("requests", title, frame, axis, series, count_things(subject.capitalize()), Shape.BARS)

    def errors(
        self,
        *,
        by: str | None = None,
        bucket: str | timedelta | None = None,
        timezone: str = "UTC",
        **filters: Any,
    ) -> Chart:
        """Return which share of them failed, from 0 to 1; with ``by``, of each group.

        Returns:
            A chart whose ``frame`` is that of ``admin.latency``: ``count``, ``errors`` and ``error_rate`` a step (and
            group).
        """
        frame, axis, subject = self._measure(by, bucket, timezone, filters)
        if by is None:
            series = pick_series(frame, axis, {"error_rate": "failed"}, tones=("bad",))
        else:
            series = split_series(frame, axis, by, "error_rate", weight="errors")
        title = f"Error rate of {subject}{f' by {by}' if by else ''}"
        return _make_timeline("errors", title, frame, axis, series, measure_share("Failed"), Shape.LINES)

    def tokens(
        self,
        *,
        by: str | None = None,
        bucket: str | timedelta | None = None,
        timezone: str = "UTC",
        **filters: Any,
    ) -> Chart:
        """Return tokens that went in and came out; with ``by``, of each group together.

        Returns:
            A chart whose ``frame`` is that of ``admin.usage``: each token is counted once.
        """
        frame, axis = self._ask("usage", by, bucket, timezone, filters)
        if by is None:
            labels = {"input_tokens": "input", "output_tokens": "output"}
            series = pick_series(frame, axis, labels, fill=0)
        else:
            series = split_series(frame, axis, by, "total_tokens", weight="total_tokens", fill=0)
        title = f"Tokens{f' by {by}' if by else ''}"
        return _make_timeline("tokens", title, frame, axis, series, count_things("Tokens"), Shape.BARS)

    def cost(
        self,
        *,
        by: str | None = "model",
        bucket: str | timedelta | None = None,
        timezone: str = "UTC",
        **filters: Any,
    ) -> Chart:
        """Return what the tokens cost by the setting ``prices``, by model unless said otherwise.

        ``notes`` say when a model has no price: its cost is missing then.

        Returns:
            A chart whose ``frame`` is that of ``admin.usage``.
        """
        frame, axis = self._ask("usage", by, bucket, timezone, filters)
        priced = frame[frame["cost"].notna()]
        if by is None:
            series = pick_series(priced, axis, {"cost": "cost"}, fill=0)
        else:
            series = split_series(priced, axis, by, "cost", weight="cost", fill=0)
        title, unit = f"Cost{f' by {by}' if by else ''}", measure_money(self._telemetry.currency)
        notes = describe_unpriced(frame.attrs.get("unpriced"))
        empty = "" if len(priced) else notes[0] if notes else _NOTHING
        drawing = draw_timeline(title, axis, series, unit, shape=Shape.BARS, empty=empty)
        return Chart("cost", title, frame, drawing, notes=tuple(note for note in notes if note != empty))

    def summary(self, *, by: str | None = None, timezone: str = "UTC", **filters: Any) -> pd.DataFrame:
        """Return requests, latency, errors, tokens and cost of a time side by side, the last 24 hours unless given.

        Parameters:
            by: what charts can be split by, or ``hour``, ``day``, ``week`` or ``month``; all in one row unless given.
            timezone: whose days.
            filters: as ``admin.spans``.

        Returns:
            A row a group, the busiest first, times newest first: the group (``project``, ``deployment`` and ``build``
            by their names, behind their ids), then `summaries.SUMMARY_MEASURES`; durations are milliseconds.
            ``attrs`` has ``subject``, what is counted, ``currency``, and ``unpriced`` when models have no price.

        Example:
            >>> admin.charts.summary(by="model", since="7d")
        """
        asked, column = self._fix_time(filters, timezone), find_group(by, also=PERIODS)
        usage = self._telemetry.usage(**asked, by=[column] if column else [], order="most")
        return self._join(by, asked, usage)

    def summaries(self, *, by: str, timezone: str = "UTC", **filters: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return `summary()` and `summary(by=…)` of the very same time; tokens, slow to add up, are read once."""
        asked, column = self._fix_time(filters, timezone), find_group(by, also=PERIODS)
        usage = self._telemetry.usage(**asked, by=[column] if column else [], order="most")
        return self._join(None, asked, add_up(usage)), self._join(by, asked, usage)

    def _fix_time(self, filters: Mapping[str, Any], timezone: str) -> dict[str, Any]:
        time = read_range(filters, None, timezone)
        fixed = {"since": time.filters["since"], "until": time.until, "timezone": timezone, "limit": None}
        return {**filters, **fixed}

    def _join(self, by: str | None, asked: Mapping[str, Any], usage: pd.DataFrame) -> pd.DataFrame:
        """Read the latency of what was asked for, and lay its usage beside it."""
        column, subject = find_group(by, also=PERIODS), find_subject(by, asked)
        latency = self._telemetry.latency(**{**asked, **subject.filters}, by=[column] if column else [], order="most")
        named = name_groups(join_answers(latency, usage, column), by, column, self._parts.names)
        named.attrs = {
            "subject": subject.name,
            "currency": self._telemetry.currency,
            "unpriced": usage.attrs.get("unpriced"),
        }
        return named

    def builds(
        self,
        deployment: DeploymentRef | None = None,
        *,
        project: ProjectRef | None = None,
        team: TeamRef | None = None,
        limit: int = 20,
    ) -> Chart:
        """Return the last builds as bars of the seconds that their phases took.

        Parameters:
            deployment, project, team: whose; all unless given.
            limit: how many at most.

        Returns:
            A chart whose ``frame`` is that of ``admin.builds.frame``.
        """
        from mastra_admin_sdk.display.charts.phases import draw_phases

        frame = self._builds.frame(deployment=deployment, project=project, team=team, limit=limit)
        drawing = draw_phases(
            _label_builds(frame, with_owner=deployment is None), PHASES, empty="" if len(frame) else "No build yet."
        )
        return Chart("builds", "Build phases", frame, drawing)

    def trace(self, trace: Trace) -> Chart:
        """Return the waterfall of a trace as a figure: a bar a span.

        Parameters:
            trace: from ``admin.trace(…)``.

        Returns:
            A chart whose ``frame`` is that of the trace: a row a span.
        """
        from mastra_admin_sdk.display.charts.spans import draw_trace

        title = f"Trace {trace.id[:12]}"
        return Chart("trace", title, trace.frame, draw_trace(trace.tree.roots, title=title))

    def _measure(
        self, by: str | None, bucket: str | timedelta | None, timezone: str, filters: Mapping[str, Any]
    ) -> tuple[pd.DataFrame, Axis, str]:
        subject = find_subject(by, filters)
        return *self._ask("latency", by, bucket, timezone, {**filters, **subject.filters}), subject.name

    def _ask(
        self,
        question: str,
        by: str | None,
        bucket: str | timedelta | None,
        timezone: str,
        filters: Mapping[str, Any],
    ) -> tuple[pd.DataFrame, Axis]:
        column = find_group(by)
        time = read_range(filters, bucket, timezone)
        read = self._telemetry.latency if question == "latency" else self._telemetry.usage
        frame = read(**{**filters, **time.filters, "by": [column] if column else None})
        return name_groups(frame, by, column, self._parts.names), time.make_axis(_list_times(frame))


def _make_timeline(
    name: str, title: str, frame: pd.DataFrame, axis: Axis, series: list[Series], unit: Unit, shape: Shape
) -> Chart:
    empty = "" if len(frame) else _NOTHING
    drawing: Drawing = draw_timeline(title, axis, series, unit, shape=shape, empty=empty)
    return Chart(name, title, frame, drawing)


def _list_times(frame: pd.DataFrame) -> list[Any]:
    return [time.to_pydatetime() for time in frame["bucket"].unique()]


def _label_builds(frame: pd.DataFrame, *, with_owner: bool) -> pd.DataFrame:
    numbers = "#" + frame["number"].astype(str)
    if with_owner:
        owner = frame[["team", "project", "deployment"]].astype(str).agg("/".join, axis=1) if len(frame) else numbers
        numbers = owner + " " + numbers
    return frame.assign(label=numbers)
