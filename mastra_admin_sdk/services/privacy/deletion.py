"""Deletes telemetry: finds what is concerned, erases it in files and store, and looks again until nothing is left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput, ObservabilityError
from mastra_admin_sdk.models import new_id
from mastra_admin_sdk.ports.observability import Erasure, Listing, TelemetryFilter
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.ingestion import Ingester

from .files import FileErasure, erase_files
from .matching import THREAD_KEYS, USER_KEYS, list_mentions, make_matcher

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

STORE_SECONDS = 600.0
"""How long ingestion may take to store what was read before the files were erased."""

_ROWS_AT_ONCE = 50_000
_ATTEMPTS = 5
_OWNED = ("project_id", "deployment_ids", "build_id", "since", "until")


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted, or with ``dry_run`` would be: rows by signal, lines in files, items of datasets."""

    traces: int = 0
    spans: int = 0
    logs: int = 0
    metrics: int = 0
    scores: int = 0
    feedback: int = 0
    rejects: int = 0
    file_lines: int = 0
    dataset_items: int = 0
    dry_run: bool = False

    def frame(self) -> pd.DataFrame:
        """Return a row for each kind of thing: ``what``, ``count``."""
        import pandas as pd

        counts = {name: count for name, count in asdict(self).items() if name != "dry_run"}
        return pd.DataFrame({"what": list(counts), "count": pd.array(list(counts.values()), dtype="Int64")})

    def counts(self) -> list[tuple[int, str]]:
        """Return how many there are of each kind of thing, and its name in words: ``(1, "file line")``."""
        counted = {name: count for name, count in asdict(self).items() if count and name != "dry_run"}
        return [
            (count, (name.removesuffix("s") if count == 1 else name).replace("_", " "))
            for name, count in counted.items()
        ]

    def __repr__(self) -> str:
        told = ", ".join(f"{count:,} {what}" for count, what in self.counts()) or "nothing"
        return f"<Deletion {'would delete' if self.dry_run else 'deleted'} {told}>"


class TelemetryEraser:
    """Deletes telemetry of users, threads, and owners."""

    def __init__(self, parts: Parts, ingester: Ingester) -> None:
        self._parts, self._ingester = parts, ingester

    def delete(
        self, filters: TelemetryFilter, *, user: str | None, thread: str | None, dry_run: bool, what: Mapping[str, Any]
    ) -> Deletion:
        """Delete what belongs to a user or thread, else what belongs to an owner.

        Parameters:
            filters: project, deployments, build and range of time.
            user, thread: whose traces are concerned; with both, those that have both.
            what: what was asked for, by name, for the audit log; the user and thread are added in a form that only
                this home can tell.

        Raises:
            InvalidInput: everything would be deleted.
            ObservabilityError: something is left; it can be repeated.
        """
        self._ingester.catch_up(STORE_SECONDS)
        self._parts.observability.init()
        erasure = self._find(filters, user, thread)
        found = self._parts.observability.erase(erasure, dry_run=True)
        lines = erase_files(self._parts.home.telemetry, make_matcher(erasure), dry_run=True)
        items = self._find_items(erasure)
        deletion = Deletion(
            traces=len(erasure.trace_ids or ()),
            **found,
            file_lines=lines.lines,
            dataset_items=len(items),
            dry_run=dry_run,
        )
        if dry_run:
            return deletion
        self._erase(erasure)
        for item_id in items:
            self._parts.storage.dataset_items.delete(item_id)
        self._record(deletion, user, thread, what)
        return deletion

    def _find(self, filters: TelemetryFilter, user: str | None, thread: str | None) -> Erasure:
        owner = {
            name: getattr(filters, name) for name in ("project_id", "deployment_ids", "build_id", "since", "until")
        }
        is_all = all(value is None for value in owner.values())
        if user is None and thread is None:
            if is_all:
                raise InvalidInput(
                    "Nothing was deleted: neither a user or thread is named, nor a project, deployment, build or time.",
                    hint="To delete everything that is older than a month, say until 30d.",
                )
            return Erasure(**owner)
        mentions: tuple[str, ...] = ()
        if is_all:
            # Lines outside of their traces say neither whose they are nor both names.
            mentions = list_mentions(*((THREAD_KEYS, thread) if thread is not None else (USER_KEYS, user or "")))
        wanted = replace(filters, resource_id=user, thread_id=thread, limit=None, columns=("trace_id",))
        parts = self._parts.observability.iterate(Listing.SPANS, wanted, _ROWS_AT_ONCE)
        traces = dict.fromkeys(str(trace_id) for part in parts for trace_id in part["trace_id"])
        return Erasure(trace_ids=tuple(traces), mentions=mentions)

    def _erase(self, erasure: Erasure) -> None:
        """Erase the files first, so that nothing can be read from them any more, then the store."""
        matches = make_matcher(erasure)
        for _ in range(_ATTEMPTS):
            erase_files(self._parts.home.telemetry, matches)
            # What was read before that is stored now, or read again without it.
            if not self._ingester.catch_up(STORE_SECONDS):
                break
            self._parts.observability.erase(erasure)
            if self._is_gone(erasure, erase_files(self._parts.home.telemetry, matches, dry_run=True)):
                return
        raise ObservabilityError(
            "Some of the telemetry could not be deleted yet: more of it arrives, or ingestion is behind.",
            hint="Stop what sends it, see that `mastra-admin ps` shows no lag, and delete again.",
        )

    def _is_gone(self, erasure: Erasure, files: FileErasure) -> bool:
        return not files.lines and not any(self._parts.observability.erase(erasure, dry_run=True).values())

    def _find_items(self, erasure: Erasure) -> list[str]:
        """Return the items of datasets that were made from the traces of a user or thread."""
        if not erasure.trace_ids:
            return []
        traces, storage = set(erasure.trace_ids), self._parts.storage
        return [
            item.id
            for dataset in storage.datasets.list()
            for item in storage.dataset_items.list(dataset.id)
            if item.source_trace_id in traces
        ]

    def _record(self, deletion: Deletion, user: str | None, thread: str | None, what: Mapping[str, Any]) -> None:
        hide: Callable[[str], str] = self._parts.secrets.fingerprint
        people = {name: hide(value) for name, value in (("user", user), ("thread", thread)) if value is not None}
        counts = {name: count for name, count in asdict(deletion).items() if count and name != "dry_run"}
        self._parts.record("delete", "telemetry", new_id(), object="telemetry", **what, **people, **counts)
