"""Whether servers answer: asked just now, or as the supervisor saw a moment ago."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import Process, ServerUsage, utc_now

from .deployments.servers import identify
from .parts import Parts

_THREADS = 16
"""So many are asked at once: each that hangs takes a few seconds to be found out, and computing is shared anyway."""

_MEASURED = ("memory_bytes", "open_files", "processes", "threads", "cpu_seconds")


@dataclass(frozen=True, slots=True)
class ServerView:
    """One server of a deployment: whether it answered when it was asked, and what it held then (``None``: not known).

    ``seen_at`` is when that was.
    """

    process: Process
    answers: bool
    usage: ServerUsage | None
    seen_at: datetime


def observe(parts: Parts, processes: Sequence[Process], *, seen_within: float | None = None) -> dict[str, ServerView]:
    """Return how servers are, by their ids.

    Parameters:
        processes: which ones.
        seen_within: seconds within which what is on record of a health check counts; those that were not looked at so
            lately are asked for their health alone. Without it all are asked, and measured.
    """
    seen = {} if seen_within is None else _read_records(parts, processes, seen_within)
    rest = [process for process in processes if process.id not in seen]
    if not rest:
        return seen
    with ThreadPoolExecutor(min(_THREADS, len(rest)), "mastra-admin-look") as pool:
        asked = pool.map(lambda process: _ask(parts, process, measured=seen_within is None), rest)
        return {**seen, **{view.process.id: view for view in asked}}


def _ask(parts: Parts, process: Process, *, measured: bool) -> ServerView:
    identity = identify(process)
    answers = parts.runner.is_healthy(identity)
    if not measured:
        return ServerView(process, answers, read_usage(process), utc_now())
    # What the server says of its tracing now; what it said at its start is on record.
    traced = parts.runner.read_trace_status(identity) or process.trace_status
    usage = parts.runner.measure(identity)
    return ServerView(replace(process, trace_status=dict(traced)), answers, usage, utc_now())


def _read_records(parts: Parts, processes: Sequence[Process], seconds: float) -> dict[str, ServerView]:
    now, found = utc_now(), {}
    for process in processes:
        healthy, at = process.stats.get("healthy"), read_moment(process.stats.get("last_health_at"))
        if isinstance(healthy, bool) and at is not None and (now - at).total_seconds() <= seconds:
            # That it ended meanwhile is seen by a look at the kernel, which costs next to nothing.
            is_there = parts.runner.is_running(identify(process))
            found[process.id] = ServerView(process, healthy and is_there, read_usage(process), at if is_there else now)
    return found


def read_usage(process: Process) -> ServerUsage | None:
    """Return what a server held when the supervisor measured it last; ``None`` before that."""
    stats: Mapping[str, Any] = process.stats
    if any(not isinstance(stats.get(name), int | float) for name in _MEASURED):
        return None
    return ServerUsage(**{name: stats[name] for name in _MEASURED})


def read_moment(text: object) -> datetime | None:
    """Return a moment of a record; ``None`` for what is none."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
