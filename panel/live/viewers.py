"""Who looks on: how far they are, and where their messages go."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from mastra_admin_sdk.linelog import LogReader

from .messages import LogMessage, Message
from .sinks import Sink

_SLICE = 128 * 1024


@dataclass(slots=True)
class Chapter:
    """One log of a source: a build has one, a deployment one after the other.

    ``record`` is the event of the record behind it and ``version`` counts its changes; ``last`` is the number of the
    last line that was told; viewers who come over from the chapter before begin after ``begin``. ``next`` is the
    chapter that followed.
    """

    place: str
    path: Path | None
    record: Message
    version: int = 1
    begin: int = 0
    last: int = 0
    next: Chapter | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Where a viewer wants to begin.

    Parameters:
        after: the number of the last line that it knows.
        tail: begin that many lines before the end, if ``after`` isn't given.
        place: the log that ``after`` counts in; the present one unless given.
    """

    after: int | None = None
    tail: int | None = None
    place: str | None = None


@dataclass(slots=True, eq=False)
class Viewer:
    """One connection.

    ``done`` is set when it has been told everything, has been refused, or has gone; ``left`` when the feed's thread
    knows it no more. ``is_going_away`` says that the panel ends, not the log.
    """

    sink: Sink
    start: Start
    chapter: Chapter | None = None
    number: int = 0
    version: int = 0
    told_at: float = 0.0
    is_finished: bool = False
    is_going_away: bool = False
    is_watched: bool = False
    is_queued: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    _reader: LogReader | None = None

    def settle(self, chapter: Chapter, after: int) -> None:
        """Begin in a chapter after a line."""
        self.close()
        self.chapter, self.number, self.version = chapter, after, 0

    def read_slice(self) -> LogMessage | None:
        """Return the next lines of the chapter from the file, up to the last that was told; ``None``: none are left.

        Lines that are gone (rotated away, removed with their log) are passed over.
        """
        chapter = self.chapter
        if chapter is None or chapter.path is None or self.number >= chapter.last:
            return None
        if self._reader is None:
            self._reader = LogReader(chapter.path, self.number)
        rows = self._reader.read(_SLICE)
        known = [row for row in rows if row[0] <= chapter.last]
        before = self.number
        self.number = known[-1][0] if known and len(known) == len(rows) else chapter.last
        if self.number >= chapter.last:
            self.close()
        return LogMessage(chapter.place, before, known) if known else None

    def close(self) -> None:
        """Close what it read from. Can be repeated."""
        if self._reader:
            self._reader.close()
            self._reader = None
