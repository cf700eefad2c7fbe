"""``admin.datasets``: making datasets, filling them, and taking them along as files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound
from mastra_admin_sdk.models import Cursor, Dataset, DatasetItem
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.service import TelemetryService
from mastra_admin_sdk.services.telemetry.traces import Trace

from .files import read_file, write_items
from .making import list_rows, make_item, pick_span, read_items

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_NAME = 200


class LiveDataset:
    """A dataset as it was last read."""

    def __init__(self, record: Dataset, parts: Parts, telemetry: TelemetryService) -> None:
        self.record = record
        self._parts, self._telemetry = parts, telemetry

    @property
    def id(self) -> str:
        """Its id, a UUID."""
        return self.record.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def description(self) -> str:
        """What it is for."""
        return self.record.description

    def add(
        self,
        traces: pd.DataFrame | str | Trace | Iterable[str | Trace] | None = None,
        *,
        frame: pd.DataFrame | Sequence[Mapping[str, Any]] | None = None,
        expected: bool = True,
    ) -> int:
        """Add items at the end and return how many; what was added from a span before is left as it is.

        Parameters:
            traces: a DataFrame with ``trace_id``, a trace, a trace id, or several of these. Of each trace its outermost
                agent or workflow is taken; with a column ``span_id`` the spans of that column are.
            frame: items as a table instead: ``input``, ``expected``, ``target``, ``metadata``, ``trace_id``,
                ``span_id``; only ``input`` is needed.
            expected: whether what a span gave back is what is expected of the next run.

        Raises:
            NotFound: a trace or span isn't stored.
            InvalidInput: a trace has no input to run again, or a row can't be used; nothing was added.

        Example:
            >>> dataset.add(admin.traces(status="error", since="7d"))
            >>> dataset.add(frame=[{"input": "Weather in Rome?", "expected": "sunny", "target": "agent:weather"}])
        """
        if (traces is None) is (frame is None):
            raise InvalidInput("A dataset takes traces or a table of items.", hint="add(traces) or add(frame=…).")
        items = self._read_table(frame) if frame is not None else self._make_items(traces, expected)
        known = {_find_source(item) for item in self.items()}
        new = [item for item in _drop_doubles(items) if item.source_span_id is None or _find_source(item) not in known]
        return self._parts.storage.dataset_items.add(new) if new else 0

    def items(self, *, limit: int | None = None, offset: int = 0) -> Sequence[DatasetItem]:
        """Return the items in the order in which they were added."""
        return self._parts.storage.dataset_items.list(self.id, limit=limit, offset=offset)

    def frame(self) -> pd.DataFrame:
        """Return a row an item, in their order.

        Columns: ``id``, ``input``, ``expected``, ``metadata`` (Python values), ``target`` (category), ``trace_id`` and
        ``span_id`` of the span it was made from, ``created_at`` (UTC).
        """
        import pandas as pd

        columns = ("id", "input", "expected", "target", "metadata", "trace_id", "span_id", "created_at")
        frame = pd.DataFrame(list(list_rows(self.items())), columns=pd.Index(columns), dtype=object)
        frame["created_at"] = pd.to_datetime(frame["created_at"], utc=True).astype("datetime64[ms, UTC]")
        return frame.astype({"target": "category"})

    def export(self, path: str | Path, *, format: str | None = None) -> Path:
        """Write the items to a file of JSON lines or CSV (``jsonl``, ``csv``; by the name unless given), whole or not.

        In CSV input, expected and metadata are JSON. `DatasetCollection.load` reads both.
        """
        return write_items(path, list_rows(self.items()), format)

    def remove(self, *item_ids: str) -> int:
        """Remove items and return how many; `NotFound` when one isn't in this dataset."""
        for item_id in item_ids:
            if self._parts.storage.dataset_items.get(item_id).dataset_id != self.id:
                raise NotFound(f"The dataset {self.name!r} has no item {item_id!r}.")
        for item_id in item_ids:
            self._parts.storage.dataset_items.delete(item_id)
        return len(item_ids)

    def delete(self) -> None:
        """Remove it with its items."""
        self._parts.storage.datasets.delete(self.id)
        self._parts.record("delete", "dataset", self.id, object=self.name)

    def __len__(self) -> int:
        return self._parts.storage.dataset_items.count(self.id)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[DatasetItem]:
        return iter(self.items())

    def __repr__(self) -> str:
        return f"<LiveDataset {self.name!r}>"

    def _read_table(self, frame: pd.DataFrame | Sequence[Mapping[str, Any]]) -> list[DatasetItem]:
        import pandas as pd

        return read_items(self.id, frame if isinstance(frame, pd.DataFrame) else pd.DataFrame(list(frame)))

    def _make_items(self, traces: Any, expected: bool) -> list[DatasetItem]:
        wanted = _list_wanted(traces)
        spans: dict[str, list[dict[str, Any]]] = {}
        found = []
        for trace_id, span_id in wanted:
            if trace_id not in spans:
                spans[trace_id] = [
                    {str(name): value for name, value in row.items()}
                    for row in self._telemetry.trace(trace_id).to_dict("records")
                ]
            found.append(make_item(self.id, _find_span(trace_id, span_id, spans[trace_id]), expected=expected))
        return found


