"""What the views of one app share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from flask import current_app

from mastra_admin_sdk import MastraAdmin

from .activity import ActivityBoard
from .glance import Glance
from .limits import AttemptLimit, ByteBudget, RateLimit
from .options import PanelOptions
from .pace import Pacer
from .requests import RequestCounter

EXTENSION = "mastra_admin_panel"
MOST_VIEWERS = 200
"""Websockets at once. Each takes a thread of the server, and pages need some too."""
MOST_DELIVERIES = 30
"""Deliveries of a project's webhook in a minute."""
MOST_COLLECTED = 4
"""Requests with telemetry that are worked on at once."""

MOST_BODY_BYTES = 256 * 1024 * 1024
"""Bytes of bodies that all requests hold together."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: the SDK, the options, and what ends or bounds its streams.

    ``stopping`` is set when the server shuts down: streams end then. ``scraping`` is held by who collects all figures.
    """

    admin: MastraAdmin
    options: PanelOptions
    glance: Glance
    activity: ActivityBoard
    requests: RequestCounter = field(default_factory=RequestCounter)
    scraping: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)
    bodies: ByteBudget = field(default_factory=lambda: ByteBudget(MOST_BODY_BYTES))
    pacer: Pacer = field(default_factory=Pacer)
    attempts: AttemptLimit = field(default_factory=AttemptLimit)
    deliveries: RateLimit = field(default_factory=lambda: RateLimit(MOST_DELIVERIES, 60.0))
    viewers: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_VIEWERS))
    collecting: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_COLLECTED))


def current_panel() -> Panel:
    """Return the panel of the request that is handled."""
    panel: Panel = current_app.extensions[EXTENSION]
    return panel
