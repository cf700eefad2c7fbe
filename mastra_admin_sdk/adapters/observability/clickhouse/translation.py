"""Errors of the driver and of ClickHouse as errors of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_driver import errors as driver

from mastra_admin_sdk.errors import EngineUnavailable, ObservabilityError, QueryError

MEMORY_LIMIT = 241
UNKNOWN_TABLE = 60
UNKNOWN_DATABASE = 81
# The schema isn't there, or not all of it at the moment.
NO_SCHEMA = frozenset({16, UNKNOWN_TABLE, UNKNOWN_DATABASE})
TIMEOUT = 159
_TIMEOUTS = frozenset({TIMEOUT, 160})
_READ_ONLY = frozenset({164, 497, 392})
_BAD_CREDENTIALS = frozenset({192, 193, 194, 516})
_TOO_MANY_QUERIES = 202
# The server, its disk or its load are the trouble, not what was sent: it may go well later.
PASSING = frozenset({*_TIMEOUTS, 202, 203, 209, 210, 242, 243, 252, 319, 394, 439, 999})
# A part of a table can't be read.
_BROKEN_DATA = frozenset({32, 33, 40, 226, 228, 246})

# The user whom a statement is refused to is one of ours, and no word of the person's who asked.
_NOISE = re.compile(
    r"^(?:Streaming query failed: |Code: \d+\.\s*|DB::Exception: |[^\s:]+: (?=Cannot execute query in readonly))+"
)
_TAIL = re.compile(r"\.? Stack trace:.*|\s*\(version [^)]*\)", re.DOTALL)
_NAME = r"(?=\.? ?\([A-Z_0-9]+\)$|$)"
# What the parser would also have taken, the query once more, and the plan's own names: none of it helps anybody.
_CHATTER = re.compile(
    rf"\.? ?Expected one of: .*?(?=:? ?In scope |{_NAME})|[:.]? ?In scope .*?{_NAME}"
    rf"|: \(?(?:in query|while executing)(?: '|: ).*?{_NAME}",
    re.DOTALL,
)
_END = re.compile(r"(?P<mark>\?)?[\s:.]*\((?P<name>[A-Z_0-9]+)\)$")
_LONGEST = 500


class BrokenData(EngineUnavailable):
    """Raised when the engine can't read what it has stored.

    chDB takes parts into use that it could not write, when the disk gets full while it merges or inserts. The parts
    that they were made of stay for some minutes: an engine that starts leaves the broken ones out, and goes on with
    those.
    """


@contextmanager
def translate_errors(what: str, sql: str = "") -> Iterator[None]:
    """Raise `EngineUnavailable` when the engine can't be talked to and `QueryError` when it refuses or fails.

    Parameters:
        what: what was attempted, such as ``"Reading spans"``.
        sql: the statement, of which the first line is shown.
    """
    try:
        yield
    except driver.ServerException as exc:
        raise make_query_error(what, sql, exc.code, exc.message) from exc
    except (driver.NetworkError, driver.SocketTimeoutError, EOFError, OSError) as exc:
        raise EngineUnavailable(
            f"{what} failed: the connection to the analytics engine broke ({str(exc).strip() or type(exc).__name__}).",
            hint="Try again; `mastra-admin doctor` shows whether the engine is well.",
        ) from exc
    except driver.Error as exc:
        raise QueryError(f"{what} failed: {_clean(exc.message or str(exc))}.", evidence=_show(sql)) from exc


def make_query_error(what: str, sql: str, code: int, message: str) -> ObservabilityError:
    """Return the error for an exception of ClickHouse."""
    reason = _clean(message)
    if code in _BAD_CREDENTIALS:
        return EngineUnavailable(
            f"{what} failed: the server refused user or password.", hint="Check the user and password in the URL."
        )
    if code in _BROKEN_DATA:
        return BrokenData(
            f"{what} failed: the analytics engine can't read some of its data ({reason}).",
            hint="An engine of the home is started anew by itself; see that its disk has room.",
            evidence={"code": code},
        )
    hint = ""
    if code == MEMORY_LIMIT:
        hint = "Ask for less at once: a shorter time range, fewer columns, a limit; or raise engine_memory_mb."
    elif code in _TIMEOUTS:
        hint = "Ask for a shorter time range or fewer columns."
    elif code == _TOO_MANY_QUERIES:
        hint = "Try again when other queries have ended; SELECT query, elapsed FROM system.processes shows them."
    elif code in _READ_ONLY:
        hint = "Only queries that read what is stored are allowed here."
    elif code == UNKNOWN_DATABASE:
        hint = "Make the database that the URL names first, as in CREATE DATABASE mastra."
    elif code == UNKNOWN_TABLE:
        hint = "SHOW TABLES lists what there is; spans are in mastra_admin_spans, log lines in mastra_admin_logs."
    return QueryError(f"{what} failed: {reason}", hint=hint, evidence={**_show(sql), "code": code})


def _clean(message: str) -> str:
    text = _CHATTER.sub("", _TAIL.sub("", _NOISE.sub("", message)).strip().rstrip("."))
    text = _END.sub(lambda match: f"{match['mark'] or '.'} ({match['name']})", text).strip().rstrip(".")
    return (text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …") or "no reason was given"


def _show(sql: str) -> dict[str, str]:
    lines = [line.strip() for line in sql.strip().splitlines() if line.strip()]
    first = lines[0] if lines else ""
    return {"sql": first if len(first) <= 200 else f"{first[:200]} …"} if first else {}
