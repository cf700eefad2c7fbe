"""What becomes of lines on their way into the files, in Python: sampled, cleaned, and what is left out counted.

Servers do the same for themselves, in JavaScript, before their lines reach a file.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mastra_admin_sdk.policy import TelemetryPolicy
from mastra_admin_sdk.services.policies import Policies

from .lines import LineOwner, LineType, TelemetryLine

logger = logging.getLogger(__name__)

STATUS_FILE = "status.json"

SHARED_STATUS = ("none", "none", "python", STATUS_FILE)
"""Where below the telemetry folder all that writes from Python counts together, as a server does in its own folder."""

_SERIOUS = frozenset({"error", "fatal"})
_REMEMBERED = 10_000
_SAVE_SECONDS = 1.0


class TelemetryScreen:
    """Lets through what may be stored: the ``policy`` of a `TelemetryWriter`.

    Spans and logs go with their trace; metrics, scores and feedback always stay, as totals are made from them. Nothing
    waits here, as what was accepted must be on the disk: with ``keep_errors`` a trace outside of the sample is kept
    from the lines on among which the first failure came.

    Parameters:
        policies: by project.
        status_file: where the counts of what was left out are added up; shared by all processes that write.

    Many threads may use it at once.
    """

    def __init__(self, policies: Policies, status_file: Path | None = None) -> None:
        self._policies, self._status_file = policies, status_file
        self._failed: OrderedDict[str, None] = OrderedDict()
        self._unsaved: Counter[str] = Counter()
        self._saved_at = 0.0
        self._lock = threading.Lock()

    def __call__(self, owner: LineOwner, lines: Sequence[TelemetryLine]) -> Sequence[TelemetryLine]:
        """Return the lines that are stored, without what must not be."""
        policy = self._policies.find(owner.project_id)
        kept = self._sample(policy, lines)
        return [replace(line, data=policy.cleaner.clean_record(line.data)) for line in kept]

    def close(self) -> None:
        """Write down what was counted. Can be repeated."""
        self._save()

    def _sample(self, policy: TelemetryPolicy, lines: Sequence[TelemetryLine]) -> Sequence[TelemetryLine]:
        if policy.sample >= 1.0:
            return lines
        if policy.keep_errors:
            self._note_failures(lines)
        kept = [line for line in lines if self._stays(policy, line)]
        if len(kept) < len(lines):
            chosen = set(map(id, kept))
            self._count(line for line in lines if id(line) not in chosen)
        return kept

    def _stays(self, policy: TelemetryPolicy, line: TelemetryLine) -> bool:
        trace_id = find_trace(line) if line.type in (LineType.SPAN, LineType.LOG) else ""
        return not trace_id or policy.admits(trace_id) or trace_id in self._failed

    def _note_failures(self, lines: Iterable[TelemetryLine]) -> None:
        failed = {find_trace(line) for line in lines if _has_failed(line)}
        with self._lock:
            self._failed.update(dict.fromkeys(filter(None, failed)))
            while len(self._failed) > _REMEMBERED:
                self._failed.popitem(last=False)

    def _count(self, lines: Iterable[TelemetryLine]) -> None:
        with self._lock:
            for line in lines:
                self._unsaved.update([line.type.value, *(["trace"] if _ends_trace(line) else [])])
            is_due = time.monotonic() - self._saved_at > _SAVE_SECONDS
        if is_due:
            self._save()

    def _save(self) -> None:
        with self._lock:
            counts, self._unsaved = self._unsaved, Counter()
            self._saved_at = time.monotonic()
        if not counts or self._status_file is None:
            return
        try:
            add_counts(self._status_file, counts)
        except (OSError, Timeout) as exc:
            logger.warning("What sampling left out can't be written down at the moment: %s", exc)
            with self._lock:
                self._unsaved.update(counts)


def add_counts(path: Path, counts: Mapping[str, int]) -> None:
    """Add to the numbers under ``sampled_out`` of a status file; other processes may do so at the same time."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=5):
        told = read_status(path)
        told["sampled_out"] = dict(Counter(told.get("sampled_out", {})) + Counter(counts))
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        draft.write_text(json.dumps(told) + "\n", encoding="utf-8")
        draft.chmod(0o600)
        draft.replace(path)


def read_status(path: Path) -> dict[str, Any]:
    """Return what a status file says; nothing when it is missing or can't be read."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def sum_left_out(root: Path) -> dict[str, int]:
    """Return how many lines (and traces) sampling left out, by type, in the files of servers and of Python."""
    total: Counter[str] = Counter()
    for path in root.glob(f"*/*/*/{STATUS_FILE}"):
        counts = read_status(path).get("sampled_out")
        if isinstance(counts, dict):
            total.update({name: count for name, count in counts.items() if isinstance(count, int)})
    return dict(total)


def find_trace(line: TelemetryLine) -> str:
    """Return the trace a line belongs to; empty when it belongs to none."""
    context = line.data.get("correlationContext")
    inner = context.get("traceId") if isinstance(context, Mapping) else None
    found = line.data.get("traceId") or inner
    return found if isinstance(found, str) else ""


def _has_failed(line: TelemetryLine) -> bool:
    if line.type is LineType.SPAN:
        return bool(line.data.get("errorInfo"))
    return line.type is LineType.LOG and line.data.get("level") in _SERIOUS


def _ends_trace(line: TelemetryLine) -> bool:
    is_end = line.type is LineType.SPAN and line.event == "ended"
    return is_end and (line.data.get("isRootSpan") is True or not line.data.get("parentSpanId"))