class DatasetCollection:
    """All datasets."""

    def __init__(self, parts: Parts, telemetry: TelemetryService) -> None:
        self._parts, self._telemetry = parts, telemetry

    def create(
        self,
        name: str,
        *,
        traces: pd.DataFrame | str | Trace | Iterable[str | Trace] | None = None,
        frame: pd.DataFrame | Sequence[Mapping[str, Any]] | None = None,
        description: str = "",
        expected: bool = True,
    ) -> LiveDataset:
        """Make a dataset, of traces or of a table: see `LiveDataset.add`. With neither it is empty.

        Raises:
            Conflict: the name is taken.
            NotFound, InvalidInput: as `LiveDataset.add`; no dataset is left behind.

        Example:
            >>> admin.datasets.create("regressions", traces=admin.traces(status="error", since="7d"))
        """
        if not name.strip() or len(name) > _LONGEST_NAME:
            raise InvalidInput(f"{name[:50]!r} is no name for a dataset.", hint=f"1 to {_LONGEST_NAME} characters.")
        made = self._wrap(self._add(Dataset(name, description)))
        try:
            count = made.add(traces, frame=frame, expected=expected) if traces is not None or frame is not None else 0
        except BaseException:
            self._parts.storage.datasets.delete(made.id)
            raise
        self._parts.record("create", "dataset", made.id, object=name, items=count)
        return self.get(made.id)

    def from_frame(self, name: str, frame: pd.DataFrame, *, description: str = "") -> LiveDataset:
        """Make a dataset of a table: the same as ``create(name, frame=frame)``."""
        return self.create(name, frame=frame, description=description)

    def load(self, name: str, path: str | Path, *, description: str = "") -> LiveDataset:
        """Make a dataset of a file of JSON lines or CSV, such as `LiveDataset.export` writes."""
        return self.create(name, frame=read_file(path), description=description)

    def get(self, reference: str | LiveDataset) -> LiveDataset:
        """Return a dataset by name or id, or raise `NotFound`."""
        if isinstance(reference, LiveDataset):
            return reference
        repository = self._parts.storage.datasets
        try:
            return self._wrap(repository.get_by_name(reference))
        except NotFound:
            names = {item.id: item for item in repository.list()}
            if reference in names:
                return self._wrap(names[reference])
            raise _missing(reference, [item.name for item in names.values()]) from None

    def list(self, *, limit: int | None = None, after: Cursor | None = None) -> Sequence[LiveDataset]:
        """Return datasets, newest first: all, or a page of ``limit`` datasets ``after`` a place in that order."""
        return [self._wrap(record) for record in self._parts.storage.datasets.list(limit=limit, after=after)]

    def frame(self) -> pd.DataFrame:
        """Return a row a dataset: ``name``, ``items``, ``description``, ``created_at``, ``updated_at``, ``id``."""
        import pandas as pd

        columns = ("name", "items", "description", "created_at", "updated_at", "id")
        rows = [
            (item.name, len(item), item.description, item.record.created_at, item.record.updated_at, item.id)
            for item in self.list()
        ]
        frame = pd.DataFrame(rows, columns=pd.Index(columns), dtype=object)
        for name in ("created_at", "updated_at"):
            frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[ms, UTC]")
        return frame.astype({"items": "Int64"})

    def delete(self, reference: str | LiveDataset) -> None:
        """Remove a dataset with its items."""
        self.get(reference).delete()

    def __iter__(self) -> Iterator[LiveDataset]:
        return iter(self.list())

    def __repr__(self) -> str:
        return "<DatasetCollection>"

    def _add(self, dataset: Dataset) -> Dataset:
        try:
            return self._parts.storage.datasets.create(dataset)
        except Conflict as exc:
            exc.hint = "Choose another name, or add to the one that is there."
            raise

    def _wrap(self, record: Dataset) -> LiveDataset:
        return LiveDataset(record, self._parts, self._telemetry)


def _missing(wanted: str, known: Sequence[str]) -> NotFound:
    if near := difflib.get_close_matches(wanted, known, n=3, cutoff=0.5):
        hint = f"Did you mean {' or '.join(map(repr, near))}?"
    else:
        hint = f"There are: {', '.join(sorted(known)[:10])}." if known else "There is no dataset yet."
    return NotFound(f"There is no dataset {wanted!r}.", hint=hint)


def _list_wanted(traces: Any) -> list[tuple[str, str | None]]:
    import pandas as pd

    if isinstance(traces, pd.DataFrame):
        if "trace_id" not in traces.columns:
            raise InvalidInput("The table has no column 'trace_id'.", hint="Give a table of traces or of spans.")
        spans = traces["span_id"] if "span_id" in traces.columns else [None] * len(traces)
        pairs = zip(traces["trace_id"], spans, strict=True)
        return list(dict.fromkeys((str(trace), span if isinstance(span, str) else None) for trace, span in pairs))
    several = [traces] if isinstance(traces, str | Trace) else list(traces)
    return list(dict.fromkeys((item.id if isinstance(item, Trace) else str(item), None) for item in several))


def _find_span(trace_id: str, span_id: str | None, spans: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if span_id is not None:
        found = next((span for span in spans if span["span_id"] == span_id), None)
        if found is None:
            raise NotFound(f"There is no span {span_id!r} in trace {trace_id!r}.")
        return found
    picked = pick_span(spans)
    if picked is None:
        raise InvalidInput(
            f"The trace {trace_id!r} has no agent or workflow run, and its root has no input.",
            hint="Leave it out, or name the spans to take: a table with trace_id and span_id.",
        )
    return picked


def _find_source(item: DatasetItem) -> tuple[str | None, str | None]:
    return item.source_trace_id, item.source_span_id


def _drop_doubles(items: Iterable[DatasetItem]) -> list[DatasetItem]:
    return list({_find_source(item) if item.source_span_id else item.id: item for item in items}.values())
