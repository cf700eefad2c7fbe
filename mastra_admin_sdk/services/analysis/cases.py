"""What can be sent again: from recorded traces and datasets to inputs with what they are for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mastra_admin_sdk.display.tree import TraceNode
from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Dataset, DatasetItem
from mastra_admin_sdk.ports.storage import AdminStorage
from mastra_admin_sdk.services.datasets.making import RUN_KINDS
from mastra_admin_sdk.services.telemetry.service import TelemetryService
from mastra_admin_sdk.services.telemetry.traces import Trace
from mastra_admin_sdk.services.telemetry.values import read_value

from .outcomes import Outcome, show_value, simplify_output

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
# What the writer of the files and Mastra itself leave where they cut.
_CUT = re.compile(
    r'… \[[\d,]+ characters cut\]|\[\d+ more cut\]|"\[cut\]"|…\[truncated\]|"__truncated"|\[MaxDepth\]|\[Circular', re.I
)
_HIDDEN = "[REDACTED]"


@dataclass(frozen=True, slots=True)
class Case:
    """One input. ``reason`` says why it can't be sent; ``old`` is what came of it when it was recorded."""

    id: str
    kind: str | None = None
    target: str | None = None
    input: Any = None
    expected: Any = None
    old: Outcome | None = None
    reason: str | None = None

    @property
    def has_expected(self) -> bool:
        """True when it is known what should come of it."""
        return self.expected is not None


class CaseReader:
    """Finds the inputs that are meant."""

    def __init__(self, storage: AdminStorage, telemetry: TelemetryService) -> None:
        self._storage, self._telemetry = storage, telemetry

    def read(self, source: Any, target: str | None = None) -> list[Case]:
        """Return the inputs of traces or datasets, in their order, each once.

        Parameters:
            source: a trace, its id, a DataFrame with a column ``trace_id``, a dataset or its name, an item of one, or
                several of these.
            target: whom to send all of them to, as ``agent:<id>`` or ``workflow:<id>``; as recorded unless given.

        Raises:
            NotFound: there is no dataset of that name.
            InvalidInput: it is none of these.
        """
        wanted = parse_target(target) if target else None
        cases = {case.id: case for case in self._iterate(source)}
        return [aim(case, *wanted) if wanted else case for case in cases.values()]

    def _iterate(self, source: Any) -> Iterator[Case]:
        record = getattr(source, "record", source)
        if isinstance(source, Trace):
            yield make_case(source)
        elif isinstance(record, DatasetItem):
            yield self._read_item(record)
        elif isinstance(record, Dataset):
            yield from map(self._read_item, self._storage.dataset_items.list(record.id))
        elif isinstance(source, str):
            yield from self._read_name(source)
        elif hasattr(source, "columns"):
            yield from map(self._read_trace, _list_traces(source))
        elif isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
            for each in source:
                yield from self._iterate(each)
        else:
            raise InvalidInput(
                f"{type(source).__name__} can't be replayed.",
                hint="Give a trace, its id, a DataFrame of traces, a dataset, or a list of these.",
            )

    def _read_name(self, name: str) -> Iterator[Case]:
        if _TRACE_ID.fullmatch(name):
            yield self._read_trace(name)
            return
        try:
            dataset = self._storage.datasets.get_by_name(name)
        except NotFound as exc:
            yield self._read_trace(self._complete(name, exc))
            return
        yield from self._iterate(dataset)

    def _complete(self, name: str, no_dataset: NotFound) -> str:
        try:
            return self._telemetry.complete_trace_id(name)
        except NotFound:
            raise NotFound(
                f"{name[:100]!r} is neither the id of a trace nor a dataset.",
                hint="Of a trace's id, give 6 or more of its 32 hex digits; admin.traces() lists them.",
            ) from no_dataset

    def _read_trace(self, trace_id: str) -> Case:
        try:
            return make_case(Trace(trace_id, self._telemetry.trace(trace_id)))
        except NotFound as exc:
            return Case(trace_id, reason=exc.message)

    def _read_item(self, item: DatasetItem) -> Case:
        recorded = self._find_recorded(item)
        run = find_run(recorded, item.source_span_id) if recorded else None
        kind, target = parse_target(item.target) if item.target else (None, None)
        if kind is None and run is not None:
            kind, target = RUN_KINDS.get(run.type), run.span.get("entity_id")
        case = Case(
            item.id,
            kind,
            target,
            item.input,
            None if item.expected is None else simplify_output(item.expected),
            read_outcome(recorded, item.source_span_id) if recorded else None,
        )
        return replace(case, reason=explain_unsendable(case))

    def _find_recorded(self, item: DatasetItem) -> Trace | None:
        """The trace that an item was made from, as long as it is stored."""
        if item.source_trace_id is None:
            return None
        try:
            return Trace(item.source_trace_id, self._telemetry.trace(item.source_trace_id))
        except NotFound:
            return None  # items outlive telemetry; there is nothing to compare with then


