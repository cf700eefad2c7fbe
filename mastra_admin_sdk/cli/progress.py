"""Progress of a build: a live display on a terminal, lines elsewhere, nothing with ``--json``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.progress import ProgressPrinter
from mastra_admin_sdk.display.text import truncate
from mastra_admin_sdk.models import Build, BuildStatus

from .output import Output, wrap

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.spinner import Spinner

ShowBuild = Callable[[Build], None]

_TAIL_BYTES = 4096
_FRAMES_PER_SECOND = 8


@contextmanager
def show_progress(output: Output, title: str) -> Iterator[ShowBuild]:
    """Give what is to be called with a build's record as it changes; what it shows ends with the ``with`` block."""
    if output.json_mode:
        yield _ignore
    elif output.is_terminal:
        with _live_progress(title) as show:
            yield show
    else:
        yield ProgressPrinter(sys.stdout)


def summarize_phases(phases: Mapping[str, float]) -> str:
    """Return phases on one line: ``copy 0.1 s · install 20.1 s · …``."""
    return " · ".join(f"{name} {seconds:.1f} s" for name, seconds in phases.items())


def tell_live(output: Output, text: str, build: Build) -> None:
    """Write that a build is live, and how long its phases took, unless that was printed line by line."""
    output.done(text)
    if output.is_terminal:
        output.lines(wrap(summarize_phases(build.phases), output.width, indent="  "))


def read_last_line(path: str | None) -> str:
    """Return the text of the last complete line of a numbered-line file; empty while there is none."""
    try:
        with open(path or os.devnull, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            complete, _, _ = file.read().rpartition(b"\n")
    except OSError:
        return ""
    return complete.rpartition(b"\n")[2].decode("utf-8", errors="replace").split("\t", 3)[-1]


class LivePanel:
    """What a terminal shows while a build runs: its phase, the seconds of those before, the log's last line."""

    def __init__(self, title: str, spinner: Spinner) -> None:
        self._title, self._spinner = title, spinner
        self._build: Build | None = None
        self._stage, self._since = "", time.monotonic()

    def show(self, build: Build) -> None:
        """Take in what a build's record says now."""
        self._build = build
        if describe_stage(build) != self._stage:
            self._stage, self._since = describe_stage(build), time.monotonic()

    def list_lines(self, width: int) -> list[str]:
        """Return the lines below the spinner."""
        if self._build is None:
            return []
        done = {name: seconds for name, seconds in self._build.phases.items() if name != self._stage}
        texts = [summarize_phases(done), _without_colours(read_last_line(self._build.log_path))]
        return [f"  {truncate(text, width - 2)}" for text in texts if text]

    def __rich_console__(self, console: Console, options: Any) -> Iterator[RenderableType]:
        """Render for rich, several times a second."""
        from rich.text import Text

        stage = f"{describe_stage(self._build)} {time.monotonic() - self._since:.0f} s"
        self._spinner.update(text=Text(truncate(f"{self._title}: {stage}", console.width - 4)))
        yield self._spinner
        for line in self.list_lines(console.width):
            yield Text(line, style="dim")


def describe_stage(build: Build | None) -> str:
    """Return in a word or two what a build is at."""
    if build is None or build.status is BuildStatus.QUEUED:
        return "waiting in the queue"
    return next(reversed([*build.phases]), "starting") if not build.is_final else build.status.value


@contextmanager
def _live_progress(title: str) -> Iterator[ShowBuild]:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    console = Console(highlight=False)
    panel = LivePanel(title, Spinner("dots" if not console.options.ascii_only else "line"))
    with Live(panel, console=console, refresh_per_second=_FRAMES_PER_SECOND, transient=True):
        yield panel.show


def _without_colours(text: str) -> str:
    import click

    return click.unstyle(text)


def _ignore(_: Build) -> None:
    """With ``--json`` nobody looks at progress."""
