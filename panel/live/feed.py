"""One followed log: a thread that reads it once and sends what comes to all who look on.

Lines are read every 20 ms, encoded once, and given to each viewer without waiting: what a connection has no room for is
sent when it has. A viewer that fell behind is caught up with the messages that are kept, and from the file when it is
further behind than these reach, in slices between which the others get theirs.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress

from mastra_admin_sdk.errors import MastraAdminError, NotFound
from mastra_admin_sdk.linelog import LogFile, LogReader

from ..problems import describe_problem
from .messages import ENDED, PING, LogMessage, Message, make_mark
from .sources import Look, Source
from .viewers import Chapter, Viewer

logger = logging.getLogger(__name__)

_TICK = 0.02
_IDLE_TICK = 0.05
_IDLE_AFTER = 5.0
_LOOK_EVERY = 0.2
_MOST_KEPT = 2 * 1024 * 1024
_CATCHING_UP = 0.01
_MOST_NEW = 10_000


class Feed:
    """Follows a source for all its viewers.

    Parameters:
        source: what is followed.
        ping_seconds: after how much silence a viewer gets a ping.
        stopping: set when the panel ends: all viewers are let go.
    """

    def __init__(self, source: Source, *, ping_seconds: float, stopping: threading.Event) -> None:
        self.users = 0
        self._source, self._ping_seconds, self._stopping = source, ping_seconds, stopping
        self._commands: deque[Callable[[], None]] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._viewers: dict[Viewer, None] = {}
        self._behind: deque[Viewer] = deque()
        self._kept: OrderedDict[int, LogMessage] = OrderedDict()
        self._kept_bytes = 0
        self._chapter: Chapter | None = None
        self._key: tuple[object, ...] = ()
        self._reader: LogReader | None = None
        self._end: Message | None = None
        self._is_final = False
        self._is_ending = False
        self._looked_at = self._moved_at = 0.0
        self._thread = threading.Thread(target=self._run, name=f"log-{source.name[:40]}", daemon=True)

    # --- for the threads of viewers -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, viewer: Viewer) -> None:
        """Take a viewer on."""
        self._tell(lambda: self._admit(viewer))

    def leave(self, viewer: Viewer) -> None:
        """Let a viewer go, and wait until its connection isn't touched any more."""
        self._tell(lambda: self._drop(viewer))
        while self._thread.is_alive() and not viewer.left.wait(0.5):
            continue

    def refuse(self, viewer: Viewer, error: MastraAdminError) -> None:
        """Send a viewer away with an error."""
        message = Message({"type": "error", "error": describe_problem(error)})
        self._tell(lambda: self._finish(viewer, message))

    def resume(self, viewer: Viewer) -> None:
        """Go on with a viewer whose connection has room again."""
        self._tell(lambda: self._serve(viewer))

    def end(self) -> None:
        """End the thread and wait for it: there are no viewers any more."""
        self._is_ending = True
        self._tell(lambda: None)
        self._thread.join()
        self._selector.close()
        os.close(self._bell)

    def _tell(self, command: Callable[[], None]) -> None:
        self._commands.append(command)
        with suppress(BlockingIOError):  # rung already
            os.eventfd_write(self._bell, 1)

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._is_ending:
                self._step()
        except Exception:
            # Viewers come again, and find a new feed.
            logger.exception("Following %s failed", self._source.name)
        finally:
            for viewer in list(self._viewers):
                self._drop(viewer)
            self._close_reader()
            self._is_ending = True
            while self._commands:
                self._commands.popleft()()

    @property
    def is_ending(self) -> bool:
        """True when it takes no viewers any more."""
        return self._is_ending

    def _step(self) -> None:
        self._wait()
        now = time.monotonic()
        if self._stopping.is_set():
            for viewer in list(self._viewers):
                viewer.is_going_away = True
                self._finish(viewer, None)
        if now - self._looked_at >= _LOOK_EVERY:
            self._look(now)
        self._read(now)
        while self._commands:
            self._commands.popleft()()
        self._catch_up()

    def _wait(self) -> None:
        for key, _ in self._selector.select(self._choose_pause()):
            if key.data is None:
                with suppress(BlockingIOError):
                    os.eventfd_read(self._bell)
            else:
                self._serve(key.data)

    def _choose_pause(self) -> float:
        if self._behind:
            return 0.0
        return _TICK if time.monotonic() - self._moved_at < _IDLE_AFTER else _IDLE_TICK

    # --- what comes in ------------------------------------------------------------------------------------------------

    def _look(self, now: float) -> None:
        self._looked_at = now
        self._ping(now)
        if self._is_final:
            return
        try:
            look = self._source.look()
        except NotFound as exc:
            self._end = Message({"type": "error", "error": describe_problem(exc)})
            self._is_final = True
            self._serve_all()
            return
        except MastraAdminError as exc:
            # A database that is busy or away for a moment; the log itself can still be read.
            logger.warning("The record of %s can't be read: %s", self._source.name, exc.message)
            return
        if self._chapter is None or look.place != self._chapter.place:
            self._turn_to(look)
        elif look.key != self._key:
            self._chapter.record, self._key = Message(look.record), look.key
            self._chapter.version += 1
            self._serve_all()
        if look.is_over:
            self._is_final = True
            self._read(now)
            mark = f"{make_mark(look.place, self._chapter.last if self._chapter else 0)}:{ENDED}"
            self._end = Message({**look.record, "type": "end"}, mark)
            self._serve_all()

    def _turn_to(self, look: Look) -> None:
        """Begin with a log: the first one from its end on, what is before that is read for each viewer."""
        former = self._chapter
        if former:
            self._read(time.monotonic())
        _, last = LogFile(look.path).find_ends()
        begin = max(0, last - _MOST_NEW)
        chapter = Chapter(look.place, look.path, Message(look.record), begin=begin, last=last)
        self._close_reader()
        self._reader = LogReader(look.path, last) if look.path else None
        self._kept.clear()
        self._kept_bytes = 0
        self._chapter, self._key = chapter, look.key
        if former:
            former.next = chapter
        self._serve_all()

    def _read(self, now: float) -> None:
        """Read and send what has been written."""
        chapter = self._chapter
        while self._reader and chapter and (rows := self._reader.read()):
            message = LogMessage(chapter.place, chapter.last, rows)
            chapter.last = message.last
            self._keep(message)
            self._moved_at = now
            self._serve_all()
        if self._end:
            self._close_reader()

    def _keep(self, message: LogMessage) -> None:
        self._kept[message.before] = message
        self._kept_bytes += len(message.text)
        while self._kept_bytes > _MOST_KEPT and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= len(oldest.text)

    def _close_reader(self) -> None:
        if self._reader:
            self._reader.close()
            self._reader = None

    # --- what goes out ------------------------------------------------------------------------------------------------

    def _admit(self, viewer: Viewer) -> None:
        self._viewers[viewer] = None
        viewer.told_at = time.monotonic()
        if self._chapter:
            self._place(viewer, self._chapter)
        self._serve(viewer)

    def _place(self, viewer: Viewer, current: Chapter) -> None:
        start = viewer.start
        if start.place and start.place != current.place:
            if earlier := self._source.find(start.place):
                _, last = LogFile(earlier.path).find_ends()
                chapter = Chapter(earlier.place, earlier.path, Message(earlier.record), last=last, next=current)
                viewer.settle(chapter, start.after or 0)
                return
            viewer.settle(current, current.begin)
        elif start.after is None and start.tail is not None:
            viewer.settle(current, max(0, current.last - start.tail))
        else:
            viewer.settle(current, start.after or 0)

    def _serve_all(self) -> None:
        for viewer in list(self._viewers):
            self._serve(viewer)

    def _serve(self, viewer: Viewer) -> None:
        """Give a viewer what is ready for it, as far as its connection takes it."""
        if viewer not in self._viewers:
            return
        try:
            viewer.sink.flush() if viewer.sink.is_full else None
            while not viewer.sink.is_full and not viewer.is_finished and (message := self._find_next(viewer)):
                self._send(viewer, message)
            self._settle_after(viewer)
        except OSError:
            logger.debug("A viewer of %s has gone", self._source.name)
            self._drop(viewer)

    def _send(self, viewer: Viewer, message: Message) -> None:
        viewer.sink.send(message)
        viewer.told_at = time.monotonic()
        viewer.is_finished = message is self._end

    def _settle_after(self, viewer: Viewer) -> None:
        self._watch(viewer, viewer.sink.is_full)
        if viewer.sink.is_full:
            return
        if viewer.is_finished:
            viewer.done.set()
        elif not viewer.is_queued and self._is_behind(viewer):
            viewer.is_queued = True
            self._behind.append(viewer)

    def _is_behind(self, viewer: Viewer) -> bool:
        return viewer.chapter is not None and viewer.number < viewer.chapter.last

    def _find_next(self, viewer: Viewer) -> Message | None:
        """Return what is ready for a viewer; ``None`` when there is nothing, or it has to be read from the file."""
        if viewer.chapter is None:
            if self._chapter is None:
                return self._end
            self._place(viewer, self._chapter)
        chapter = viewer.chapter
        assert chapter is not None
        if viewer.version != chapter.version:
            viewer.version = chapter.version
            return chapter.record
        if viewer.number < chapter.last:
            kept = self._kept.get(viewer.number) if chapter is self._chapter else None
            if kept:
                viewer.number = kept.last
                viewer.close()
            return kept
        if chapter.next:
            viewer.settle(chapter.next, chapter.next.begin)
            return self._find_next(viewer)
        return self._end

    def _catch_up(self) -> None:
        """Read slices of the file for those who are behind, one each in turn, for a moment only."""
        until = time.monotonic() + _CATCHING_UP
        while self._behind and time.monotonic() < until:
            viewer = self._behind.popleft()
            viewer.is_queued = False
            if viewer not in self._viewers or viewer.is_finished or viewer.sink.is_full:
                continue
            try:
                if message := viewer.read_slice():
                    self._send(viewer, message)
            except OSError:
                logger.debug("A viewer of %s has gone", self._source.name)
                self._drop(viewer)
                continue
            self._serve(viewer)

    def _ping(self, now: float) -> None:
        for viewer in list(self._viewers):
            if viewer.sink.is_full or now - viewer.told_at >= self._ping_seconds:
                self._ping_one(viewer)

    def _ping_one(self, viewer: Viewer) -> None:
        try:
            if viewer.sink.is_full:
                # simple-websocket's thread may have filled it.
                self._serve(viewer)
            elif not viewer.is_finished:
                self._send(viewer, PING)
        except OSError:
            self._drop(viewer)

    def _finish(self, viewer: Viewer, message: Message | None) -> None:
        if viewer in self._viewers and not viewer.is_finished:
            viewer.is_finished = True
            with suppress(OSError):
                if message and not viewer.sink.is_full:
                    viewer.sink.send(message)
        viewer.done.set()

    def _watch(self, viewer: Viewer, wanted: bool) -> None:
        """Have the selector tell when a viewer's connection has room, or no more."""
        descriptor = viewer.sink.fileno()
        if descriptor is None or viewer.is_watched == wanted:
            return
        viewer.is_watched = wanted
        if wanted:
            self._selector.register(descriptor, selectors.EVENT_WRITE, viewer)
        else:
            self._selector.unregister(descriptor)

    def _drop(self, viewer: Viewer) -> None:
        if viewer in self._viewers:
            del self._viewers[viewer]
            self._watch(viewer, False)
            viewer.close()
        viewer.done.set()
        viewer.left.set()
