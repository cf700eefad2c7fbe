"""What a viewer of a build log is sent: events that a websocket carries, and any other transport could."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mastra_admin_sdk import LiveBuild
from mastra_admin_sdk.models import Build, LogLine

from .shapes import shape_build

Event = Mapping[str, Any]
"""``{"type": "log" | "build" | "ping" | "end", …}``."""

_MOST_LINES = 500
_MOST_CHARACTERS = 128 * 1024


def stream_build(
    build: LiveBuild, after: int, *, ping_seconds: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[Event | None]:
    """Yield the events of a build until its log has ended, and ``None`` whenever there is nothing to send.

    ``build`` comes first and on each change of the record, ``log`` with lines in batches, ``ping`` after
    ``ping_seconds`` of silence, ``end`` last with the final record. Stop asking to end it early.
    """
    shown = build.record
    yield _build_event(shown)
    sent_at = clock()
    batch = _Batch()
    for line in build.poll_log(after):
        if line is not None:
            batch.add(line)
        if batch.is_full or (line is None and batch.lines):
            yield batch.take()
            sent_at = clock()
        if line is not None:
            continue
        if _differs(shown, build.record):
            shown = build.record
            yield _build_event(shown)
            sent_at = clock()
        elif clock() - sent_at >= ping_seconds:
            yield {"type": "ping"}
            sent_at = clock()
        else:
            yield None
    if batch.lines:
        yield batch.take()
    yield {"type": "end", "build": shape_build(build.refresh().record)}


class _Batch:
    """Lines that go out in one message."""

    def __init__(self) -> None:
        self.lines: list[list[Any]] = []
        self._characters = 0

    @property
    def is_full(self) -> bool:
        return len(self.lines) >= _MOST_LINES or self._characters >= _MOST_CHARACTERS

    def add(self, line: LogLine) -> None:
        self.lines.append([line.number, line.time.isoformat(timespec="milliseconds"), line.stream, line.text])
        self._characters += len(line.text)

    def take(self) -> Event:
        event = {"type": "log", "lines": self.lines}
        self.lines, self._characters = [], 0
        return event


def _differs(one: Build, other: Build) -> bool:
    def key(build: Build) -> tuple[object, ...]:
        return build.status, dict(build.phases), build.cancel_requested, build.error_message, build.started_at

    return key(one) != key(other)


def _build_event(build: Build) -> Event:
    return {"type": "build", "build": shape_build(build)}
