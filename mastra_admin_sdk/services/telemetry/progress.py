"""What became of ingestion: counts, and what is in its way; kept in a file, so that every process can show it."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from mastra_admin_sdk.errors import MastraAdminError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import utc_now
from mastra_admin_sdk.ports.observability import ObservabilityStore

from .batches import Batch
from .screening import sum_left_out

_COUNT_SECONDS = 5.0
_SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class IngestionStatus:
    """What is known of ingestion.

    Parameters:
        trouble: why nothing can be stored at the moment; empty while all is well.
        since: when that began.
        lines: lines that were handed to the store, over all times; repeated ones count again.
        bytes: their bytes.
        rejected: lines that the store keeps as rejected (``admin.rejects()`` has them, with reasons).
        dropped: lines that servers could not write, because their disk was full or gone, and that are lost.
        dropped_reason: why the last of them was.
        sampled_out: lines that are not stored because the setting telemetry_sample says so.
    """

    trouble: str = ""
    since: datetime | None = None
    lines: int = 0
    bytes: int = 0
    rejected: int = 0
    dropped: int = 0
    dropped_reason: str = ""
    sampled_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "since": self.since.isoformat() if self.since else None}


class Progress:
    """Kept by whoever holds the role; the file is replaced as a whole."""

    def __init__(self, home: Home, store: ObservabilityStore) -> None:
        self._home, self._store = home, store
        self._status = IngestionStatus()
        self._saved: IngestionStatus | None = None
        self._saved_at = self._counted_at = float("-inf")
        self._has_new = False

    def load(self) -> None:
        """Go on from what the last holder of the role wrote."""
        self._status = self._saved = _read_status(self._home)
        self._has_new, self._counted_at = True, float("-inf")

    def note_stored(self, batch: Batch) -> None:
        """Count a batch that is stored."""
        status = self._status
        self._status = replace(status, lines=status.lines + batch.lines, bytes=status.bytes + batch.bytes)
        self._has_new = True
        self._save_if_due()

    def note_pass(self, *, stored: int) -> None:
        """A pass came to its end: nothing is in the way."""
        self._status = replace(self._status, trouble="", since=None)
        if stored or self._has_new:
            self._count_rejects()
        self._save()

    def note_trouble(self, error: MastraAdminError) -> None:
        """Say what is in the way."""
        since = self._status.since or utc_now()
        self._status = replace(self._status, trouble=error.message, since=since)
        self._save()

    def _count_rejects(self) -> None:
        if time.monotonic() - self._counted_at < _COUNT_SECONDS or not self._store.status().get("running"):
            return
        self._counted_at = time.monotonic()
        with suppress(MastraAdminError):  # a store that went away in this moment says so at the next batch
            self._status = replace(self._status, rejected=self._store.count_rejects())
            self._has_new = False

    def _save_if_due(self) -> None:
        """Within a long pass: at most every second."""
        if time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            self._save()

    def _save(self) -> None:
        if self._status != self._saved:
            self._saved_at = time.monotonic()
            _write_status(self._home, self._status)
            self._saved = self._status


def read_status(home: Home) -> IngestionStatus:
    """Return what the holder of the role wrote last, with what servers had to drop."""
    dropped, reason = _count_dropped(home)
    left_out = sum(count for kind, count in sum_left_out(home.telemetry).items() if kind != "trace")
    return replace(_read_status(home), dropped=dropped, dropped_reason=reason, sampled_out=left_out)


def _read_status(home: Home) -> IngestionStatus:
    try:
        found = json.loads((home.run / "ingestion.json").read_text(encoding="utf-8"))
        known = {name: found[name] for name in (item.name for item in fields(IngestionStatus)) if name in found}
        since = datetime.fromisoformat(known["since"]) if known.get("since") else None
        return IngestionStatus(**{**known, "since": since})
    except (OSError, ValueError, TypeError):  # nobody has written any, or somebody else wrote into it
        return IngestionStatus()


def _write_status(home: Home, status: IngestionStatus) -> None:
    file = home.run / "ingestion.json"
    draft = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with suppress(OSError):  # a full disk: the next one has the same and more
        draft.write_text(json.dumps(status.to_dict()), encoding="utf-8")
        draft.replace(file)


def _count_dropped(home: Home) -> tuple[int, str]:
    """Add up what servers' own status files say; those of ended ones stay a day."""
    dropped, reason = 0, ""
    for path in home.telemetry.glob("*/*/*/status.json"):
        found = _read_json(path)
        lines = found.get("dropped")
        if isinstance(lines, int) and lines > 0:
            dropped, reason = dropped + lines, str(found.get("dropped_reason") or reason)
    return dropped, reason


def _read_json(path: Any) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
