"""What a statement may do: reads for everybody, inserts and definitions for the owner.

ClickHouse itself parses and prints a statement (`formatQuerySingleLine`), so no trick of comments, quotes or several
statements in one text gets past: what is judged here is its own, canonical text, where a word is a word.

``readonly = 1`` is in force for every reader besides. It is not enough here: the engine as a library writes files with
``INTO OUTFILE`` and reads them with the function ``file()``, both of them read-only.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

DATABASE = "mastra"


class Kind(StrEnum):
    """What a statement does."""

    SELECT = "select"
    SHOW = "show"
    INSERT = "insert"
    CHANGE = "change"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Insert:
    """An insert whose data follows in blocks."""

    table: str
    columns: tuple[str, ...]


class Refused(Exception):
    """Raised when a statement may not run; the message says why and what to do instead."""


_SHOWS = frozenset({"SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN"})
_CHANGES = frozenset({"CREATE", "ALTER", "DROP", "OPTIMIZE", "TRUNCATE", "RENAME", "EXCHANGE", "INSERT", "SYSTEM"})

SAFE_TABLE_FUNCTIONS = frozenset(
    {
        *("format", "generateRandom", "generateSeries", "generate_series", "loop", "merge", "null", "numbers"),
        *("numbers_mt", "primes", "values", "view", "viewExplain", "viewIfPermitted", "zeros", "zeros_mt"),
    }
)
"""Table functions that read nothing from outside; every other one that the engine has is refused."""

# Functions can be called by their bare name too: arrayMap(file, …).
_OUTSIDE_FUNCTIONS = frozenset({"file", "showcertificate", "catboostevaluate"})
_MODEL_FUNCTION = re.compile(
    r"ai_?(?:classify|embed|extract|filter|generate|redact|similarity|translate)\w*", re.IGNORECASE
)

_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|\w+|\S", re.DOTALL)
_INSERT = re.compile(
    r"\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?P<table>[\w.`]+)\s*(?:\((?P<columns>[\w\s,`]+)\))?\s*"
    r"(?:VALUES|FORMAT\s+\w+)\s*;?\s*",
    re.IGNORECASE,
)
_KEEPS_COLUMNS = re.compile(
    r"INSERT |OPTIMIZE |SYSTEM |TRUNCATE |ALTER TABLE \S+ \(?(?:DELETE|UPDATE|MATERIALIZE|\w+ PARTITION) [^;]*"
)
_KILL = re.compile(r"KILL QUERY WHERE query_id = '(?P<id>[^'\\]+)'(?: A?SYNC)?")


def parse_insert(sql: str) -> Insert | None:
    """Return the table and columns of ``INSERT INTO t (a, b) VALUES``, or ``None`` for any other statement.

    ``FORMAT`` may stand there too: it is for the client, which sends blocks whatever its input looks like.
    """
    match = _INSERT.fullmatch(sql)
    if match is None:
        return None
    columns = (match["columns"] or "").replace("`", "").split(",")
    names = tuple(name.strip() for name in columns if name.strip())
    return Insert(match["table"].replace("`", ""), names)


def classify(canonical: str) -> Kind:
    """Say what a statement does, from the text that ClickHouse printed for it.

    Raises:
        Refused: nobody may run it here.
    """
    words = list(_words(canonical))
    first = words[0].upper() if words else ""
    if _has_pair(words, "PARALLEL", "WITH"):
        raise Refused("Several statements in one text are refused: send them one by one.")
    if _has_pair(words, "INTO", "OUTFILE"):
        raise Refused("INTO OUTFILE is refused: the engine writes no files. Save the DataFrame instead.")
    if first in {"SELECT", "WITH", "("}:
        return Kind.SELECT
    if first in _SHOWS:
        return Kind.SHOW
    if first in _CHANGES:
        return Kind.CHANGE
    if _KILL.fullmatch(canonical):
        return Kind.KILL
    if first == "KILL":
        raise Refused("Only KILL QUERY WHERE query_id = '…' is supported, with the id that the query's client gave it.")
    raise Refused(f"A statement that begins with {first or 'nothing'} is refused here: only queries are allowed.")


def keeps_columns(canonical: str) -> bool:
    """True when a change leaves all tables with the columns that they have."""
    # Several commands in one ALTER, each in parentheses, may be anything.
    return _KEEPS_COLUMNS.match(canonical) is not None and "), (" not in canonical


def find_killed(canonical: str) -> str:
    """Return the query id that a ``KILL QUERY`` names."""
    match = _KILL.fullmatch(canonical)
    return match["id"] if match else ""


def leave_out_format(canonical: str) -> str:
    """Return a query without its FORMAT clause: that is for the client, and a result always comes as blocks."""
    found = [match for match in _TOKEN.finditer(canonical) if match[0] != ";"]
    for place, match in enumerate(found[:-1]):
        rest = found[place + 2 :]
        # As a clause it stands last, or before SETTINGS; elsewhere it is somebody's column.
        is_last = not rest or rest[0][0].upper() == "SETTINGS"
        if match[0] == "FORMAT" and is_last and re.fullmatch(r"`?\w+`?", found[place + 1][0]):
            return (canonical[: match.start()].rstrip() + " " + canonical[found[place + 1].end() :].lstrip()).rstrip()
    return canonical


def check_reads_inside(canonical: str, table_functions: frozenset[str]) -> None:
    """Refuse what would reach outside of the store: files, addresses, programs, other servers, models.

    Parameters:
        table_functions: the names of those that reach outside, in lower case (see `list_outside`).

    Raises:
        Refused: with the name of what does.
    """
    words = list(_words(canonical))
    for place, word in enumerate(words):
        name = word.strip('`"').casefold()
        is_call = words[place + 1 : place + 2] == ["("]
        is_column = words[place - 1 : place] == ["."]
        is_function = name in _OUTSIDE_FUNCTIONS or _MODEL_FUNCTION.fullmatch(name) is not None
        if (is_function and not is_column) or (is_call and name in table_functions):
            raise Refused(
                f"{name} is refused: queries read what is stored here, not files, addresses or other servers."
            )


def list_outside(table_functions: Iterable[str]) -> frozenset[str]:
    """Return those table functions, in lower case, that a reader may not use."""
    safe = {name.casefold() for name in SAFE_TABLE_FUNCTIONS}
    return frozenset(name.casefold() for name in table_functions) - safe


def _words(canonical: str) -> Iterator[str]:
    return (match[0] for match in _TOKEN.finditer(canonical) if not match[0].startswith("'"))


def _has_pair(words: list[str], first: str, second: str) -> bool:
    upper = [word.upper() for word in words]
    return any(pair == (first, second) for pair in itertools.pairwise(upper))
