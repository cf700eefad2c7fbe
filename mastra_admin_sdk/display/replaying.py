"""Progress of a replay as plain lines, for terminals and notebooks."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

_SECONDS = 2.0


class ReplayPrinter:
    """Prints how many inputs were answered, every few seconds and at the end.

    Called with anything that has ``done`` and ``total``.
    """

    def __init__(self, out: TextIO) -> None:
        self._out, self._told, self._last = out, 0.0, -1

    @classmethod
    def for_this_output(cls) -> ReplayPrinter | None:
        """Return one for a terminal or notebook, ``None`` where nobody looks (a pipe, a file)."""
        inside_notebook = "ipykernel" in sys.modules and not sys.stdout.isatty()
        return cls(sys.stdout) if inside_notebook or sys.stdout.isatty() else None

    def __call__(self, progress: Any) -> None:
        """Print how far it is, unless that was told just now."""
        now = time.monotonic()
        is_end = progress.done == progress.total
        if progress.done != self._last and (is_end or now - self._told >= _SECONDS):
            self._told, self._last = now, progress.done
            print(f"{progress.done:,} of {progress.total:,} answered", file=self._out, flush=True)
