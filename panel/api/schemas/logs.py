"""Lines of logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, WithJsonSchema

from mastra_admin_sdk import linelog, models

from .base import LARGEST, Answer, Count, Query, Reference

Line = Annotated[
    tuple[int, str, str, str],
    # Said as one kind of item, which every tool that reads such documents understands.
    WithJsonSchema({"type": "array", "items": {"type": ["integer", "string"]}, "minItems": 4, "maxItems": 4}),
]
"""Number, UTC time in ISO format, stream (``out``, ``err``, ``info``), text with its colours as ANSI sequences."""

LINES = "Oldest first, each `[number, time, stream, text]`; the stream is `out`, `err` or `info`."


class ReplicaQuery(Query):
    """Which of a deployment's servers."""

    replica: int | None = Field(None, ge=0, le=10_000, description="One of several servers of a deployment, from 0.")
    process: Reference | None = Field(None, description="A server of the deployment; the present one unless given.")


class PageOfLinesQuery(Query):
    """Which lines of a log."""

    after: Count | None = Field(None, description="The first lines above this number.")
    before: Count | None = Field(None, description="Only lines below it; the last of them unless `after` is given.")
    limit: int = Field(1000, ge=1, le=10_000, description="How many lines at most.")


class PageOfServerLinesQuery(PageOfLinesQuery, ReplicaQuery):
    """Which lines of the log of a deployment's server."""


class SearchQuery(Query):
    """What to look for in a log."""

    q: str = Field(min_length=1, max_length=1000, pattern=r"^[^\x00\n]*$", description="A text as it is seen.")
    regex: bool = Field(False, description="It is a regular expression, as Python's `re` reads it.")
    case: bool = Field(False, description="Upper and lower case differ.")
    after: Count | None = Field(None, description="The first matches above this number.")
    before: Count | None = Field(None, description="Only matches below it; the last of them unless `after` is given.")
    limit: int = Field(100, ge=1, le=1000, description="How many matches at most.")


class ServerSearchQuery(SearchQuery, ReplicaQuery):
    """What to look for in the log of a deployment's server."""


class StreamQuery(ReplicaQuery):
    """Where to begin to follow a log."""

    after: Count | None = Field(None, description="The number of the last line that is known.")
    tail: Count | None = Field(None, description="Begin that many lines before the end, if `after` isn't given.")


class PageOfLines(Answer):
    """Some lines of a log, and where they are in it."""

    lines: Sequence[Line] = Field(description=LINES)
    first: Count = Field(description="The number of the oldest line that is kept; 0 when there is none.")
    last: Count = Field(description="The number of the newest line: how many there have been; 0 when there is none.")
    next: int | None = Field(description="`after` of the next page; null when the newest line is here.")
    previous: int | None = Field(description="`before` of the previous page; null when the oldest line is here.")
    process: str | None = Field(description="The server that printed them; null in the log of a build.")
    is_final: bool = Field(description="Nothing more will be written.")

    @classmethod
    def of(cls, page: linelog.LogPage, query: PageOfLinesQuery, *, process: str | None, is_final: bool) -> Self:
        """Return a page as the API shows it."""
        low, high = _find_borders(page, query)
        return cls(
            lines=[shape_line(line) for line in page.lines],
            first=page.first,
            last=page.last,
            next=high if high < page.last else None,
            previous=low if page.first < low else None,
            process=process,
            is_final=is_final,
        )


class Matches(Answer):
    """Lines that were found."""

    lines: Sequence[Line] = Field(description=LINES)
    next: int | None = Field(
        description="Where to search on: `after`, or `before` when that alone was given; null when that is all."
    )
    process: str | None = Field(description="The server that printed them; null in the log of a build.")

    @classmethod
    def of(cls, found: linelog.Matches, *, process: str | None) -> Self:
        """Return what was found as the API shows it."""
        return cls(lines=[shape_line(line) for line in found.lines], next=found.next, process=process)


def shape_line(line: models.LogLine) -> Line:
    """Return a line as JSON."""
    return line.number, line.time.isoformat(timespec="milliseconds"), line.stream, line.text


def _find_borders(page: linelog.LogPage, query: PageOfLinesQuery) -> tuple[int, int]:
    """Return the ``before`` of the page before and the ``after`` of the page behind."""
    if page.lines:
        return page.lines[0].number, page.lines[-1].number
    if query.after is not None or query.before is None:
        return min((query.after or 0) + 1, LARGEST), query.after or 0
    return query.before, query.before - 1
