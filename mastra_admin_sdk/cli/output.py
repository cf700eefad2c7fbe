"""Where a command's words go: text for people, or exactly one JSON value for programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import click

from mastra_admin_sdk.display.tables import get_tone
from mastra_admin_sdk.display.text import measure, printable, truncate

from .failures import Failure, list_failure_lines

_PLAIN = str.maketrans(
    {"…": "...", "—": "-", "→": "->", "·": "-", "✓": "+", "✗": "x", "─": "-", "│": "|", "├": "|", "└": "`", "█": "#"}
)
_COLOURS = {"good": "green", "bad": "red", "busy": "yellow"}
_WIDEST = 120
# A command is one word; where the program isn't on PATH, it begins with a Python.
_WORD = re.compile(r"\S*?`[^`]+`\S*|(?:\S*mastra-admin|\S+ -m mastra_admin_sdk\.cli)\s[^,\n]+,?|\S+")


class Output:
    """Writes results to stdout and remarks to stderr.

    Parameters:
        json_mode: text is not shown; the result is one JSON value.
    """

    def __init__(self, json_mode: bool = False) -> None:
        self.json_mode = json_mode

    @property
    def is_terminal(self) -> bool:
        """True when a person looks at stdout as it comes."""
        return not self.json_mode and sys.stdout.isatty()

    @property
    def width(self) -> int:
        """Columns to fill: those of the terminal, else of ``COLUMNS``, else 80."""
        return min(shutil.get_terminal_size((80, 24)).columns or 80, _WIDEST)

    def line(self, text: str = "") -> None:
        """Write a line for people; nothing with ``--json``."""
        if not self.json_mode:
            click.echo(encodable(text, sys.stdout))

    def lines(self, texts: Iterable[str]) -> None:
        """Write lines for people."""
        for text in texts:
            self.line(text)

    def done(self, text: str) -> None:
        """Write that something has been done."""
        self.line(f"{paint('✓', 'good')} {text}")

    def note(self, text: str) -> None:
        """Write a remark to stderr, also with ``--json``."""
        click.echo(encodable(text, sys.stderr), err=True)

    def result(self, value: Any) -> None:
        """Write the JSON value that is the command's result; nothing without ``--json``."""
        if self.json_mode:
            click.echo(dump_json(value))

    def stream_result(self, values: Iterable[Any]) -> None:
        """Write a JSON array as its elements come, one a line; it is closed also when the source is interrupted."""
        click.echo("[", nl=False)
        first = True
        try:
            for value in values:
                click.echo(("\n" if first else ",\n") + dump_json(value, indent=None), nl=False)
                first = False
                sys.stdout.flush()
        finally:
            click.echo("\n]")

    def failure(self, failure: Failure) -> None:
        """Write an error: JSON on stdout with ``--json``, else text on stderr."""
        if failure.trace:
            click.echo(encodable(failure.trace, sys.stderr), err=True)
        if self.json_mode:
            click.echo(dump_json(failure.to_json()))
            return
        if failure.help:
            self.note(failure.help)
            return
        title = "" if failure.code == "interrupted" else f"{paint('Error:', 'bad')} "
        for line in failure.message.splitlines():
            self.note("\n".join(wrap(title + line, self.width)))
            title = ""
        for line in list_failure_lines(failure, self.width - 2):
            self.note(f"  {printable(line) if line.isprintable() else line}")
        title = f"{paint('Next:', 'busy')} "
        for line in failure.hint.splitlines():
            self.note("\n".join(wrap(title + line, self.width)))
            title = ""


def paint(text: str, tone: str) -> str:
    """Return a text in the colour of a tone; colours are taken out again where no terminal shows them."""
    return click.style(text, fg=_COLOURS[tone]) if tone in _COLOURS else text


def paint_state(text: str) -> str:
    """Return a state such as ``running`` in its colour; what follows the first word doesn't matter."""
    return paint(text, get_tone(text.partition(" ")[0]))


def dump_json(value: Any, *, indent: int | None = 2) -> str:
    """Return JSON that this terminal can show; times are ISO text, what isn't a number is null."""
    ascii_only = not _is_unicode(sys.stdout)
    return json.dumps(value, indent=indent, ensure_ascii=ascii_only, default=_to_json)


def encodable(text: str, stream: TextIO) -> str:
    """Return a text with look-alikes for what a stream can't show (``…`` becomes ``...``)."""
    if _is_unicode(stream):
        return text
    encoding = getattr(stream, "encoding", None) or "ascii"
    return text.translate(_PLAIN).encode(encoding, errors="replace").decode(encoding)


def wrap(text: str, width: int, indent: str = "") -> Iterator[str]:
    """Yield a text's words in lines of a width; what is to be copied, an address or a command, is never cut."""
    line = ""
    for word in _WORD.findall(text):
        if line and measure(click.unstyle(f"{indent}{line} {word}")) > width:
            yield indent + line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield indent + line


def shorten_path(path: str, width: int) -> str:
    """Return a path with ``~`` for the user's folder, cut at its start where it is too wide."""
    home = os.path.expanduser("~")
    short = f"~{path[len(home) :]}" if path == home or path.startswith(home + "/") else path
    return short if measure(short) <= width else truncate(short[::-1], width)[::-1]


def _is_unicode(stream: Any) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "").replace("_", "").startswith("utf")


def _to_json(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):  # a number of NumPy
        return value.item()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)
