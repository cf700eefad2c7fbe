"""All followed logs of a panel."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app

from ..context import Panel
from .feed import Feed
from .sources import Source
from .viewers import Viewer

EXTENSION = "mastra_admin_logs"


class Hub:
    """Holds a feed for each log that is followed: it starts with the first viewer, and ends with the last.

    Parameters:
        ping_seconds: after how much silence a viewer gets a ping.
        stopping: set when the panel ends.
    """

    def __init__(self, *, ping_seconds: float, stopping: threading.Event) -> None:
        self._ping_seconds, self._stopping = ping_seconds, stopping
        self._feeds: dict[str, Feed] = {}
        self._lock = threading.Lock()

    @contextmanager
    def follow(self, source: Source, viewer: Viewer) -> Iterator[Feed]:
        """Have a viewer served within the block, until its ``done`` is set."""
        feed = self._enter(source)
        try:
            feed.join(viewer)
            yield feed
        finally:
            feed.leave(viewer)
            self._leave(source, feed)

    def count(self) -> int:
        """Return how many logs are followed."""
        return len(self._feeds)

    def _enter(self, source: Source) -> Feed:
        with self._lock:
            feed = self._feeds.get(source.name)
            if feed is None or feed.is_ending:
                feed = Feed(source, ping_seconds=self._ping_seconds, stopping=self._stopping)
                self._feeds[source.name] = feed
                feed.start()
            feed.users += 1
            return feed

    def _leave(self, source: Source, feed: Feed) -> None:
        with self._lock:
            feed.users -= 1
            if feed.users:
                return
            if self._feeds.get(source.name) is feed:
                del self._feeds[source.name]
        feed.end()


def make_hub(panel: Panel) -> Hub:
    """Return the hub of a panel."""
    return Hub(ping_seconds=panel.options.ping_seconds, stopping=panel.stopping)


def current_hub() -> Hub:
    """Return the hub of the app that answers the request."""
    hub: Hub = current_app.extensions[EXTENSION]
    return hub
