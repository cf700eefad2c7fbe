"""Writes what people say about traces into the telemetry files, from where it reaches the store like all telemetry."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import utc_now
from mastra_admin_sdk.ports.observability import ObservabilityStore, TelemetryFilter
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.ingestion import Ingester
from mastra_admin_sdk.services.telemetry.lines import LineOwner, LineType, TelemetryLine
from mastra_admin_sdk.services.telemetry.trace_ids import complete_trace_id
from mastra_admin_sdk.services.telemetry.writing import TelemetryWriter

from .rows import Annotation, Kind

if TYPE_CHECKING:
    import pandas as pd

Target = tuple[str, str | None]
"""A trace id, and the id of a span in it."""

WRITTEN_COLUMNS = ("trace_id", "span_id", "name", "author", "outcome")

_TRACES_AT_ONCE = 500
_SHOWN = 5
_SKIP = 'Leave such rows out with unknown="skip", or take the ids of traces that are stored.'
_TAKE = "Take the id of a trace that is stored, and of a span in it."
_TICK = timedelta(milliseconds=1)


class AnnotationService:
    """Writes scores, notes and labels."""

    def __init__(self, parts: Parts, ingester: Ingester, writer: TelemetryWriter) -> None:
        self._parts, self._ingester, self._writer = parts, ingester, writer

    @property
    def author(self) -> str:
        """Who says it where nobody is named: whoever acts."""
        return self._parts.acting.actor or self._parts.actor

    def complete_trace_id(self, given: str) -> str:
        """Return the id of the one trace that begins so; as it is where none does, which `write` decides about.

        Raises:
            InvalidInput: several begin so.
        """
        try:
            return complete_trace_id(self._open(), given)
        except NotFound:
            return given

    def write(self, annotations: Sequence[Annotation], *, skip_unknown: bool) -> pd.DataFrame:
        """Write them and return a row each: ``trace_id``, ``span_id``, ``name``, ``author``, ``outcome``.

        ``outcome`` is ``written``, ``replaced`` (the author had said it before), ``removed``, or ``unknown``: there is
        no such trace or span, or nothing to remove, and nothing was written.

        Raises:
            NotFound: some are about what isn't stored, unless those are skipped; nothing was written.
        """
        store = self._open()
        owners = dict(self._find_owners(store, annotations))
        unknown = [item for item in annotations if (item.trace_id, item.span_id) not in owners]
        if unknown and not skip_unknown:
            raise _refuse(unknown)
        before = self._find_earlier(store, annotations)
        outcomes = {id(item): _find_outcome(item, owners, before) for item in annotations}
        groups: dict[LineOwner, list[TelemetryLine]] = defaultdict(list)
        for item in annotations:
            if outcomes[id(item)] != "unknown":
                moment = max(utc_now(), before.get(item.id, datetime.min.replace(tzinfo=UTC)) + _TICK)
                groups[owners[item.trace_id, item.span_id]].append(make_line(item, moment))
        for owner, lines in groups.items():
            self._writer.write(owner, lines)
        return _report(annotations, outcomes)

    def _open(self) -> ObservabilityStore:
        self._ingester.catch_up()
        self._parts.observability.init()
        return self._parts.observability

    def _find_owners(
        self, store: ObservabilityStore, annotations: Iterable[Annotation]
    ) -> Iterator[tuple[Target, LineOwner]]:
        """Yield what of the targets is stored, and whose it is; a trace is its root's."""
        columns = ("trace_id", "span_id", "project_id", "deployment_id", "build_id")
        for trace_ids in _list_traces(annotations):
            wanted = TelemetryFilter(trace_id=trace_ids, limit=None, order="newest", columns=columns)
            for row in store.spans(wanted).to_dict("records"):
                owner = LineOwner(*(_read_id(row[name]) for name in columns[2:]))
                yield (row["trace_id"], row["span_id"]), owner
                yield (row["trace_id"], None), owner  # the oldest comes last, and wins

    def _find_earlier(self, store: ObservabilityStore, annotations: Iterable[Annotation]) -> dict[str, datetime]:
        """Return when what is written now was last written, by its id."""
        found: dict[str, datetime] = {}
        for trace_ids in _list_traces(annotations):
            wanted = TelemetryFilter(trace_id=trace_ids, limit=None, columns=("timestamp", "data"))
            for frame, name in ((store.scores(wanted), "scoreId"), (store.feedback(wanted), "feedbackId")):
                for moment, data in zip(frame["timestamp"], frame["data"], strict=True):
                    found.setdefault(str(json.loads(data).get(name)), moment.to_pydatetime())
        return found


