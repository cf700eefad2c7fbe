"""Numbered-line log files: one writer, any number of readers in any process.

A line is ``<number> TAB <UTC time> TAB <stream> TAB <text>``. Numbers start at 1 and never repeat, also over a
rotation (``x.log`` becomes ``x.log.1``), so a reader that lost its connection goes on at the line after its last one.
Text is redacted and cleaned of control characters before it is written; colours (ANSI SGR) stay.

Numbers ascend through the file and stand at the beginning of each line: a log is its own index. `LogFile` finds any
line of it in a few reads, however long it is.
"""

from __future__ import annotations

from .access import LogFile, LogPage, Matches
from .reading import LogReader, follow_lines, read_lines
from .rows import MAX_LINE, Row, clean_text
from .searching import Query
from .writing import LineLog

__all__ = [
    "MAX_LINE",
    "LineLog",
    "LogFile",
    "LogPage",
    "LogReader",
    "Matches",
    "Query",
    "Row",
    "clean_text",
    "follow_lines",
    "read_lines",
]
