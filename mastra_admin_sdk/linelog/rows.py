"""One line of a log: its text, cleaned, and its parts, as read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from mastra_admin_sdk.models import LogLine

MAX_LINE = 16 * 1024
"""Longer lines are cut there, and say so."""

Row = tuple[int, str, str, str]
"""A line as it stands in the file: number, time in ISO format, stream, text."""

_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[A-HJKSTfhlsu]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)


def clean_text(text: str) -> str:
    """Return text without cursor movements and control characters, cut at `MAX_LINE`; what follows a CR wins."""
    text = text.rstrip("\r\n")
    if "\r" in text:
        text = text.rsplit("\r", 1)[-1]
    text = _CONTROL.sub("", text.replace("\t", "    "))
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]} … [{len(text) - MAX_LINE} characters cut]"


def parse_rows(chunk: bytes, after: int = 0) -> Iterator[Row]:
    """Yield the rows of whole lines whose number is above ``after`` and above that of all before it."""
    for raw in chunk.split(b"\n")[:-1]:
        row = parse_row(raw)
        if row and row[0] > after:
            after = row[0]
            yield row


def parse_row(raw: bytes) -> Row | None:
    """Return the parts of a line; ``None`` when it isn't one of ours.

    Such a line (a torn write after a power cut) is passed over: readers show what can be read.
    """
    parts = raw.decode("utf-8", errors="replace").split("\t", 3)
    try:
        number, moment, stream, text = parts
        datetime.fromisoformat(moment)
        return int(number), moment, stream, text
    except ValueError:
        return None


def make_line(row: Row) -> LogLine:
    """Return a row as the rest of the product knows it."""
    number, moment, stream, text = row
    return LogLine(number, datetime.fromisoformat(moment), stream, text)