def make_case(trace: Trace) -> Case:
    """Return the input of a trace with what came of it, or the reason why it can't be sent again."""
    run = find_run(trace)
    if run is None or run.type not in RUN_KINDS:
        began = f": it began with {run.name!r} ({run.type})" if run else ""
        return Case(trace.id, reason=f"It holds no run of an agent or a workflow{began}.")
    target = run.span.get("entity_id") or run.span.get("entity_name")
    case = Case(trace.id, RUN_KINDS[run.type], target, read_value(run.input), old=read_outcome(trace))
    return replace(case, reason=explain_unsendable(case, run.input))


def find_run(trace: Trace, span_id: str | None = None) -> TraceNode | None:
    """Return the span that is the run: the one that is named, else the outermost agent or workflow, else the root."""
    if span_id is not None and span_id in trace.tree:
        return trace.tree[span_id]
    runs = [node for node in trace.tree if node.type in RUN_KINDS]
    return min(runs, key=lambda node: node.depth) if runs else trace.root


def read_outcome(trace: Trace, span_id: str | None = None) -> Outcome:
    """Return what came of a recorded run."""
    run, tokens = find_run(trace, span_id), trace.tokens
    if run is None:
        return Outcome(trace_id=trace.id)
    return Outcome(
        output=simplify_output(run.output),
        status=run.status,
        duration_ms=run.duration_ms,
        input_tokens=tokens.input if tokens.total else None,
        output_tokens=tokens.output if tokens.total else None,
        trace_id=trace.id,
    )


def explain_unsendable(case: Case, recorded: Any = None) -> str | None:
    """Return why an input can't be sent, or ``None``."""
    if case.kind is None or not case.target:
        return "It isn't known which agent or workflow it is for: give target='agent:<id>'."
    if case.input is None or case.input == "":
        return "Its input wasn't recorded."
    text = recorded if isinstance(recorded, str) else show_value(case.input) or ""
    if _CUT.search(text):
        return "Its input was cut when it was recorded."
    if _HIDDEN in text:
        return "Its input holds values that were hidden when it was recorded."
    if case.kind == "agent" and read_messages(case.input) is None:
        return "Its input is no text and no list of messages."
    return None


def read_messages(value: Any) -> str | list[Mapping[str, Any]] | None:
    """Return a recorded input of an agent as its API takes it; ``None`` when it is something else."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return read_messages(value["messages"]) if "messages" in value else [value] if "role" in value else None
    if not isinstance(value, list) or not value:
        return None
    messages = [{"role": "user", "content": each} if isinstance(each, str) else each for each in value]
    return messages if all(isinstance(each, Mapping) and "role" in each for each in messages) else None


def parse_target(target: str) -> tuple[str, str]:
    """Return the kind and the id in ``agent:<id>`` or ``workflow:<id>``."""
    kind, colon, name = target.partition(":")
    if not colon or kind not in RUN_KINDS.values() or not name:
        raise InvalidInput(f"{target!r} is no target.", hint="Write agent:<id> or workflow:<id>.")
    return kind, name


def aim(case: Case, kind: str, target: str) -> Case:
    """Return a case that is sent to another agent or workflow."""
    aimed = replace(case, kind=kind, target=target, reason=None)
    # What was wrong with the input itself is wrong for anybody.
    return replace(aimed, reason=explain_unsendable(aimed) if case.kind or case.input is not None else case.reason)


def _list_traces(frame: Any) -> list[str]:
    if "trace_id" not in frame.columns:
        raise InvalidInput("The DataFrame has no column 'trace_id'.", hint="Give a DataFrame of traces or of spans.")
    return [str(each) for each in dict.fromkeys(frame["trace_id"].dropna())]
