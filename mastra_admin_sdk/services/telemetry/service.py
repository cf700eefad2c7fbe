"""Reading telemetry: what people ask, as filters for the store."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import utc_now
from mastra_admin_sdk.ports.observability import ObservabilityStore, TelemetryFilter
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import BuildRef, DeploymentRef, ProjectRef, Resolver

from .ingestion import Ingester

if TYPE_CHECKING:
    import pandas as pd

Moment = str | datetime | timedelta
"""A time: an aware datetime or pandas Timestamp, an ISO text, or an age such as ``"90s"``, ``"1h"``, ``"7d"``."""

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_BY_REFERENCE = ("project", "deployment", "build")
_FILTERS = (
    *_BY_REFERENCE,
    *(
        item.name
        for item in fields(TelemetryFilter)
        if item.name.removesuffix("s").removesuffix("_id") not in _BY_REFERENCE
    ),
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME_HINT = 'Give an age such as "30m", "24h" or "7d", a date, or an ISO time with its zone.'
_CHOICES = {"status": ("ok", "error", "running"), "level": ("debug", "info", "warn", "error", "fatal")}
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class TelemetryService:
    """Answers questions about what agents did. Every read first sees that what the files hold is stored."""

    def __init__(self, parts: Parts, resolver: Resolver, ingester: Ingester) -> None:
        self._parts, self._resolver, self._ingester = parts, resolver, ingester

    def make_filter(
        self,
        *,
        project: ProjectRef | None = None,
        deployment: DeploymentRef | None = None,
        build: BuildRef | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        columns: Sequence[str] | None = None,
        **more: Any,
    ) -> TelemetryFilter:
        """Turn what a person wrote into a filter; `NotFound` and `InvalidInput` say what was not understood."""
        for name in more:
            if name not in _FILTERS:
                near = difflib.get_close_matches(name, _FILTERS, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Filters: {', '.join(_FILTERS)}."
                raise InvalidInput(f"There is no filter {name!r}.", hint=hint)
        for name, known in _CHOICES.items():
            if more.get(name) not in (None, *known):
                raise InvalidInput(f"{more[name]!r} is no {name}.", hint=f"There are: {', '.join(known)}.")
        return TelemetryFilter(
            project_id=self._resolver.project(project).id if project is not None else None,
            deployment_ids=(self._resolver.deployment(deployment).id,) if deployment is not None else None,
            build_id=self._resolver.build(build).id if build is not None else None,
            since=parse_moment(since) if since is not None else None,
            until=parse_moment(until) if until is not None else None,
            columns=tuple(columns) if columns is not None else None,
            **more,
        )

    def spans(self, **filters: Any) -> pd.DataFrame:
        """Return spans (`ports.observability.SPAN_COLUMNS`)."""
        wanted = self.make_filter(**filters)
        return _say_if_cut(self._open().spans(wanted), wanted)

    def logs(self, **filters: Any) -> pd.DataFrame:
        """Return log lines (`ports.observability.LOG_COLUMNS`)."""
        wanted = self.make_filter(**filters)
        return _say_if_cut(self._open().logs(wanted), wanted)

    def traces(self, **filters: Any) -> pd.DataFrame:
        """Return a row a trace (`ports.observability.TRACE_COLUMNS`)."""
        wanted = self.make_filter(**filters)
        return _say_if_cut(self._open().traces(wanted), wanted)

    def metrics(self, **filters: Any) -> pd.DataFrame:
        """Return metric points (`ports.observability.METRIC_COLUMNS`)."""
        wanted = self.make_filter(**filters)
        return _say_if_cut(self._open().metrics(wanted), wanted)

    def scores(self, **filters: Any) -> pd.DataFrame:
        """Return scores (`ports.observability.SCORE_COLUMNS`)."""
        wanted = self.make_filter(**filters)
        return _say_if_cut(self._open().scores(wanted), wanted)

    def rejects(self, limit: int = 1000) -> pd.DataFrame:
        """Return lines that could not be stored (`ports.observability.REJECT_COLUMNS`)."""
        return self._open().rejects(limit)

    def trace(self, trace_id: str, *, wait: float = 0.0) -> pd.DataFrame:
        """Return the spans of one trace, oldest first; wait up to ``wait`` seconds until its root has ended.

        Raises:
            NotFound: no span of that trace is stored.
        """
        deadline = time.monotonic() + wait
        while True:
            frame = self._open().trace(trace_id)
            if is_complete(frame) or time.monotonic() >= deadline:
                break
            time.sleep(0.1)
        if frame.empty:
            raise NotFound(
                f"There is no trace {trace_id!r}.",
                hint="Traces appear within about three seconds; wait for one with trace(id, wait=10). "
                "admin.traces() lists those that are stored.",
            )
        return frame

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run a read-only query with bound parameters (``%(name)s``)."""
        return self._open().sql(query, parameters)

    def _open(self) -> ObservabilityStore:
        self._ingester.catch_up()
        self._parts.observability.init()
        return self._parts.observability


def is_complete(frame: pd.DataFrame) -> bool:
    """True when a trace's root is there and every span of it has ended."""
    if frame.empty:
        return False
    has_root = bool((frame["parent_span_id"].isna() | (frame["parent_span_id"] == "")).any())
    return has_root and not bool((frame["status"] == "running").any())


def parse_moment(moment: Moment) -> datetime:
    """Return an aware UTC datetime; a date alone is its midnight in UTC.

    A datetime without a time zone, or text like ``"1 hour"``, is refused.

    Example:
        >>> parse_moment("1h") < utc_now()
        True
    """
    try:
        return _read_moment(moment)
    except (ValueError, OverflowError) as exc:  # no calendar goes that far
        raise InvalidInput(f"{moment!r} is no time.", hint=_TIME_HINT) from exc


def _read_moment(moment: object) -> datetime:
    if isinstance(moment, timedelta):
        return utc_now() - moment
    if isinstance(moment, datetime):
        return _check_aware(moment)
    if not isinstance(moment, str):
        raise InvalidInput(f"{moment!r} is no time.", hint=_TIME_HINT)
    if _DATE.fullmatch(moment.strip()):
        moment = f"{moment.strip()}T00:00:00+00:00"
    if match := _AGE.fullmatch(moment.strip()):
        return utc_now() - timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    return _check_aware(datetime.fromisoformat(moment))


def _check_aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidInput(
            f"The time {moment.isoformat()} has no time zone.", hint="Add one, such as datetime(…, tzinfo=UTC) or …Z."
        )
    return moment.astimezone(UTC)


def _say_if_cut(frame: pd.DataFrame, wanted: TelemetryFilter) -> pd.DataFrame:
    """Leave a note in ``frame.attrs`` when the limit cut the result: a cut result must not look like all there is."""
    cut = wanted.limit is not None and len(frame) >= wanted.limit
    frame.attrs["limit"] = wanted.limit
    frame.attrs["truncated"] = cut
    return frame