def make_line(item: Annotation, moment: datetime) -> TelemetryLine:
    """Return the line that says it, with the fields that Mastra's own scores and feedback have."""
    data: dict[str, Any] = {
        "timestamp": moment.isoformat(timespec="milliseconds"),
        "traceId": item.trace_id,
        **({"spanId": item.span_id} if item.span_id else {}),
        **_list_fields(item),
        "author": item.author,
        **({"metadata": dict(item.metadata)} if item.metadata else {}),
        **({"removed": True} if item.removed else {}),
    }
    kind = LineType.SCORE if item.kind is Kind.SCORE else LineType.FEEDBACK
    return TelemetryLine(kind, None, int(moment.timestamp() * 1000), data, id=item.id)


def _list_fields(item: Annotation) -> dict[str, Any]:
    if item.kind is Kind.SCORE:
        told = {"scoreId": item.id, "scorerName": item.name, "score": item.value, "reason": item.comment}
        return {name: value for name, value in told.items() if value is not None} | {"scoreSource": "person"}
    told = {"feedbackId": item.id, "feedbackType": item.name, "value": item.value, "comment": item.comment}
    return {name: value for name, value in told.items() if value is not None} | {"feedbackSource": "person"}


def _list_traces(annotations: Iterable[Annotation]) -> Iterator[tuple[str, ...]]:
    trace_ids = list(dict.fromkeys(item.trace_id for item in annotations))
    for start in range(0, len(trace_ids), _TRACES_AT_ONCE):
        yield tuple(trace_ids[start : start + _TRACES_AT_ONCE])


def _find_outcome(item: Annotation, owners: Mapping[Target, LineOwner], before: Mapping[str, datetime]) -> str:
    if (item.trace_id, item.span_id) not in owners or (item.removed and item.id not in before):
        return "unknown"
    if item.removed:
        return "removed"
    return "replaced" if item.id in before else "written"


def _report(annotations: Sequence[Annotation], outcomes: Mapping[int, str]) -> pd.DataFrame:
    import pandas as pd

    rows = [(item.trace_id, item.span_id, item.name, item.author, outcomes[id(item)]) for item in annotations]
    frame = pd.DataFrame(rows, columns=pd.Index(WRITTEN_COLUMNS), dtype=object)
    return frame.astype({"name": "category", "author": "category", "outcome": "category"})


def _refuse(unknown: Sequence[Annotation]) -> NotFound:
    first = unknown[0]
    what = f"a span {first.span_id!r} in trace {first.trace_id!r}" if first.span_id else f"a trace {first.trace_id!r}"
    place = f" ({first.place})" if first.place else ""
    more = f", and of {len(unknown) - 1} more" if len(unknown) > 1 else ""
    return NotFound(
        f"Nothing was written: there is no telemetry of {what}{place}{more}.",
        hint=_SKIP if first.place else _TAKE,
        evidence={"unknown": [_name_target(item) for item in unknown[:_SHOWN]]},
    )


def _name_target(item: Annotation) -> str:
    target = " ".join(filter(None, (item.trace_id, item.span_id)))
    return f"{item.place}: {target}" if item.place else target


def _read_id(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
