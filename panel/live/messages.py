"""Events as they go over the wire: each is encoded once for all that get it."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from mastra_admin_sdk.linelog import Row

Event = Mapping[str, Any]
"""``{"type": "log" | "build" | "server" | "ping" | "end" | "error", …}``."""

ENDED = "end"
"""What the mark of the last event ends in: who comes again with it has seen all."""


class Message:
    """One event.

    Parameters:
        event: what is said.
        mark: where to go on after it (the ``id`` of a server-sent event); empty when it isn't a place in the log.
    """

    def __init__(self, event: Event, mark: str = "") -> None:
        self.kind = str(event["type"])
        self.text = json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str)
        self._mark = mark

    @cached_property
    def websocket(self) -> bytes:
        """The event as a websocket frame of text."""
        return frame_text(self.text.encode("utf-8", errors="replace"))

    @cached_property
    def sse(self) -> bytes:
        """The event as a server-sent event."""
        mark = f"id: {self._mark}\n" if self._mark else ""
        return f"{mark}event: {self.kind}\ndata: {self.text}\n\n".encode(errors="replace")


class LogMessage(Message):
    """Lines of a log. ``before`` is the number of the line that precedes them."""

    def __init__(self, place: str, before: int, rows: Sequence[Row]) -> None:
        self.before, self.last = before, rows[-1][0]
        super().__init__({"type": "log", "lines": rows}, make_mark(place, self.last))


PING = Message({"type": "ping"})


def make_mark(place: str, number: int) -> str:
    """Return what names a line of a log: ``<number>`` in a build's, ``<process>:<number>`` in that of a server."""
    return f"{place}:{number}" if place else str(number)


def frame_text(payload: bytes) -> bytes:
    """Return a whole, unmasked, uncompressed websocket frame of text, as servers send it (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x81, size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x81, 126, size)
    else:
        head = struct.pack("!BBQ", 0x81, 127, size)
    return head + payload
