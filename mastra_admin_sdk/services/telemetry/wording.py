"""What an answer leaves out, in words (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

DEFAULT_HOURS = 24
"""How far back is looked where no time is given and looking further would take long."""


_UNPRICED = {
    "all": "No cost is known: the setting prices is empty.",
    "some": "The cost is missing where the setting prices has no price for a model.",
}


_UNCOUNTED = frozenset({"feedback", "latency", "usage"})
"""What isn't counted by itself, but in rows of it."""


@dataclass(frozen=True, slots=True)
class Words:
    """How a reader asks for more: in Python or on the command line."""

    no_limit: str
    count: str
    since: str
    all_times: str


PYTHON = Words("limit=None", "count=True", 'since="7d"', 'since="all"')
COMMAND_LINE = Words("--limit all", "--count", "--since 7d", "--since all")


def list_notes(attrs: Mapping[Any, Any], rows: int, words: Words) -> list[str]:
    """Return what has to be said of an answer: that it was cut, that its time was limited, that money isn't known.

    Parameters:
        attrs: ``question`` (such as ``spans``), ``truncated``, ``total``, ``limit``, ``order``, ``since``, ``until``,
            ``default_since``, ``unpriced``.
        rows: how many it has.
        words: in whose words.
    """
    name = _name_rows(str(attrs.get("question") or "rows"))
    found = []
    if attrs.get("truncated"):
        found.append(_describe_cut(attrs, name, rows, words))
    elif attrs.get("default_since"):
        time = f"{_capitalize(str(attrs.get('question') or 'rows'))} {_describe_range(attrs)}"
        found.append(f"{time}: {words.since} for more, {words.all_times} for all.")
    return [*found, *describe_unpriced(attrs.get("unpriced"))]


def describe_unpriced(unpriced: object) -> list[str]:
    """Return that money isn't known, when it isn't: for ``all``, or for ``some`` of what is used."""
    return [_UNPRICED[str(unpriced)]] if unpriced else []


def _describe_cut(attrs: Mapping[Any, Any], name: str, rows: int, words: Words) -> str:
    total, order = attrs.get("total"), attrs.get("order")
    time = f" {_describe_range(attrs)}" if attrs.get("default_since") else ""
    more = f", {words.since} for an earlier start" if attrs.get("default_since") else ""
    if total is not None:
        return f"{rows:,} of {total:,} {name}{time}: {words.no_limit} for all{more}."
    first = f"The {order} {rows:,}" if order in {"newest", "oldest", "slowest"} else f"The first {rows:,}"
    return f"{first} {name}{time}, and there are more: {words.no_limit} for all, {words.count} for how many{more}."


def _name_rows(question: str) -> str:
    return f"rows of {question}" if question in _UNCOUNTED else question


def _describe_range(attrs: Mapping[Any, Any]) -> str:
    if until := attrs.get("until"):
        return f"of the {DEFAULT_HOURS} hours before {datetime.fromisoformat(str(until)):%Y-%m-%d %H:%M} UTC"
    return f"of the last {DEFAULT_HOURS} hours"


def _capitalize(name: str) -> str:
    return name[:1].upper() + name[1:]
