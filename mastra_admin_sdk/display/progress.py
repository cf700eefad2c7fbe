"""Progress of a build as plain lines, for terminals and notebooks without widgets."""

from __future__ import annotations

import sys
from typing import Any, TextIO


def say_detached(number: int) -> None:
    """Say what becomes of a build whose waiter was interrupted."""
    print(  # noqa: T201
        f"Build #{number} isn't waited for any more. It stays queued: .wait() goes on with it, .cancel() drops it.",
        flush=True,
    )


class ProgressPrinter:
    """Prints a line when a build changes its status or enters another phase.

    Called with anything that has ``number``, ``status`` and ``phases``.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._phases: dict[str, float] = {}
        self._status = ""

    @classmethod
    def for_this_output(cls) -> ProgressPrinter | None:
        """Return one for a terminal or notebook, ``None`` where nobody looks (a pipe, a file)."""
        inside_notebook = "ipykernel" in sys.modules and not sys.stdout.isatty()
        return cls(sys.stdout) if inside_notebook or sys.stdout.isatty() else None

    def __call__(self, build: Any) -> None:
        """Print what is new in a build's record."""
        for line in self._list_news(build):
            print(line, file=self._out, flush=True)

    def _list_news(self, build: Any) -> list[str]:
        news = []
        known = list(build.phases)
        final = build.status in {"succeeded", "failed", "cancelled", "superseded"}
        if not self._status and build.status == "queued":
            news.append(f"Build #{build.number} is queued")
        for place, phase in enumerate(known):
            ended = place < len(known) - 1 or final
            if ended and phase not in self._phases:
                self._phases[phase] = build.phases[phase]
                news.append(f"  {phase:<8} {build.phases[phase]:6.1f} s")
        if final:
            news.append(f"Build #{build.number} {build.status} after {sum(build.phases.values()):.1f} s")
        self._status = str(build.status)
        return news
