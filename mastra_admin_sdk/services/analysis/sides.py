"""What people name to be compared, and the calls that it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Build, Deployment
from mastra_admin_sdk.ports.observability import Price
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import Resolver
from mastra_admin_sdk.services.telemetry.service import TelemetryService

from .comparison import ComparedSide
from .measures import SPAN_FIELDS, observe

if TYPE_CHECKING:
    import pandas as pd

_NOT_CHOSEN = ("limit", "columns", "order", "count", "chunks")
_WHOLE_TRACES = ("project", "deployment", "build", "branch", "since", "until")
"""Filters that all spans of a trace pass, or none. By any other, traces are chosen in which some span passes."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one side is: its name, and filters or the spans themselves; ``oldest`` is before all of it."""

    label: str
    filters: Mapping[str, Any]
    spans: Any = None
    oldest: datetime | None = None


class SideReader:
    """Reads what is compared."""

    def __init__(self, parts: Parts, resolver: Resolver, telemetry: TelemetryService) -> None:
        self._parts, self._resolver, self._telemetry = parts, resolver, telemetry

    def read(self, reference: Any, common: Mapping[str, Any], limit: int) -> ComparedSide:
        """Return one side.

        Parameters:
            reference: a build, a deployment, the name of either, a pair of times, filters, or a DataFrame of spans.
            common: filters for both sides.
            limit: how many spans to read at most, the newest first.

        Raises:
            NotFound, InvalidInput: it names nothing that can be compared.
        """
        question = self.understand(reference)
        if question.spans is not None:
            return _make_side(question.label, _check_columns(question.spans), (), self._telemetry.prices)
        # A beginning makes reading quicker.
        oldest = {"since": question.oldest} if question.oldest else {}
        filters = {**oldest, **_check_filters(common), **question.filters}
        whole = {key: value for key, value in filters.items() if key in _WHOLE_TRACES}
        spans = self._telemetry.spans(**whole, columns=SPAN_FIELDS, limit=limit)
        chosen = {key: value for key, value in filters.items() if key not in _WHOLE_TRACES}
        notes = _list_notes(spans, limit)
        if chosen:
            found = self._telemetry.spans(**filters, columns=("trace_id",), limit=limit)
            spans = spans[spans["trace_id"].isin(set(found["trace_id"]))]
            notes = (*notes, *_list_choice_notes(found))
        return _make_side(question.label, spans, notes, self._telemetry.prices)

    def understand(self, reference: Any) -> Question:
        """Return what a reference stands for."""
        record = getattr(reference, "record", reference)
        if isinstance(record, Build):
            return self._ask_build(record)
        if isinstance(record, Deployment):
            return self._ask_deployment(record)
        if isinstance(reference, Mapping):
            return Question(_describe_filters(reference), _check_filters(reference))
        if isinstance(reference, tuple) and len(reference) == 2:
            times = dict(zip(("since", "until"), reference, strict=True))
            return Question(" to ".join(map(_describe_moment, reference)), times)
        if hasattr(reference, "columns") and hasattr(reference, "iloc"):
            return Question(f"{len(reference):,} given spans", {}, reference)
        if isinstance(reference, str) and reference:
            return self._ask_name(reference)
        raise InvalidInput(
            f"{type(reference).__name__} can't be compared.",
            hint="Give builds, deployments, pairs of times, filters such as {'deployment': 'weather', 'since': '1h'}, "
            "or DataFrames of spans.",
        )

    def _ask_name(self, name: str) -> Question:
        if "#" in name:
            return self._ask_build(self._resolver.build(name))
        try:
            return self._ask_deployment(self._resolver.deployment(name))
        except NotFound as exc:
            try:
                return self._ask_build(self._parts.storage.builds.get(name))
            except NotFound:
                raise exc from None  # names of deployments are what people write

    def _ask_build(self, build: Build) -> Question:
        label = self._parts.names.find("build", build.id) or build.id
        return Question(label, {"build": build}, oldest=build.queued_at)

    def _ask_deployment(self, deployment: Deployment) -> Question:
        label = self._parts.names.find("deployment", deployment.id) or deployment.id
        return Question(label, {"deployment": deployment})


def _make_side(label: str, spans: pd.DataFrame, notes: tuple[str, ...], prices: Sequence[Price]) -> ComparedSide:
    calls = observe(spans, prices)
    running = int((spans["status"] == "running").sum())
    if running:
        notes = (*notes, f"{running:,} span{' is' if running == 1 else 's are'} still running and left out.")
    if spans.empty:
        return ComparedSide(label, calls, notes=notes)
    first, last = (moment.to_pydatetime() for moment in (spans["start_time"].min(), spans["start_time"].max()))
    return ComparedSide(label, calls, first, last, notes)


def _list_notes(spans: pd.DataFrame, limit: int) -> tuple[str, ...]:
    if spans.attrs.get("truncated"):
        return (f"only its newest {limit:,} spans are compared; a larger limit or a later beginning takes them all.",)
    return ()


def _list_choice_notes(found: pd.DataFrame) -> tuple[str, ...]:
    if found.attrs.get("default_since"):
        return (f"only traces since {found.attrs['since']} were looked for, as no beginning was given.",)
    return ()


def _check_columns(spans: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in SPAN_FIELDS if name not in spans]
    if missing:
        raise InvalidInput(
            f"The DataFrame has no column {' and no column '.join(map(repr, missing))}.",
            hint="Give spans with all their columns.",
        )
    return spans


def _check_filters(filters: Mapping[str, Any]) -> dict[str, Any]:
    for name in _NOT_CHOSEN:
        if name in filters:
            raise InvalidInput(f"{name!r} is no filter for a comparison.", hint="Give it all spans that are meant.")
    return dict(filters)


def _describe_moment(moment: Any) -> str:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return str(moment)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _describe_filters(filters: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in filters.items()) or "all traces"
