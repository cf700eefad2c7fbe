"""Whether the writer of a telemetry file is still there."""

from __future__ import annotations

import time

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.ports.storage import ProcessRepository

from .files import TelemetryFile
from .linefile import is_being_written

_ASK_SECONDS = 1.0
_REMEMBERED = 10_000


class WriterWatch:
    """Knows from the records which servers have ended; asks about each at most once a second."""

    def __init__(self, processes: ProcessRepository) -> None:
        self._processes = processes
        self._answers: dict[str, tuple[float, bool | None]] = {}

    def has_ended(self, file: TelemetryFile, *, if_unknown: bool) -> bool:
        """True when the server that wrote a file, ``…/<process>/<stream>/<file>``, has ended.

        Where no server is on record, one of Python's writers may have the file: its lock tells whether it lives.
        """
        alive = self._is_alive(file.path.parts[-3])
        if alive is None:
            return if_unknown and not is_being_written(file.path)
        return not alive

    def has_gone(self, process_id: str) -> bool:
        """True when there is no such server on record, or it has ended."""
        return not self._is_alive(process_id)

    def forget(self) -> None:
        """Ask anew about each."""
        self._answers.clear()

    def _is_alive(self, process_id: str) -> bool | None:
        asked, alive = self._answers.get(process_id, (float("-inf"), None))
        if time.monotonic() - asked >= _ASK_SECONDS:
            alive = self._ask(process_id)
            if len(self._answers) >= _REMEMBERED:
                self.forget()
            self._answers[process_id] = (time.monotonic(), alive)
        return alive

    def _ask(self, process_id: str) -> bool | None:
        try:
            return self._processes.get(process_id).status.is_alive
        except NotFound:
            return None
