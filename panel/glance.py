"""The state of everything as one JSON document, looked at once for all who ask within a moment."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk import MastraAdmin

from .api.schemas.overview import Overview

_FRESH_SECONDS = 1.0
_SHARE = 10.0
"""A look that takes long counts for so many times of that: a tenth of the time at most is spent looking."""
_LONGEST_SECONDS = 15.0
_SEEN_SECONDS = 90.0
"""A supervisor notes what hasn't changed once a minute."""
_RECENT_BUILDS = 20
_UNTAGGED = frozenset({"lag", "ingestion", "engine", "looked_at", "seen_at"})


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, as a model and as JSON, and a tag that changes when it does."""

    overview: Overview
    document: dict[str, Any]
    etag: str


class Glance:
    """Looks at everything, at most once a second, and less often where a look takes long.

    Where a supervisor is at work its health checks count, so that nothing is asked twice; else a look asks every server
    whether it answers. Whoever comes while somebody else looks gets what was seen before.
    """

    def __init__(self, admin: MastraAdmin, fresh_seconds: float = _FRESH_SECONDS) -> None:
        self._admin, self._fresh_seconds = admin, fresh_seconds
        self._looking = threading.Lock()
        self._last: Look | None = None
        self._fresh_until = 0.0

    def look(self) -> Look:
        """Return the state; a moment old at most."""
        last = self._last
        if last is not None and (self._is_fresh() or not self._looking.acquire(blocking=False)):
            return last
        if last is None:
            self._looking.acquire()
        try:
            return self._last if self._last is not None and self._is_fresh() else self._renew()
        finally:
            self._looking.release()

    def _is_fresh(self) -> bool:
        return time.monotonic() < self._fresh_until

    def _renew(self) -> Look:
        begun = time.monotonic()
        self._last = look = self._take()
        now = time.monotonic()
        self._fresh_until = now + min(self._fresh_seconds * max(1.0, _SHARE * (now - begun)), _LONGEST_SECONDS)
        return look

    def _take(self) -> Look:
        admin = self._admin
        seen = admin.overview(seen_within=_SEEN_SECONDS)
        overview = Overview.of(seen, admin.teams.list(), admin.projects.list(), admin.builds.list(limit=_RECENT_BUILDS))
        document = overview.to_json()
        tagged = {key: value for key, value in document.items() if key not in _UNTAGGED}
        text = json.dumps(tagged, sort_keys=True, default=str)
        return Look(overview, document, hashlib.sha256(text.encode()).hexdigest()[:20])
